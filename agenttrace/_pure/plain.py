"""A text without its escapes: what rules look at, with the way back to the bytes that were there."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Callable, NamedTuple, Optional

_ANY_DEPTH = re.compile(rb'%[0-9A-Fa-f]{2}|(\\+)(u[0-9A-Fa-f]{4}|["/\'nrtbf])?')
_STRING = re.compile(rb'(\\)(u[0-9A-Fa-f]{4}|["/\'nrtbf\\])')
_LOW = re.compile(rb"\\+u([Dd][C-Fc-f][0-9A-Fa-f]{2})")
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class _Unit(NamedTuple):
    plain_end: int
    raw_end: int
    plain_len: int
    raw_len: int


class Plain:
    """The plain text, and where each of its bytes came from."""

    def __init__(self, raw: bytes) -> None:
        self.bytes = raw
        self._units: list[_Unit] = []
        self._ends: list[int] = []

    @classmethod
    def of_any_depth(cls, raw: bytes) -> Plain:
        """Undoes JSON's escapes at whatever depth and URLs' percent signs; a run of backslashes counts as one."""
        if b"\\" not in raw and b"%" not in raw:
            return cls(raw)
        return cls._built(raw, _ANY_DEPTH, _any_depth)

    @classmethod
    def of_string(cls, raw: bytes) -> Plain:
        """Undoes the escapes of one JSON string (without its quotes) exactly."""
        return cls._built(raw, _STRING, _exact) if b"\\" in raw else cls(raw)

    @classmethod
    def _built(
        cls,
        raw: bytes,
        escapes: re.Pattern[bytes],
        undo: Callable[[bytes, re.Match[bytes]], tuple[bytes, int]],
    ) -> Plain:
        plain = cls(raw)
        parts, copied, length = [], 0, 0
        found = escapes.search(raw)
        while found is not None:
            text, end = undo(raw, found)
            parts += [raw[copied : found.start()], text]
            length += found.start() - copied + len(text)
            plain._units.append(_Unit(length, end, len(text), end - found.start()))
            plain._ends.append(length)
            copied = end
            found = escapes.search(raw, end)
        plain.bytes = b"".join([*parts, raw[copied:]])
        return plain

    def raw_place(self, place: int, is_end: bool) -> int:
        """The raw place of a plain one; inside an escape its start, or its end with `is_end`."""
        following = bisect_right(self._ends, place)
        if following < len(self._units):
            unit = self._units[following]
            if place > unit.plain_end - unit.plain_len:
                return unit.raw_end if is_end else unit.raw_end - unit.raw_len
        if following == 0:
            return place
        last = self._units[following - 1]
        return last.raw_end + place - last.plain_end


def _any_depth(raw: bytes, found: re.Match[bytes]) -> tuple[bytes, int]:
    if found[1] is None:
        return bytes([int(found[0][1:], 16)]), found.end()
    if found[2] is None or (found[2] == b'"' and len(found[1]) % 2 == 0):
        return b"\\", found.end(1)
    return _meant(raw, found, b"\\")


def _exact(raw: bytes, found: re.Match[bytes]) -> tuple[bytes, int]:
    return _meant(raw, found, b"\\")


def _meant(raw: bytes, found: re.Match[bytes], otherwise: bytes) -> tuple[bytes, int]:
    """What the letters behind the backslashes stand for, and where they end."""
    letters = found[2]
    if letters[:1] != b"u":
        return _LETTERS.get(letters, letters), found.end()
    code = int(letters[1:], 16)
    end = found.end()
    if 0xD800 <= code < 0xE000:
        low: Optional[re.Match[bytes]] = _LOW.match(raw, end) if code < 0xDC00 else None
        if low is None:
            return otherwise, found.end(1)
        code = 0x10000 + ((code - 0xD800) << 10) + int(low[1], 16) - 0xDC00
        end = low.end()
    return chr(code).encode("utf-8"), end
