"""The strings in the JSON of a stream, by where in it they stand: so that a text that is spelled over several events, a
word in each, can be put together, and each letter of it be found again.

Knows no protocol: server-sent events, lines of JSON and messages are all JSON here; strings at one place in it belong
together.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, Optional

from agenttrace.event import parse_json

# A longer line is not looked into; its bytes are searched all the same.
MAX_UNIT_BYTES = 1 << 20

_LINE_END = re.compile(rb"\r\n|\r|\n")
_DATA = re.compile(rb"(?:\A|(?<=[\r\n]))data:")
_BEGINS_JSON = re.compile(rb"\s*[{\[]")
_MAY_BE_JSON = re.compile(rb"\s*(?:[{\[]|\Z)")
_MAY_BE_DATA = re.compile(rb"d(?:a(?:t(?:a(?::.*)?)?)?)?\Z", re.DOTALL)
# A string, and behind a member's name its number; or where something begins or ends.
_TOKEN = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:(?:\s*(\d+))?)?|[{}\[\]]')
_ESCAPE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u....|\\.")


class Leaf(NamedTuple):
    """A string: where it belongs, what it says, and for each of its bytes (and the end) its place in the stream."""

    key: tuple[Any, ...]
    text: bytes
    places: range | list[int]


class Leaves:
    """Takes a stream's bytes, gives back the strings of the JSON that became whole."""

    def __init__(self) -> None:
        self._pending = b""  # lines that belong together, and the beginning of one
        self._start = 0  # where in the stream it stands
        self._is_skipping = False  # the rest of a line that is too long, or is no JSON

    @property
    def open_at(self) -> Optional[int]:
        """Where JSON begins that is not whole yet; None if there is none."""
        return self._start if self._pending else None

    def feed(self, piece: bytes) -> list[Leaf]:
        """The strings that this piece completes."""
        found: list[Leaf] = []
        text, unit, line = self._pending + piece, 0, 0  # where the unit and the line begin
        for end in _LINE_END.finditer(text):
            if not self._is_skipping and text.startswith(b"data:", line):
                line = end.end()
                continue  # the event may go on in the next line
            if not self._is_skipping:
                found += self._strings(text[unit:line], unit)
                found += self._strings(text[line : end.end()], line)
            self._is_skipping = False
            unit = line = end.end()
        if self._is_skipping or len(text) - unit > MAX_UNIT_BYTES or not _is_begun(text[line:]):
            found += self._strings(text[unit:line], unit)
            self._is_skipping, unit = line < len(text), len(text)
        self._pending, self._start = text[unit:], self._start + unit
        return found

    def close(self) -> list[Leaf]:
        """Those of what the end left without its line end."""
        found = [] if self._is_skipping else self._strings(self._pending, 0)
        self.drop()
        return found

    def drop(self) -> None:
        """What is begun is not waited for."""
        self._is_skipping = self._is_skipping or bool(self._pending)
        self._start += len(self._pending)
        self._pending = b""

    def _strings(self, unit: bytes, offset: int) -> list[Leaf]:
        return strings(_json_of(unit), self._start + offset)


def _is_begun(rest: bytes) -> bool:
    """Whether a line that begins so may hold JSON."""
    head = rest[:5]
    return _MAY_BE_JSON.match(head) is not None or _MAY_BE_DATA.match(head) is not None


def _json_of(unit: bytes) -> bytes:
    """The unit without `data:`, each letter in its place."""
    return _DATA.sub(b"     ", unit) if unit.startswith(b"data:") else unit


def strings(text: bytes, start: int) -> list[Leaf]:
    """The strings of a JSON text that stands at this place; none if it is no JSON."""
    if len(text) > MAX_UNIT_BYTES or _BEGINS_JSON.match(text) is None:
        return []
    try:
        parse_json(text)
    except (ValueError, RecursionError):
        return []
    return _Walk(text, start).leaves()


class _Container:
    """An object or array that is walked through. marks: which of several texts what is in it belongs to."""

    __slots__ = ("above", "name", "marks", "_steps", "_above_name")

    def __init__(self, above: Optional[_Container]) -> None:
        self.above = above
        self.name: bytes = b""
        self.marks: dict[bytes, bytes] = {}
        self._above_name = above.name if above is not None else b""
        self._steps: Optional[tuple[Any, ...]] = None

    def key(self, name: bytes) -> tuple[Any, ...]:
        """Where a string behind this name belongs; asked when all marks are known."""
        if self._steps is None:
            marks = tuple(sorted(self.marks.items())) if self.marks else ()
            above = self.above.key(self._above_name) if self.above is not None else ()
            self._steps = (marks, above)
        return (name, self._steps)


class _Walk:
    def __init__(self, text: bytes, start: int) -> None:
        self._text = text
        self._start = start
        self._found: list[tuple[_Container, bytes, bytes, int]] = []

    def leaves(self) -> list[Leaf]:
        self._walk()
        leaves = []
        for container, name, raw, place in self._found:
            # What several texts are told apart by stands before them or behind them.
            text, places = _unescaped(raw, self._start + place)
            leaves.append(Leaf(container.key(name), text, places))
        return leaves

    def _walk(self) -> None:
        within = _Container(None)
        for token in _TOKEN.finditer(self._text):
            string, colon, number = token.groups()
            if string is None:
                within = _Container(within) if token[0] in b"{[" else within.above or within
            elif colon is not None:
                within.name = string
                if number is not None and string.endswith(b"index"):
                    within.marks[string] = number
            elif within.name == b"type":
                within.marks[b"type"] = string
            elif string:
                # Elements of an array belong together: their number says nothing of what they are part of.
                self._found.append((within, within.name, string, token.start(1)))


def _unescaped(raw: bytes, start: int) -> tuple[bytes, range | list[int]]:
    """What a string says, and the place of each of its bytes, and of its end."""
    if b"\\" not in raw:
        return raw, range(start, start + len(raw) + 1)
    said, places, copied = [], [], 0
    for escape in _ESCAPE.finditer(raw):
        letter = json.loads(b'"%s"' % escape[0]).encode("utf-8", "replace")
        said += [raw[copied : escape.start()], letter]
        places += list(range(start + copied, start + escape.start()))
        places += [start + escape.start()] * len(letter)
        copied = escape.end()
    said.append(raw[copied:])
    places += list(range(start + copied, start + len(raw) + 1))
    return b"".join(said), places
