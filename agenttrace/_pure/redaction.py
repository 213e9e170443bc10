"""Puts placeholders where secrets were, in the JSON text of an event's data.

As the core does it, with Python's `re`: the rules of the project are fit for it. The user's patterns are literals
here: a backtracking engine could be held up by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, Optional

from agenttrace._pure.plain import Plain
from agenttrace._pure.selection import literal

_HELD_LIMIT_BYTES = 4096
_LEAST_HELD_BYTES = 4
_KEY_LIMIT_BYTES = 1024
_NAME_LIMIT_BYTES = 64
_PLACEHOLDER = b"[redacted:"
_PLACEHOLDERS = re.compile(rb"\[redacted:[^\]]*\]")
_STRINGS = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_NUMBER = re.compile(rb"[0-9+\-.eE]*\Z")
_NAME_END = re.compile(rb"[A-Za-z0-9_\-]*\Z")
_QUOTE = re.compile(rb'(\\*)(")')

Group = tuple[list[str], list[tuple[str, str]]]


class _Span(NamedTuple):
    start: int
    end: int
    name: str
    is_bare: bool = False


class _Shapes:
    """Expressions that are tried where some letters stand."""

    def __init__(self, group: Group) -> None:
        letters, rules = group
        self._letters = re.compile("|".join(map(re.escape, letters)).encode("utf-8"))
        self._rules = [(name, _compiled(name, pattern)) for name, pattern in rules]

    def find(self, raw: bytes, plain: Plain, is_named: bool) -> Iterator[_Span]:
        if not self._rules:
            return
        text, start = plain.bytes, 0
        hit = self._letters.search(text)
        while hit is not None:
            start = hit.start() + 1
            for place in _around_name(text, hit.start()) if is_named else [hit.start()]:
                found = self._first(text, place)
                if found is not None:
                    name, first, end, is_group = found
                    span = _span(plain, first, end, name)
                    if is_group and text[first - 1 : first] == b'"':
                        span = span._replace(end=_closing_quote(raw, span.start - 1, span.end))
                    start = max(start, end)
                    yield span
                    break
            hit = self._letters.search(text, start)

    def _first(self, text: bytes, place: int) -> Optional[tuple[str, int, int, bool]]:
        for name, pattern in self._rules:
            found = pattern.match(text, place)
            if found is not None:
                group = 1 if pattern.groups and found[1] is not None else 0
                start, end = found.span(group)
                if start == end or text.startswith(_PLACEHOLDER, start):
                    return None
                return name, start, end, bool(group)
        return None


class Redactor:
    """Rules: see the contract, `_native.pyi`."""

    def __init__(
        self,
        values: list[tuple[str, bytes]],
        shapes: Group,
        named: Group,
        patterns: list[tuple[str, str]],
        beginning: str,
    ) -> None:
        plain = [(name, Plain.of_any_depth(value).bytes) for name, value in values]
        self._values = sorted((one for one in plain if one[1]), key=lambda one: -len(one[1]))
        self._names = dict(reversed([(value, name) for name, value in self._values]))
        self._value = re.compile(b"|".join(re.escape(value) for _, value in self._values))
        self._shapes = _Shapes(shapes)
        self._named = _Shapes(named)
        self._beginning = _compiled("beginning", f"(?:{beginning})\\Z") if beginning else None
        self._patterns = []
        for name, pattern in patterns:
            try:
                text = literal(pattern)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            if text:
                self._patterns.append((name, re.compile(re.escape(text))))

    def clean(self, data: bytes) -> tuple[bytes, int]:
        """(The data with placeholders, how many); the same object where nothing matched."""
        found = [_in_json(data, span) for span in self._known(data)]
        spans = [span for span in found if span is not None]
        if self._patterns:
            for string in _STRINGS.finditer(data):
                plain = Plain.of_string(string[1])
                spans += self._asked_for(plain, string.start(1))
        spans = _merged(spans)
        return (_replaced(data, spans), len(spans)) if spans else (data, 0)

    def spans(self, text: bytes) -> list[tuple[int, int, str]]:
        """(start, end, name) of each secret of a text that is not JSON as a whole."""
        spans = [*self._known(text), *self._asked_for(Plain(text), 0)]
        return [span[:3] for span in _merged(spans)]

    def held(self, text: bytes) -> int:
        """How many of the last bytes may be the beginning of a secret that goes on in the next piece."""
        window = text[-_HELD_LIMIT_BYTES:]
        plain = Plain.of_any_depth(window)
        shape = self._beginning.search(plain.bytes) if self._beginning else None
        starts = [shape.start()] if shape else []
        longest = max((len(value) for _, value in self._values), default=0)
        length = len(plain.bytes)
        for start in range(max(0, length - longest), length - _LEAST_HELD_BYTES + 1):
            tail = plain.bytes[start:]
            if any(len(value) > len(tail) and value.startswith(tail) for _, value in self._values):
                starts.append(start)
                break
        if not starts:
            return 0
        first = plain.raw_place(min(starts), False)
        return 0 if first == 0 and len(text) > len(window) else len(window) - first

    def _known(self, raw: bytes) -> list[_Span]:
        plain = Plain.of_any_depth(raw)
        spans = []
        if self._values:
            for found in self._value.finditer(plain.bytes):
                spans.append(_span(plain, found.start(), found.end(), self._names[found[0]]))
        spans += self._shapes.find(raw, plain, False)
        spans += self._named.find(raw, plain, True)
        return spans

    def _asked_for(self, plain: Plain, offset: int) -> list[_Span]:
        spans = []
        taken = [found.span() for found in _PLACEHOLDERS.finditer(plain.bytes)]
        for name, pattern in self._patterns:
            for found in pattern.finditer(plain.bytes):
                for start, end in _outside(taken, *found.span()):
                    span = _span(plain, start, end, name)
                    spans.append(_Span(offset + span.start, offset + span.end, name))
        return spans


def _compiled(name: str, pattern: str) -> re.Pattern[bytes]:
    try:
        return re.compile(pattern.encode("utf-8"))
    except re.error as error:
        raise ValueError(f"{name}: {error}") from None


def _span(plain: Plain, start: int, end: int, name: str) -> _Span:
    return _Span(plain.raw_place(start, False), plain.raw_place(end, True), name)


def _around_name(text: bytes, hit: int) -> list[int]:
    found = _NAME_END.search(text[max(0, hit - _NAME_LIMIT_BYTES) : hit])
    start = hit - (len(found[0]) if found else 0)
    return [start - 1, start] if start else [start]


def _merged(spans: list[_Span]) -> list[_Span]:
    merged: list[_Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if merged and span.start < merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def _replaced(data: bytes, spans: list[_Span]) -> bytes:
    parts, copied = [], 0
    keys: dict[str, int] = {}
    for span in spans:
        number = ""
        if _is_in_key(data, span.end):
            keys[span.name] = keys.get(span.name, 0) + 1
            number = f"-{keys[span.name]}" if keys[span.name] > 1 else ""
        quote = '"' if span.is_bare else ""
        text = f"{quote}[redacted:{span.name}{number}]{quote}"
        parts += [data[copied : span.start], text.encode("utf-8")]
        copied = span.end
    return b"".join([*parts, data[copied:]])


def _in_json(data: bytes, span: _Span) -> Optional[_Span]:
    """The span if it can be taken out of JSON text: it lies in one string, or is a whole number."""
    secret = data[span.start : span.end]
    for quote in _QUOTE.finditer(secret):
        if _backslashes_before(data, span.start + quote.start(2)) % 2 == 0:
            return None
    if _NUMBER.match(secret) and not _is_in_string(data, span.start):
        around = data[span.start - 1 : span.start], data[span.end : span.end + 1]
        return span._replace(is_bare=True) if around[0] in b":,[" and around[1] in b",]}" else None
    return span


def _is_in_string(data: bytes, place: int) -> bool:
    for string in _STRINGS.finditer(data):
        if string.end() > place:
            return string.start() < place
    return False


def _backslashes_before(data: bytes, place: int) -> int:
    return place - len(data[:place].rstrip(b"\\"))


def _is_in_key(data: bytes, place: int) -> bool:
    end = place
    limit = min(len(data), place + _KEY_LIMIT_BYTES)
    while end < limit:
        if data[end : end + 1] == b'"':
            return data[end + 1 : end + 2] == b":"
        end += 2 if data[end : end + 1] == b"\\" else 1
    return False


def _closing_quote(raw: bytes, opening: int, start: int) -> int:
    """Where a string that begins with the quote at `opening` ends, at whatever depth; not before `start`."""
    if raw[opening : opening + 1] != b'"':
        return start
    depth = _backslashes_before(raw, opening)
    quote = _QUOTE.search(raw, max(start - 1, opening + 1))
    while quote is not None:
        run = len(quote[1])
        if run < depth or (run - depth) % (2 * (depth + 1)) == 0:
            return max(quote.start(2) - min(run, depth), start)
        quote = _QUOTE.search(raw, quote.end())
    return start


def _outside(taken: list[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    for taken_start, taken_end in taken:
        if taken_end > start and taken_start < end:
            if start < taken_start:
                yield start, taken_start
            start = taken_end
    if start < end:
        yield start, end
