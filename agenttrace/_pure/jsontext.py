"""JSON as bytes: spelled compactly, checked, and split into raw slices. Never loads and dumps.

The checks lean on the standard library's parser, with its leniences (NaN, long integers) closed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn, Optional

from agenttrace._pure.checksum import as_bytes

MAX_DEPTH = 128

_STRING = re.compile(rb'"[^"\\\x00-\x1f]*"')
_PLAIN_RUN = re.compile(rb'[^"\\\x00-\x1f]*')
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(rb"true|false|null")
_SPACE = re.compile(rb"[ \t\n\r]*")
_ESCAPE = re.compile(rb'\\(?:(["\\/bfnrt])|u([0-9a-fA-F]{4}))')
_STRUCTURE = re.compile(rb'"[^"\\]*"|["\[\]{}]')
_SCALAR = re.compile(rb"[^,\]}\s]+")

_SHORT = {8: b"\\b", 9: b"\\t", 10: b"\\n", 12: b"\\f", 13: b"\\r", 0x22: b'\\"', 0x5C: b"\\\\"}
_NAMED = {b"b": 8, b"t": 9, b"n": 10, b"f": 12, b"r": 13, b'"': 0x22, b"\\": 0x5C, b"/": 0x2F}


def _wrong(why: str, at: int) -> NoReturn:
    raise ValueError(f"{why} at byte {at}")


def _spell(code: int) -> bytes:
    if code in _SHORT:
        return _SHORT[code]
    if code < 0x20:
        return b"\\u%04x" % code
    return chr(code).encode()


def _read_escape(text: bytes, at: int) -> tuple[bytes, int]:
    """The escape that begins at `at` -> (its fewest-escapes spelling, where it ends)."""
    found = _ESCAPE.match(text, at)
    if found is None:
        _wrong("not JSON: bad escape", at)
    if found[1] is not None:
        return _spell(_NAMED[found[1]]), found.end()
    code, end = int(found[2], 16), found.end()
    if not 0xD800 <= code <= 0xDFFF:
        return _spell(code), end
    low = _ESCAPE.match(text, end)
    if code < 0xDC00 and low is not None and low[2] is not None:
        low_code = int(low[2], 16)
        if 0xDC00 <= low_code <= 0xDFFF:
            return _spell(0x10000 + ((code - 0xD800) << 10) + (low_code - 0xDC00)), low.end()
    _wrong("a lone surrogate", at)


def _read_string(text: bytes, at: int) -> tuple[bytes, int]:
    """The string whose quote is at `at` -> (its compact spelling, where it ends)."""
    plain = _STRING.match(text, at)
    if plain is not None:
        return plain[0], plain.end()
    pieces, pos = [b'"'], at + 1
    while True:
        run = _PLAIN_RUN.match(text, pos)
        assert run is not None  # the pattern matches the empty string
        pieces.append(run[0])
        pos = run.end()
        following = text[pos : pos + 1]
        if following == b'"':
            pieces.append(b'"')
            return b"".join(pieces), pos + 1
        if following != b"\\":
            _wrong("not JSON: a string is not closed or holds a control character", pos)
        spelled, pos = _read_escape(text, pos)
        pieces.append(spelled)


class _Compactor:
    """One pass over one JSON value. No recursion: depth is the length of a list."""

    def __init__(self, text: bytes, max_depth: int) -> None:
        self.text = text
        self.max_depth = max_depth
        self.out: list[bytes] = []
        # For each open object the keys seen so far, for each open array None.
        self.open: list[Optional[set[bytes]]] = []

    def space(self, pos: int) -> int:
        found = _SPACE.match(self.text, pos)
        assert found is not None  # the pattern matches the empty string
        return found.end()

    def key(self, pos: int) -> int:
        if self.text[pos : pos + 1] != b'"':
            _wrong("not JSON: a member's name was expected", pos)
        name, end = _read_string(self.text, pos)
        keys = self.open[-1]
        assert keys is not None  # only called inside an object
        if name in keys:
            _wrong("a doubled key", pos)
        keys.add(name)
        end = self.space(end)
        if self.text[end : end + 1] != b":":
            _wrong("not JSON: `:` was expected", end)
        self.out += (name, b":")
        return self.space(end + 1)

    def scalar(self, pos: int) -> int:
        if self.text[pos : pos + 1] == b'"':
            spelled, end = _read_string(self.text, pos)
            self.out.append(spelled)
            return end
        found = _NUMBER.match(self.text, pos) or _WORD.match(self.text, pos)
        if found is None:
            _wrong("not JSON: a value was expected", pos)
        self.out.append(found[0])
        return found.end()

    def enter(self, pos: int, bracket: bytes) -> tuple[int, bool]:
        """Opens a container -> (position, whether a value follows: not if it is empty)."""
        if len(self.open) >= self.max_depth:
            _wrong(f"deeper than {self.max_depth}", pos)
        self.out.append(bracket)
        pos = self.space(pos + 1)
        if self.text[pos : pos + 1] == (b"}" if bracket == b"{" else b"]"):
            self.out.append(self.text[pos : pos + 1])
            return pos + 1, False
        self.open.append(set() if bracket == b"{" else None)
        return (self.key(pos) if bracket == b"{" else pos), True

    def leave(self, pos: int) -> tuple[int, bool]:
        """Behind a value: closes what closes -> (position, whether another value follows)."""
        while self.open:
            pos = self.space(pos)
            char, keys = self.text[pos : pos + 1], self.open[-1]
            if char == b",":
                self.out.append(char)
                pos = self.space(pos + 1)
                return (pos if keys is None else self.key(pos)), True
            if char != (b"]" if keys is None else b"}"):
                _wrong("not JSON: `,` or the closing bracket was expected", pos)
            self.out.append(char)
            self.open.pop()
            pos += 1
        return pos, False

    def run(self) -> bytes:
        pos, more = self.space(0), True
        while more:
            char = self.text[pos : pos + 1]
            if char in (b"{", b"["):
                pos, more = self.enter(pos, char)
                if more:
                    continue
            else:
                pos = self.scalar(pos)
            pos, more = self.leave(pos)
        pos = self.space(pos)
        if pos != len(self.text):
            _wrong("not JSON: more behind the value", pos)
        return b"".join(self.out)


def compact_json(text: bytes, max_depth: int = 126) -> bytes:
    """`text`, one JSON value, spelled as a line holds it; ValueError ("… at byte N") otherwise.

    An empty container is as deep as a full one: `[]` is 1.
    """
    text = as_bytes(text)
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    return _Compactor(text, max_depth).run()


def string_end(text: bytes, at: int) -> int:
    """Where the string whose quote is at `at` ends. ValueError if it doesn't."""
    pos = at + 1
    while True:
        quote = text.find(b'"', pos)
        if quote < 0:
            _wrong("not JSON: a string is not closed", at)
        before = quote
        while text[before - 1] == 0x5C:
            before -= 1
        if (quote - before) % 2 == 0:
            return quote + 1
        pos = quote + 1


def _nested_end(text: bytes, at: int, max_depth: Optional[int] = None) -> int:
    """Where the object or array that opens at `at` ends; brackets are counted, not matched."""
    depth, pos = 0, at
    while True:
        found = _STRUCTURE.search(text, pos)
        if found is None:
            _wrong("not JSON: a bracket is not closed", at)
        token, pos = found[0], found.end()
        if token in (b"{", b"["):
            depth += 1
            if max_depth is not None and depth > max_depth:
                _wrong(f"deeper than {max_depth}", pos - 1)
        elif token in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return pos
        elif token == b'"':
            pos = string_end(text, found.start())


def value_end(text: bytes, at: int) -> int:
    """Where the value that begins at `at` ends; of valid JSON."""
    first = text[at : at + 1]
    if first == b'"':
        return string_end(text, at)
    if first in (b"{", b"["):
        return _nested_end(text, at)
    found = _SCALAR.match(text, at)
    if found is None:
        _wrong("not JSON: a value was expected", at)
    return found.end()


def _skip_space(text: bytes, pos: int) -> int:
    found = _SPACE.match(text, pos)
    assert found is not None  # the pattern matches the empty string
    return found.end()


class Member(NamedTuple):
    """Where a member of an object stands in its text."""

    name: bytes  # as spelled, with its quotes
    start: int
    value_start: int
    end: int


def member_places(text: bytes) -> Iterator[Member]:
    """The members of an object (valid JSON), in order."""
    pos = _skip_space(text, _skip_space(text, 0) + 1)
    while text[pos : pos + 1] not in (b"}", b""):
        name_end = string_end(text, pos)
        value_start = _skip_space(text, _skip_space(text, name_end) + 1)
        end = value_end(text, value_start)
        yield Member(text[pos:name_end], pos, value_start, end)
        pos = _skip_space(text, end)
        if text[pos : pos + 1] == b",":
            pos = _skip_space(text, pos + 1)


def members(text: bytes) -> list[tuple[bytes, bytes]]:
    """The same as (name with its quotes, value), as spelled."""
    return [(one.name, text[one.value_start : one.end]) for one in member_places(text)]


def elements(text: bytes) -> list[bytes]:
    """The elements of an array (valid JSON), each as it is spelled."""
    found = []
    pos = _skip_space(text, _skip_space(text, 0) + 1)
    while text[pos : pos + 1] not in (b"]", b""):
        end = value_end(text, pos)
        found.append(text[pos:end])
        pos = _skip_space(text, end)
        if text[pos : pos + 1] == b",":
            pos = _skip_space(text, pos + 1)
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# `parse_int=float`: Python bars integers of more than 4,300 digits, JSON doesn't.
_decoder = json.JSONDecoder(parse_constant=_no_constant, parse_int=float)


def check_json(text: bytes, max_depth: int) -> None:
    """ValueError unless `text` is one JSON value in strict UTF-8, at most so deep."""
    text.decode("utf-8")
    load_json(text, max_depth)


def may_surprise(text: bytes, depth: int) -> bool:
    """Whether `text`, JSON, may hold a null, or may nest deeper than `depth`. False is sure, True is a guess."""
    return b"null" in text or text.count(b"{") + text.count(b"[") > depth


def load_json(text: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """The value of `text`, numbers as floats; rely on nothing but ASCII in its strings.

    ValueError where it isn't JSON. UTF-8 is not judged: of a sealed line nothing promises it.
    """
    # The parser below recurses: what is too deep must not get there.
    if text.count(b"{") + text.count(b"[") > max_depth:
        _check_depth(text, max_depth)
    return _decoder.decode(text.decode("latin-1"))


def _check_depth(text: bytes, max_depth: int) -> None:
    pos = _skip_space(text, 0)
    if text[pos : pos + 1] in (b"{", b"["):
        _nested_end(text, pos, max_depth)


def object_members(text: bytes) -> dict[bytes, bytes]:
    """The members of what must be an object; of doubled ones the last. ValueError else."""
    if not isinstance(load_json(text), dict):
        raise ValueError("not an object")
    return dict(members(text))
