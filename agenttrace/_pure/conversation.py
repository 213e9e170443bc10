"""A conversation is stored once: shortens `llm_request`s to what is new, and expands them again.

Works on raw slices. Messages that requests share are shared in memory too.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple, Optional, Union

from agenttrace._pure import words
from agenttrace._pure.jsontext import MAX_DEPTH, check_json, elements, load_json, members
from agenttrace._pure.line import (
    FORMAT_VERSION,
    MAX_LINE_BYTES,
    Line,
    Malformed,
    data_of,
    parse_good_line,
    seal_open,
)
from agenttrace._pure.requests import REACH, Base, read_base
from agenttrace.errors import TraceFormatError

LEAST_SHARED_BYTES = 256
# The member `base`'s own name, colon and comma: the first, cheap look at the limit needn't be exact.
_SLACK_BYTES = 16

# A member's value: the elements of an array, or anything else as it is spelled.
Value = Union[bytes, list[bytes]]


class Request(NamedTuple):
    """An expanded request: its members by their names (with quotes, compact), in order."""

    members: dict[bytes, Value]


def split_request(text: bytes) -> Optional[Request]:
    """A `request` (valid JSON) -> its members; None if it is no object or doubles a name."""
    if text[:1] != b"{":
        return None
    pairs = members(text)
    split: dict[bytes, Value] = {
        name: elements(value) if value[:1] == b"[" else value for name, value in pairs
    }
    return Request(split) if len(split) == len(pairs) else None


def spell(value: Value) -> bytes:
    """A member's value as it is written."""
    return value if isinstance(value, bytes) else b"[" + b",".join(value) + b"]"


def spell_object(pairs: dict[bytes, Value]) -> bytes:
    """An object as it is written."""
    return b"{" + b",".join(name + b":" + spell(v) for name, v in pairs.items()) + b"}"


def _length(value: Value) -> int:
    if isinstance(value, bytes):
        return len(value)
    return sum(map(len, value)) + max(len(value) - 1, 0) + 2


def object_length(request: Request) -> int:
    """`len(spell_object(…))` without making it."""
    pairs = request.members
    inner = sum(len(name) + 1 + _length(value) for name, value in pairs.items())
    return inner + max(len(pairs) - 1, 0) + 2


def _common(ours: list[bytes], theirs: list[bytes]) -> int:
    """How many first elements are equal."""
    count = 0
    for mine, other in zip(ours, theirs):
        if mine is not other and mine != other:
            break
        count += 1
    return count


class Shortened(NamedTuple):
    """A request against one base: what is left to write, and what `base` says beside the seal."""

    left: Request
    same: list[bytes]
    prefix: dict[bytes, int]


def shorten(whole: Request, below: Request) -> Optional[Shortened]:
    """`whole` without what `below` holds already; None where that is nothing."""
    left: dict[bytes, Value] = {}
    same: list[bytes] = []
    prefix: dict[bytes, int] = {}
    for name, value in whole.members.items():
        other = below.members.get(name)
        if other is not None and _length(value) >= LEAST_SHARED_BYTES and value == other:
            same.append(name)
            continue
        left[name] = value
        if isinstance(value, list) and isinstance(other, list):
            count = _common(value, other)
            if count and _length(value[:count]) - 2 >= LEAST_SHARED_BYTES:
                prefix[name] = count
                left[name] = value[count:]
    if not same and not prefix:
        return None
    return Shortened(Request(left), same, prefix)


def share(whole: Request, below: Request) -> None:
    """Lets `whole` hold `below`'s objects where they are equal: the memory, and quick to compare."""
    for name, value in whole.members.items():
        other = below.members.get(name)
        if isinstance(value, list) and isinstance(other, list):
            count = _common(value, other)
            value[:count] = other[:count]
        elif other is not None and value == other:
            whole.members[name] = other


def expand(own: Request, base: Base, below: Request) -> Optional[Request]:
    """The expanded request; None where `base` does not fit."""
    names = {_name(name): name for name in below.members}
    own_names = {_name(name): name for name in own.members}
    whole = dict(own.members)
    for text, count in base.prefix.items():
        mine = own.members.get(own_names.get(text, b""))
        other = below.members.get(names.get(text, b""))
        if not isinstance(mine, list) or not isinstance(other, list) or count > len(other):
            return None
        whole[own_names[text]] = other[:count] + mine
    for text in base.same:
        if text in own_names or text not in names:
            return None
        own_names[text] = names[text]
        whole[names[text]] = below.members[names[text]]
    return Request(whole)


def _name(quoted: bytes) -> str:
    return str(load_json(quoted)) if b"\\" in quoted else quoted[1:-1].decode()


class _Known(NamedTuple):
    crc: str
    request: Optional[Request]


class Conversations:
    """Expands `llm_request` lines that hold only what is new. Feed it each good line in order."""

    def __init__(self, *, check_seal: bool = True, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._check_seal = check_seal
        self._limit = max_line_bytes
        self._traces: dict[str, OrderedDict[int, _Known]] = {}

    def expand(self, line: bytes) -> bytes:
        """The line, or the same event with the whole `request` and without `base`.

        TraceFormatError where the base is missing or bad, or the result too long.
        """
        # Most lines are none, and are not parsed.
        if b"llm_request" not in line:
            return line
        body = bytes(line[:-1] if line[-1:] == b"\n" else line)
        try:
            parsed = parse_good_line(body)
        except Malformed as error:
            raise TraceFormatError(str(error)) from None
        if parsed.kind != "llm_request" or parsed.v != FORMAT_VERSION:
            return line
        return self._expand_request(bytes(line), body, parsed)

    def _expand_request(self, line: bytes, body: bytes, parsed: Line) -> bytes:
        known = self._traces.setdefault(parsed.trace_id, OrderedDict())
        data = data_of(body, parsed)
        whole: Optional[Request] = None
        try:
            check_json(data, MAX_DEPTH)
            split = dict(members(data))
            own = split_request(split.get(b'"request"', b""))
            if b'"base"' not in split:
                whole = own
                return line
            whole = self._whole(own, split[b'"base"'], known, parsed.seq)
            return self._spelled(line, body, parsed, split, whole)
        except ValueError:
            # Nothing promises that sealed data is JSON: no request to be seen in it then.
            return line
        finally:
            _remember(known, parsed, whole)

    def _whole(
        self, own: Optional[Request], raw: bytes, known: OrderedDict[int, _Known], seq: int
    ) -> Request:
        base = read_base(load_json(raw))
        if base is None:
            raise TraceFormatError(f"{words.FINDINGS['bad_base']}: seq {seq}")
        below = known.get(base.seq)
        if below is None or (self._check_seal and below.crc != base.crc32c):
            raise TraceFormatError(f"{words.FINDINGS['missing_base']}: seq {base.seq}")
        if below.request is None:
            raise TraceFormatError(f"{words.FINDINGS['missing_base']}: seq {base.seq}")
        whole = expand(own, base, below.request) if own is not None else None
        if whole is None:
            raise TraceFormatError(f"{words.FINDINGS['bad_base']}: seq {seq}")
        return whole

    def _spelled(
        self, line: bytes, body: bytes, parsed: Line, data: dict[bytes, bytes], whole: Request
    ) -> bytes:
        rest: dict[bytes, Value] = {name: v for name, v in data.items() if name != b'"base"'}
        request_bytes = object_length(whole)
        others = len(body) + 1 - len(data[b'"request"'])
        if others - len(data[b'"base"']) + request_bytes > self._limit + _SLACK_BYTES:
            raise TraceFormatError(words.EXPANDED_TOO_LONG)
        rest[b'"request"'] = spell_object(whole.members)
        start = body[: parsed.data_start] + spell_object(rest)
        if parsed.stored_crc is not None:
            expanded = seal_open(start)
        else:
            expanded = start + body[parsed.data_end :] + b"\n"
        if len(expanded) > self._limit:
            raise TraceFormatError(words.EXPANDED_TOO_LONG)
        return expanded if line[-1:] == b"\n" else expanded[:-1]


def _remember(known: OrderedDict[int, _Known], line: Line, whole: Optional[Request]) -> None:
    if whole is not None and known:
        nearest = next(reversed(known.values())).request
        if nearest is not None:
            share(whole, nearest)
    known.pop(line.seq, None)
    known[line.seq] = _Known("%08x" % line.crc, whole)
    if len(known) > REACH:
        known.popitem(last=False)
