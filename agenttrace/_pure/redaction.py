"""Puts placeholders where secrets were, in the JSON text of an event's data.

As the core does it, with Python's `re`: the rules of the project are fit for it. The user's patterns are literals
here: a backtracking engine could be held up by one.
"""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from agenttrace._pure.plain import Plain
from agenttrace._pure.selection import literal

_HELD_LIMIT_BYTES = 4096
_LEAST_HELD_BYTES = 4
_KEY_LIMIT_BYTES = 1024
_NAME_LIMIT_BYTES = 64
# What is longer is tried only when so much of it matches: many beginnings in a row must not cost their square.
_FIRST_TRIED_BYTES = 16 << 10
_CLOSING_LIMIT_BYTES = 64 << 10
_PLACEHOLDER = b"[redacted:"
_PLACEHOLDERS = re.compile(rb"\[redacted:[^\]]{0,200}\]")
_STRINGS = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_NUMBER = re.compile(rb"[0-9+\-.eE]*\Z")
_NAME_END = re.compile(rb"[A-Za-z0-9_\-]*\Z")
_VARIABLE = re.compile(rb"[A-Z0-9_]*[A-Z]\Z")
_QUOTE = re.compile(rb'(?<!\\)(\\*)(")')
_BASE64 = re.compile(rb'\{"base64":"([A-Za-z0-9+/=]*)"\}')
# A shape, and what stands behind a name, that the text's end may cut.
_SHAPE_GOES_ON = re.compile(rb"(?:[Bb]earer |BEARER )?[^\s\"'<>]*\Z|-----BEGIN[^\"]*\Z")
_NAME_GOES_ON = re.compile(rb"[\"']?\s*[:=,]?\s*[\"']?[^\"'\r\n]*\Z")

Shape = tuple[str, Sequence[str], str]
Named = tuple[str, Sequence[str], Sequence[str], str]
# (rule, start, end, whether a group of the expression)
_Match = tuple[str, int, int, bool]


class _Span(NamedTuple):
    start: int
    end: int
    name: str
    is_bare: bool = False


class _Shapes:
    """Expressions that are tried where their beginnings stand."""

    def __init__(self, rules: Sequence[Shape]) -> None:
        self._rules: dict[bytes, list[tuple[str, re.Pattern[bytes]]]] = {}
        for name, starts, pattern in rules:
            compiled = _compiled(name, pattern)
            for start in starts:
                self._rules.setdefault(start.encode("utf-8"), []).append((name, compiled))
        self._letters = re.compile(b"|".join(map(re.escape, self._rules)))
        # As the end of a text may cut them, the longest first; one of three letters is whole.
        cuts = {start[:length] for start in self._rules for length in range(3, max(len(start), 4))}
        self._cuts = tuple(sorted(cuts, key=len, reverse=True))

    def cut(self, text: bytes) -> list[int]:
        """Where the beginning of a rule's beginning stands that the text's end cuts, if there is one."""
        return [len(text) - len(cut) for cut in self._cuts if text.endswith(cut)][:1]

    def hits(self, text: bytes) -> Iterator[tuple[int, list[_Match]]]:
        """(where a rule's beginning stands, what the first that matches there found)."""
        if not self._rules:
            return
        start = 0
        while (hit := self._letters.search(text, start)) is not None:
            start = hit.start() + 1
            tried = (_tried(rule, text, hit.start()) for rule in self._rules[hit[0]])
            found = next(([one] for one in tried if one is not None), [])
            yield hit.start(), found
            start = max([start, *(one[2] for one in found)])


class _Named:
    """Expressions that are tried behind names."""

    def __init__(self, rules: Sequence[Named]) -> None:
        self._rules = [
            (name, tuple(one.encode("utf-8") for one in before), _compiled(name, behind))
            for name, before, _, behind in rules
        ]
        self._whole: dict[bytes, list[int]] = {}
        self._ends: list[tuple[bytes, int]] = []
        for number, (_, _, names, _) in enumerate(rules):
            for spelled in names:
                name = spelled.encode("utf-8")
                if name.startswith(b"*"):
                    self._ends.append((name[1:], number))
                else:
                    self._whole.setdefault(name, []).append(number)
        ends = {name[-3:] for name in self._whole} | {end[-3:].lower() for end, _ in self._ends}
        letters = b"|".join(map(re.escape, sorted(ends)))
        self._letters = re.compile(rb"(?i:%s)(?=[\"'=:])" % letters)

    def hits(self, text: bytes) -> Iterator[tuple[int, int, list[_Match]]]:
        """(where a name begins, and ends, what the first that matches behind it found)."""
        if not self._rules:
            return
        start = 0
        while (hit := self._letters.search(text, start)) is not None:
            start = hit.start() + 1
            first, numbers = self._of_name(text, hit.end())
            if numbers:
                rules = ((self._rules[one][0], self._rules[one][2]) for one in numbers)
                tried = (_tried(rule, text, hit.end()) for rule in rules)
                found = next(([one] for one in tried if one is not None), [])
                yield first, hit.end(), found
                start = max([start, *(one[2] for one in found)])

    def _of_name(self, text: bytes, end: int) -> tuple[int, list[int]]:
        found = _NAME_END.search(text[max(0, end - _NAME_LIMIT_BYTES) : end])
        bare = found[0].lstrip(b"-") if found else b""
        start = end - len(bare)
        numbers = list(self._whole.get(bare.replace(b"_", b"").replace(b"-", b"").lower(), ()))
        if b"-" in bare:
            numbers += self._whole.get(bare.lower(), ())
        if _VARIABLE.match(bare):
            numbers += [number for ending, number in self._ends if bare.endswith(ending)]
        ahead = text[max(0, start - 8) : start]
        fits = (one for one in sorted(numbers) if ahead.endswith(self._rules[one][1] or (b"",)))
        return start, list(fits)


def _tried(rule: tuple[str, re.Pattern[bytes]], text: bytes, place: int) -> Optional[_Match]:
    name, pattern = rule
    limit = place + _FIRST_TRIED_BYTES
    found = pattern.match(text, place, limit)
    if found is not None and found.end() == limit:
        found = pattern.match(text, place)
    if found is None:
        return None
    group = 1 if pattern.groups and found[1] is not None else 0
    start, end = found.span(group)
    if start == end or text.startswith(_PLACEHOLDER, start):
        return None
    return name, start, end, bool(group)


class Redactor:
    """Rules: see the contract, `_native.pyi`."""

    def __init__(
        self,
        values: Sequence[tuple[str, bytes]],
        shapes: Sequence[Shape],
        named: Sequence[Named],
        patterns: Sequence[tuple[str, str]],
    ) -> None:
        plain = [(name, Plain.of_any_depth(value).bytes) for name, value in values]
        self._values = sorted((one for one in plain if one[1]), key=lambda one: -len(one[1]))
        self._names = dict(reversed([(value, name) for name, value in self._values]))
        self._value = re.compile(b"|".join(re.escape(value) for _, value in self._values))
        self._shapes = _Shapes(shapes)
        self._named = _Named(named)
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
        data, in_base64 = self._cleaned_base64(data)
        spans = _in_json(data, sorted(self._known(data), key=lambda span: span.start))
        if self._patterns:
            for string in _STRINGS.finditer(data):
                plain = Plain.of_string(string[1])
                spans += self._asked_for(plain, string.start(1))
        spans = _merged(spans)
        return (_replaced(data, spans) if spans else data), len(spans) + in_base64

    def spans(self, text: bytes) -> list[tuple[int, int, str]]:
        """(start, end, name) of each secret of a text that is not JSON as a whole."""
        spans = [*self._known(text), *self._asked_for(Plain(text), 0)]
        return [span[:3] for span in _merged(spans)]

    def held(self, text: bytes) -> int:
        """How many of the last bytes may be the beginning of a secret that goes on in the next piece."""
        window = text[-_HELD_LIMIT_BYTES:]
        plain = Plain.of_any_depth(window)
        shapes = (start for start, _ in self._shapes.hits(plain.bytes))
        starts = [start for start in shapes if _SHAPE_GOES_ON.match(plain.bytes, start)]
        starts += self._shapes.cut(plain.bytes)
        names = ((start, end) for start, end, _ in self._named.hits(plain.bytes))
        starts += [
            max(0, start - 1) for start, end in names if _NAME_GOES_ON.match(plain.bytes, end)
        ]
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
        if first == 0 and len(text) > len(window):
            return 0
        first += len(text) - len(window)
        # A secret that ends in what another may begin with is not cut.
        whole = (start for start, end, _ in self.spans(text) if start < first < end)
        held = len(text) - next(whole, first)
        return held if held <= _HELD_LIMIT_BYTES else 0

    def _known(self, raw: bytes) -> list[_Span]:
        plain = Plain.of_any_depth(raw)
        spans = []
        if self._values:
            for found in self._value.finditer(plain.bytes):
                spans.append(_span(plain, found.start(), found.end(), self._names[found[0]]))
        shaped = (one for _, found in self._shapes.hits(plain.bytes) for one in found)
        named = (one for _, _, found in self._named.hits(plain.bytes) for one in found)
        for matches in (shaped, named):
            spans += [_raw_span(raw, plain, one) for one in matches]
        return spans

    def _cleaned_base64(self, data: bytes) -> tuple[bytes, int]:
        """Bytes that are no text."""
        count = 0

        def cleaned(found: re.Match[bytes]) -> bytes:
            nonlocal count
            try:
                raw = base64.b64decode(found[1], validate=True)
            except binascii.Error:
                return found[0]
            spans = _merged([*self._known(raw), *self._asked_for(Plain(raw), 0)])
            if not spans:
                return found[0]
            count += len(spans)
            return b'{"base64":"%s"}' % base64.b64encode(_replaced(raw, spans))

        text = _BASE64.sub(cleaned, data) if b'{"base64":"' in data else data
        return (text, count) if count else (data, 0)

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


def _raw_span(raw: bytes, plain: Plain, found: _Match) -> _Span:
    name, start, end, is_group = found
    span = _span(plain, start, end, name)
    if is_group and plain.bytes[start - 1 : start] == b'"':
        return span._replace(end=_closing_quote(raw, span.start - 1, span.end))
    return span


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


def _in_json(data: bytes, spans: list[_Span]) -> list[_Span]:
    """Those (by their place) that can be taken out of JSON text: they lie in one string, or are a whole number."""
    kept = []
    strings = _STRINGS.finditer(data)
    string = next(strings, None)
    for span in spans:
        secret = data[span.start : span.end]
        quotes = (span.start + quote.start(2) for quote in _QUOTE.finditer(secret))
        if any(_backslashes_before(data, quote) % 2 == 0 for quote in quotes):
            continue
        if _NUMBER.match(secret):
            while string is not None and string.end() <= span.start:
                string = next(strings, None)
            if string is None or string.start() >= span.start:
                around = data[span.start - 1 : span.start], data[span.end : span.end + 1]
                if around[0] not in b":,[" or around[1] not in b",]}":
                    continue
                span = span._replace(is_bare=True)
        kept.append(span)
    return kept


def _backslashes_before(data: bytes, place: int) -> int:
    start = place
    while start and data[start - 1] == 0x5C:
        start -= 1
    return place - start


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
    limit = max(start - 1, opening + 1) + _CLOSING_LIMIT_BYTES
    quote = _QUOTE.search(raw, max(start - 1, opening + 1), limit)
    while quote is not None:
        run = len(quote[1])
        if run < depth or (run - depth) % (2 * (depth + 1)) == 0:
            return max(quote.start(2) - min(run, depth), start)
        quote = _QUOTE.search(raw, quote.end(), limit)
    return start


def _outside(taken: list[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    first = max(0, bisect_right(taken, (start, start)) - 1)
    for taken_start, taken_end in taken[first:]:
        if taken_start >= end:
            break
        if taken_end > start:
            if start < taken_start:
                yield start, taken_start
            start = taken_end
    if start < end:
        yield start, end
