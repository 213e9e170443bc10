"""The time of day: what the functions of `time` and `datetime` read of it. The clocks that only measure are left alone.

`datetime.datetime` stays the class that it is: `now` and `utcnow` are replaced in its own dictionary, which Python
does not let assign to. A subclass in its place would fail whoever compares types. `datetime.today` and `date.today`
call `time.time`.
"""

import sys

from .. import draws as all_draws
from ..faults import told

# What is hooked: (module, what reads the time, what takes the hook out).
_hooked = []
_is_aside = []

_UTCNOW_IS_DEPRECATED = (
    "datetime.datetime.utcnow() is deprecated and scheduled for removal in a future version. Use timezone-aware"
    " objects to represent datetimes in UTC: datetime.datetime.now(datetime.UTC)."
)


def install(module, link, mode):
    """Hooks `time`, `datetime`, or `_time_machine`, which sets the clock. Returns a function that undoes it."""
    if module.__name__ == "_time_machine":
        return _hook_time_machine(module, link)
    now_ns = all_draws.of(link).now_ns
    one = [module, now_ns, _hook_clock(module, now_ns)]
    _hooked.append(one)

    def undo():
        _hooked.remove(one)
        one[2]()

    return undo


def _hook_clock(module, now_ns):
    return (_hook_datetime if module.__name__ == "datetime" else _hook_time)(module, now_ns)


@told
def step_aside():
    """The hooks are out until they come back."""
    if not _is_aside:
        _is_aside.append(True)
        for one in _hooked:
            one[2]()


@told
def come_back():
    if _is_aside:
        _is_aside.clear()
        for one in _hooked:
            one[2] = _hook_clock(one[0], one[1])


def _hook_time_machine(module, link):
    """While it is loaded and while it travels our hooks are out: it notes which functions C has, and writes into them;
    where they are not C's, into memory that is none of theirs. Its older versions never take that back.
    """

    def before(original):
        def patch(*arguments):
            step_aside()
            reason = "time_machine sets the clock: while it does, it is not recorded"
            link.send({"op": "gap", "reason": reason, "dropped": 0})
            return original(*arguments)

        return patch

    def behind(original):
        def unpatch(*arguments):
            try:
                return original(*arguments)
            finally:
                come_back()

        return unpatch

    from .replacing import replaced

    hooks = {"patch": before, "patch_if_needed": before, "unpatch": behind}
    return replaced(module, {name: hook for name, hook in hooks.items() if hasattr(module, name)})


def _hook_time(module, now_ns):
    clock = _Clock(module, now_ns)
    originals = {name: getattr(module, name) for name in _Clock.NAMES if hasattr(module, name)}
    for name in originals:
        setattr(module, name, getattr(clock, name))
    return lambda: [setattr(module, name, original) for name, original in originals.items()]


class _Clock:
    """The functions of `time`. As bound methods they stay what they were as members of a class: no methods of it."""

    NAMES = (
        "time",
        "time_ns",
        "localtime",
        "gmtime",
        "ctime",
        "asctime",
        "strftime",
        "clock_gettime",
        "clock_gettime_ns",
    )

    def __init__(self, module, now_ns):
        for name in self.NAMES:
            setattr(self, "_" + name, getattr(module, name, None))
        self._realtime = getattr(module, "CLOCK_REALTIME", None)
        self._now_ns = now_ns

    def __reduce__(self):
        return __import__, ("time",)

    def __deepcopy__(self, memo):
        return self

    def _seconds(self, given):
        return self._now_ns() // 1_000_000_000 if given is None else given

    def time(self):
        return float(self._now_ns()) / 1e9

    def time_ns(self):
        return self._now_ns()

    def localtime(self, seconds=None):
        return self._localtime(self._seconds(seconds))

    def gmtime(self, seconds=None):
        return self._gmtime(self._seconds(seconds))

    def ctime(self, seconds=None):
        return self._ctime(self._seconds(seconds))

    def asctime(self, *moment):
        return self._asctime(*(moment or (self._localtime(self._seconds(None)),)))

    def strftime(self, form, *moment):
        return self._strftime(form, *(moment or (self._localtime(self._seconds(None)),)))

    def clock_gettime(self, clock):
        return self.time() if clock == self._realtime else self._clock_gettime(clock)

    def clock_gettime_ns(self, clock):
        return self._now_ns() if clock == self._realtime else self._clock_gettime_ns(clock)


def _hook_datetime(module, now_ns):
    import gc

    kind, utc = module.datetime, module.timezone.utc
    members = next(one for one in gc.get_referents(kind.__dict__) if isinstance(one, dict))
    originals = {name: members[name] for name in ("now", "utcnow")}
    at = members["fromtimestamp"]

    def moment(cls, tz):
        # To the microsecond below: a double holds that exactly until the year 2242.
        return at.__get__(None, cls)(now_ns() // 1000 / 1e6, tz)

    def now(cls, tz=None):
        return moment(cls, tz)

    def utcnow(cls):
        if sys.version_info >= (3, 12):
            import warnings

            warnings.warn(_UTCNOW_IS_DEPRECATED, DeprecationWarning, stacklevel=2)
        return kind.replace(moment(cls, utc), tzinfo=None)

    _put(members, {"now": classmethod(now), "utcnow": classmethod(utcnow)})
    return lambda: _put(members, originals)


def _put(members, methods):
    members.update(methods)
    # Where Python remembers which method a name led to. It does so anew from 3.13 on.
    if sys.version_info < (3, 13):
        sys._clear_type_cache()
