"""A conversation is stored once: what requests share is told apart here, and put back.

Works on raw slices. Messages that requests share are shared in memory too.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Union

from agenttrace._pure import words
from agenttrace._pure.checksum import as_bytes
from agenttrace._pure.jsontext import elements, member_places, members, object_members
from agenttrace._pure.line import (
    FORMAT_VERSION,
    MAX_LINE_BYTES,
    SEAL_BYTES,
    Line,
    Malformed,
    crc_of,
    data_of,
    parse_line,
    seal_open,
    without_lf,
)
from agenttrace._pure.requests import Base, Window, read_base
from agenttrace.errors import TraceFormatError

LEAST_SHARED_BYTES = 256
_SPACE = b" \t"

# A member's value: the elements of an array, or anything else as it is spelled.
Value = Union[bytes, list[bytes]]


# An expanded request: its members by their names, in order.
Request = dict[bytes, Value]


def split_request(text: bytes) -> Request:
    """A `request`, an object of valid JSON -> its members; of doubled ones the last."""
    request: Request = {}
    for name, value in members(text):
        request.pop(name, None)
        request[name] = elements(value) if value[:1] == b"[" else value
    return request


def spell(value: Value) -> bytes:
    """A member's value as it is written."""
    return value if isinstance(value, bytes) else b"[" + b",".join(value) + b"]"


def spell_object(request: Request) -> bytes:
    """A request as it is written."""
    return b"{" + b",".join(name + b":" + spell(v) for name, v in request.items()) + b"}"


def value_length(value: Value) -> int:
    """`len(spell(…))` without making it."""
    if isinstance(value, bytes):
        return len(value)
    return sum(map(len, value)) + max(len(value) - 1, 0) + 2


def _object_length(request: Request) -> int:
    inner = sum(len(name) + 2 + value_length(value) for name, value in request.items())
    return max(inner - 1, 0) + 2


def _common(ours: list[bytes], theirs: list[bytes]) -> int:
    """How many first elements are equal."""
    count = 0
    for mine, other in zip(ours, theirs):
        if mine is not other and mine != other:
            break
        count += 1
    return count


class Shared(NamedTuple):
    """What a request can leave out on some base."""

    same: list[bytes]
    prefix: dict[bytes, int]
    saved_bytes: int


def shared_with(whole: Request, below: Request) -> Shared:
    """What of `whole` stands in `below` already. Nothing under 256 bytes is left out."""
    same: list[bytes] = []
    prefix: dict[bytes, int] = {}
    saved = 0
    for name, value in whole.items():
        other = below.get(name)
        if other is None:
            continue
        if value == other:
            length = value_length(value)
            if length >= LEAST_SHARED_BYTES:
                same.append(name)
                saved += length
        elif isinstance(value, list) and isinstance(other, list):
            count = _common(value, other)
            length = value_length(value[:count]) - 2
            if length >= LEAST_SHARED_BYTES:
                prefix[name] = count
                saved += length
    return Shared(same, prefix, saved)


def without(whole: Request, shared: Shared) -> Request:
    """`whole` with nothing left of what is shared."""
    return {
        name: value[shared.prefix.get(name, 0) :] if isinstance(value, list) else value
        for name, value in whole.items()
        if name not in shared.same
    }


def share(whole: Request, below: Request) -> None:
    """Lets `whole` hold `below`'s objects where they are equal: less memory, quicker to compare."""
    for name, value in whole.items():
        other = below.get(name)
        if isinstance(value, list) and isinstance(other, list):
            count = _common(value, other)
            value[:count] = other[:count]
        elif other is not None and value == other:
            whole[name] = other


def expand(own: Request, base: Base, below: Request) -> Optional[Request]:
    """The expanded request; None where `base` does not fit."""
    whole = dict(own)
    for name, count in base.prefix:
        mine, other = own.get(name), below.get(name)
        if not isinstance(mine, list) or not isinstance(other, list) or count > len(other):
            return None
        whole[name] = other[:count] + mine
    for name in base.same:
        if name in whole or name not in below:
            return None
        whole[name] = below[name]
    return whole


class Conversations:
    """Expands `llm_request` lines that hold only what is new. Feed it each good line in order."""

    def __init__(self, *, check_seal: bool = True, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._check_seal = check_seal
        self._limit = max_line_bytes
        self._traces: dict[str, Window[Request]] = {}

    def expand(self, line: bytes) -> bytes:
        """The line, or the same event with the whole `request` and without `base`.

        TraceFormatError where the base is missing or bad, or the result too long.
        """
        line = as_bytes(line)
        # Most lines are none, and are not parsed.
        if b"llm_request" not in line:
            return line
        body = without_lf(line)
        try:
            parsed = parse_line(body)
        except Malformed as error:
            raise TraceFormatError(str(error)) from None
        if parsed.kind != "llm_request" or parsed.v != FORMAT_VERSION:
            return line
        window = self._traces.setdefault(parsed.trace_id, Window())
        whole: Optional[Request] = None
        try:
            try:
                split = object_members(data_of(body, parsed))
            except ValueError:
                raise TraceFormatError(words.DATA_NOT_JSON) from None
            whole = self._whole(split, window, parsed.seq)
            if b'"base"' not in split or whole is None:
                return line
            return self._spelled(line, body, parsed, whole)
        finally:
            window.push(parsed.seq, f"{crc_of(body, parsed):08x}", whole)

    def _whole(
        self, split: dict[bytes, bytes], window: Window[Request], seq: int
    ) -> Optional[Request]:
        request = split.get(b'"request"', b"")
        own = split_request(request) if request[:1] == b"{" else None
        if b'"base"' not in split:
            latest = window.latest()
            if own is not None and latest is not None:
                share(own, latest)
            return own
        base = read_base(split[b'"base"'])
        if base is None or own is None:
            raise TraceFormatError(f"{words.FINDINGS['bad_base']}: seq {seq}")
        known = window.find(base.seq, base.crc32c if self._check_seal else None)
        if known is None or known.request is None:
            raise TraceFormatError(f"{words.FINDINGS['missing_base']}: seq {base.seq}")
        whole = expand(own, base, known.request)
        if whole is None:
            raise TraceFormatError(f"{words.FINDINGS['bad_base']}: seq {seq}")
        return whole

    def _spelled(self, line: bytes, body: bytes, parsed: Line, whole: Request) -> bytes:
        data = data_of(body, parsed)
        split = dict(members(data))
        length = (
            _object_length(whole) - len(split[b'"request"']) - len(split[b'"base"']) + len(body)
        )
        # The limit is looked at before the text is made; a seal more or less doesn't matter then.
        if length > self._limit + SEAL_BYTES:
            raise TraceFormatError(f"{words.EXPANDED_TOO_LONG}: {self._limit} bytes are allowed")
        start = body[: parsed.data_start] + _with_request(data, spell_object(whole))
        lf = line[len(body) :]
        is_sealed = parsed.stored_crc is not None
        expanded = (seal_open(start)[:-1] if is_sealed else start + body[parsed.data_end :]) + lf
        if len(expanded) > self._limit:
            raise TraceFormatError(f"{words.EXPANDED_TOO_LONG}: {self._limit} bytes are allowed")
        return expanded


def _with_request(data: bytes, request: bytes) -> bytes:
    """`data` with this `request`, without `base`; the rest as it is spelled, white space too."""
    places = {one.name: one for one in member_places(data)}
    old, base = places[b'"request"'], places[b'"base"']
    # The comma that goes is the one before `base`, or behind it where it is the first member.
    comma = len(data[: base.start].rstrip(_SPACE)) - 1
    is_first = data[comma : comma + 1] == b"{"
    gone = (base.start, data.find(b",", base.end) + 1) if is_first else (comma, base.end)
    cuts = sorted([(*gone, b""), (old.value_start, old.end, request)])
    (first, first_end, before), (second, second_end, behind) = cuts
    pieces = (data[:first], before, data[first_end:second], behind, data[second_end:])
    return b"".join(pieces)
