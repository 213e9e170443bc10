"""Chance: the system's random bytes, the seeds of `random`, and the uuids that are made in C.

`secrets`, `uuid4` and numpy's seeds all come from `os.urandom`; `random` seeds itself in C, and here by 32 such bytes.
"""

import os
from _operator import index
from _thread import get_ident

from .. import draws as all_draws
from ..faults import told

_SEED_BYTES = 32


def install(module, link, mode):
    """Hooks `os`, `random` or `uuid`. Returns a function that undoes it."""
    draws = all_draws.of(link)
    hook = {"os": _hook_os, "random": _hook_random, "uuid": _hook_uuid}[module.__name__]
    return hook(module, draws)


class _System:
    """The functions of `os`; bound methods for the reason that `hooks/clock.py` gives."""

    NAMES = ("urandom", "getrandom")
    # The ways to end a process, or its program, that run nothing at exit.
    LEAVING = ("_exit", "execv", "execve")

    def __init__(self, module, draws):
        self._system = {
            name: getattr(module, name)
            for name in self.NAMES + self.LEAVING
            if hasattr(module, name)
        }
        self._draws = draws

    def __reduce__(self):
        return __import__, ("os",)

    def __deepcopy__(self, memo):
        return self

    def urandom(self, size):
        return self._draws.random_bytes(index(size), self._system["urandom"])

    def getrandom(self, size, flags=0):
        system = self._system["getrandom"]
        return self._draws.random_bytes(index(size), lambda count: system(count, flags))

    def _exit(self, *arguments, **named):
        self._draws.flush_all()
        self._system["_exit"](*arguments, **named)

    def execv(self, *arguments, **named):
        self._draws.flush_all()
        self._system["execv"](*arguments, **named)

    def execve(self, *arguments, **named):
        self._draws.flush_all()
        self._system["execve"](*arguments, **named)


def _hook_os(module, draws):
    hooks = _System(module, draws)
    originals = {
        name: getattr(module, name) for name in hooks.NAMES + hooks.LEAVING if hasattr(module, name)
    }
    for name in originals:
        setattr(module, name, getattr(hooks, name))
    return lambda: [setattr(module, name, original) for name, original in originals.items()]


def _hook_random(module, draws):
    kind, instance = module.Random, module._inst
    seed, system_bytes, module_seed = kind.seed, module._urandom, module.seed

    def fresh():
        return int.from_bytes(os.urandom(_SEED_BYTES), "big")

    def seeded(self, a=None, version=2):
        return seed(self, fresh() if a is None else a, version)

    # The child of a fork is seeded anew; from its parent, so that it need not tell of it.
    at_fork = {}

    @told
    def before_fork():
        at_fork[get_ident()] = fresh()

    @told
    def after_in_child():
        instance.seed(at_fork.pop(get_ident()))
        at_fork.clear()

    def after_in_parent():
        at_fork.pop(get_ident(), None)

    kind.seed = seeded
    module.seed = instance.seed
    module._urandom = os.urandom
    instance.seed()
    os.register_at_fork(
        before=before_fork, after_in_child=after_in_child, after_in_parent=after_in_parent
    )

    def undo():
        kind.seed, module._urandom, module.seed = seed, system_bytes, module_seed

    return undo


def _hook_uuid(module, draws):
    if hasattr(module, "_load_system_functions"):  # Python 3.8 looks for them when first asked
        module._load_system_functions()
    original = getattr(module, "_generate_time_safe", None)
    if original is None:
        return lambda: None
    module._generate_time_safe = lambda: draws.uuid1(original)

    def undo():
        module._generate_time_safe = original

    return undo
