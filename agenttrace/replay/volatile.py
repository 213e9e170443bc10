"""Values that differ from run to run and say nothing: found in a text by shape, or because they are the run's own.

A value found here may differ between a recorded request and the one asked; that it did is always told.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Union

from agenttrace import origin

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?:s|nes|rs|ur)?(?:day)?"
_CLOCK = r"\d{1,2}:\d\d:\d\d(?:[.,]\d+)?"
_ZONE = r"(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?"
_END = r"(?![0-9A-Za-z])"

# (class, what its values look like), the longer forms first; before them stands no letter or digit. A time of day
# without seconds is somebody's words. Each begins with what can be told by one character, so that the search is quick.
SHAPES: tuple[tuple[str, str], ...] = (
    ("uuid", r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}" + _END),
    ("time", r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?" + _ZONE),
    ("time", r"\d{8}T\d{6}(?:\.\d+)?Z?" + _END),
    ("time", rf"{_DAY},? {_MONTH} +\d{{1,2}} {_CLOCK}(?: [A-Z]{{3,4}})? \d{{4}}{_END}"),
    ("time", rf"{_DAY}, \d\d {_MONTH} \d{{4}} {_CLOCK}{_ZONE}"),
    ("date", r"\d{4}-\d\d-\d\d(?![\d-])"),
    ("date", r"\d{4}/\d\d/\d\d(?![\d/])"),
    ("date", r"\d{1,2}/\d{1,2}/\d{4}(?![\d/])"),
    ("date", r"\d{1,2}\.\d{1,2}\.\d{4}(?![\d.])"),
    ("date", rf"{_DAY},? {_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}{_END}"),
    ("date", rf"{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}{_END}"),
    ("date", rf"{_DAY},? \d{{1,2}}\.? {_MONTH} \d{{4}}{_END}"),
    ("date", rf"\d{{1,2}}\.? {_MONTH} \d{{4}}{_END}"),
    ("date", r"[Tt]oday(?: is|'s date is|: ) ?" + _DAY + _END),
    ("clock", rf"{_CLOCK}(?: ?[AP]M)?{_ZONE}(?![\d:])"),
    (
        "id",
        r"[a-z](?:(?<=c)(?:all|hatcmpl|mpl|tc|onv)|(?<=t)(?:oolu|hread|race|ool-call)|(?<=s)(?:rvtoolu|ession|ess|tep|pan)"
        r"|(?<=r)(?:esp|eq|un|s)|(?<=f)(?:c|unction-call)|(?<=m)sg|(?<=w)s|(?<=a)sst|(?<=i)tem|(?<=b)atch|(?<=g)en)"
        r"[_-](?=[A-Za-z]*\d|[a-z]*[A-Z])[A-Za-z0-9]{8,}" + _END,
    ),
    ("id", r"[0-7][0-9A-HJKMNP-TV-Z]{25}" + _END),
    ("address", r"0x[0-9a-fA-F]{8,16}" + _END),
    # Not behind `_`; with a letter and a digit.
    (
        "hex",
        r"[0-9a-f](?<!_.)(?:(?<=\d)\d*[a-f]|(?<=[a-f])[a-f]*\d)(?<=[0-9a-f])[0-9a-f]*(?<=[0-9a-f]{16})(?![0-9A-Za-z_])",
    ),
    # Not behind a point: digits of a fraction.
    ("epoch", r"1(?<!\.1)[5-9]\d{8}(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?" + _END),
    ("port", r"127\.0\.0\.1:\d{2,5}(?!\d)"),
    ("port", r"0\.0\.0\.0:\d{2,5}(?!\d)"),
    ("port", r"localhost:\d{2,5}(?!\d)"),
    ("temp", r"tmp(?:[a-z0-9_]{8}|\.[A-Za-z0-9]{6,10})" + _END),
    ("pid", r"[Pp](?:[Pp]?(?:id|ID)|GID|gid)(?:: |[ =:#])\d+" + _END),
)

# In output only: how long something took.
DURATION = (
    "duration",
    r"(?<![\w.])\d+(?:\.\d+)? ?(?:ns|[µu]s|ms|s|sec|secs|seconds|min|minutes)\b",
)

REDACTED = re.compile(r"\[redacted:[^\]\s]{1,200}\]")

# Of these somebody may mean the very one that is named.
_SAID = frozenset(("uuid", "time", "date", "clock", "id", "hex", "epoch"))

_REFERENCE = re.compile(r"\\[1-9]|\(\?P|\(\?\(")
_HOME = re.compile(r"(?:/home|/Users|/export/home)/([^/]+)|/root\b")
_MIN_FOLDER_CHARS = 4
_MIN_NAME_CHARS = 2


class Token(NamedTuple):
    """A volatile value in a text. group: what it is, "uuid" or the like."""

    group: str
    value: str


Parts = tuple[Union[str, Token], ...]


class Own(NamedTuple):
    """What belongs to a run, not to what it asks. folders: cwd, home, temp; names: of the user and the machine.
    told: values that look like chance, and are what its command line says where the other run's says something else.
    """

    folders: tuple[str, ...]
    names: tuple[str, ...]
    told: frozenset[str] = frozenset()


class Owns(NamedTuple):
    """Of a recorded run, and of the one that is compared with it."""

    then: Own
    now: Own


def owns(start: Mapping[str, Any], command: Sequence[str] | None = None) -> Owns:
    """Of the run with this `trace_start`, and of the one that is about to begin here. command: its command line, if
    the runs are to be compared by it: what was changed there was changed on purpose, whatever it looks like.
    """
    then, now = own_of_trace(start), own_of_process()
    recorded = start.get("command")
    if command is None or not isinstance(recorded, list):
        return Owns(then, now)
    before, behind = _chances(then, recorded), _chances(now, command)
    return Owns(then._replace(told=before - behind), now._replace(told=behind - before))


def _chances(own: Own, command: Sequence[Any]) -> frozenset[str]:
    """The values in a command line that look like chance, and not like a place of the run's own."""
    finder = Finder(own)
    parts = (part for word in command for part in finder.parts(str(word)))
    return frozenset(
        part.value for part in parts if isinstance(part, Token) and part.group in _SAID
    )


def own_of_trace(start: Mapping[str, Any]) -> Own:
    """Of a recorded run, by its `trace_start`; the home folder also where only the cwd tells it."""
    place = start.get("place")
    place = place if isinstance(place, dict) else {}
    folders = [start.get("cwd"), place.get("home"), place.get("tmp")]
    names = [place.get("user"), place.get("hostname")]
    found = _HOME.match(start["cwd"]) if isinstance(start.get("cwd"), str) else None
    if found is not None:
        folders.append(found[0])
        names.append(found[1])
    return _own(folders, names)


def own_of_process(environment: Mapping[str, str] = os.environ) -> Own:
    """Of the run that is about to begin here."""
    here = origin.place(environment)
    folders = [environment.get("PWD"), here["home"], here["tmp"]]
    with contextlib.suppress(OSError):  # the folder may be gone
        folders.append(os.getcwd())
    return _own(folders, [here["user"], here["hostname"]])


def _own(folders: Sequence[Any], names: Sequence[Any]) -> Own:
    texts = {path.rstrip("/") for path in folders if isinstance(path, str) and path[:1] == "/"}
    long_enough = {path for path in texts if len(path) >= _MIN_FOLDER_CHARS}
    known = {name for name in names if isinstance(name, str) and len(name) >= _MIN_NAME_CHARS}
    return Own(tuple(sorted(long_enough)), tuple(sorted(known)))


class Finder:
    """Cuts a text at its volatile values. own: of the run that the text is from; patterns: the user's, class "mask"."""

    def __init__(
        self,
        own: Own,
        patterns: Sequence[str] = (),
        is_naming: bool = False,
        extra: Sequence[tuple[str, str]] = (),
    ) -> None:
        """is_naming: the names of user and machine too, which may be common words."""
        free = [("mask", checked_pattern(pattern)) for pattern in patterns]
        free.append(("secret", REDACTED.pattern))
        if own.folders:
            # Some programs name a folder's files after it, with dashes for slashes.
            spelled = {*own.folders, *(path.replace("/", "-") for path in own.folders)}
            free.append(("folder", rf"(?<![\w.])(?:{_one_of(spelled)})(?![\w-])"))
        if is_naming and own.names:
            free.append(("name", rf"(?<!\w)(?:{_one_of(own.names)})(?!\w)"))
        edged = [*extra, *SHAPES]
        self._kinds = [kind for kind, _ in (*free, *edged)]
        named = [f"(?P<s{at}>{shape})" for at, (_, shape) in enumerate((*free, *edged))]
        first, rest = "|".join(named[: len(free)]), "|".join(named[len(free) :])
        self._pattern = re.compile(f"{first}|(?<![0-9A-Za-z])(?:{rest})")
        self.told = own.told
        self._known: dict[str, Parts] = {}

    def parts(self, text: str) -> Parts:
        """The text in pieces: plain ones as strings, volatile values as tokens."""
        known = self._known.get(text)
        if known is None:
            known = tuple(self._cut(text))
            if len(self._known) >= 1 << 14:
                self._known.clear()
            self._known[text] = known
        return known

    def _cut(self, text: str) -> list[str | Token]:
        found: list[str | Token] = []
        at = 0
        for match in self._pattern.finditer(text):
            if match.end() == match.start() or match.lastgroup is None or match[0] in self.told:
                continue
            if match.start() > at:
                found.append(text[at : match.start()])
            found.append(Token(self._kinds[int(match.lastgroup[1:])], match[0]))
            at = match.end()
        if at < len(text):
            found.append(text[at:])
        return found


def _one_of(texts: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))


def checked_pattern(pattern: str) -> str:
    """A user's regular expression, as it can be joined with ours. ValueError with the reason if it can't."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern}: not a regular expression: {error}") from None
    if _REFERENCE.search(pattern):
        raise ValueError(f"{pattern}: named groups and back references can't be used here")
    return pattern
