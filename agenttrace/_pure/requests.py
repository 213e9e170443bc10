"""`base`: which earlier request of a conversation a shorter one builds on, and whether it fits.

Keeps shapes (names, lengths), not messages; the messages are conversation.py's. Names are
compared as they are spelled, quotes included.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Generic, NamedTuple, Optional, TypeVar

from agenttrace._pure.jsontext import elements, members, object_members

REACH = 64
_MAX_INTEGER = 2**53
_COUNT = re.compile(rb"(?:0|[1-9][0-9]{0,15})\Z")
_HEX = re.compile(rb'"([0-9a-f]{8})"\Z')

T = TypeVar("T")


class Known(Generic[T]):
    """An `llm_request`; `request` is None where it isn't known (in `body`, or its base missing)."""

    __slots__ = ("crc", "request", "seq")

    def __init__(self, seq: int, crc: str, request: Optional[T]) -> None:
        self.seq = seq
        self.crc = crc
        self.request = request


class Window(Generic[T]):
    """The last 64 `llm_request`s of one trace."""

    def __init__(self) -> None:
        self._known: deque[Known[T]] = deque(maxlen=REACH)

    def push(self, seq: int, crc: str, request: Optional[T]) -> None:
        """The next one, in file order."""
        self._known.append(Known(seq, crc, request))

    def nearest_first(self) -> list[Known[T]]:
        """All of them, the last one first."""
        return list(reversed(self._known))

    def find(self, seq: int, crc: Optional[str]) -> Optional[Known[T]]:
        """The nearest with this number, and this seal if one is asked for."""
        for known in reversed(self._known):
            if known.seq == seq and crc in (None, known.crc):
                return known
        return None

    def latest(self) -> Optional[T]:
        """The nearest request that is known."""
        for known in reversed(self._known):
            if known.request is not None:
                return known.request
        return None


class Base(NamedTuple):
    """A `base` whose types are right."""

    seq: int
    crc32c: str
    same: list[bytes]
    prefix: list[tuple[bytes, int]]


def _count(value: bytes) -> int:
    if not _COUNT.match(value) or int(value) >= _MAX_INTEGER:
        raise ValueError("not an integer of the format")
    return int(value)


def read_base(text: bytes) -> Optional[Base]:
    """A `base` member's value -> Base; None for a wrong type, a doubled or unknown member."""
    if text[:1] != b"{":
        return None
    pairs = members(text)
    found = dict(pairs)
    same, prefix = found.pop(b'"same"', b"[]"), found.pop(b'"prefix"', b"{}")
    seq, crc = found.pop(b'"seq"', b""), _HEX.match(found.pop(b'"crc32c"', b""))
    is_doubled = len(dict(pairs)) != len(pairs)
    if found or is_doubled or crc is None or same[:1] != b"[" or prefix[:1] != b"{":
        return None
    try:
        counts = [(name, _count(count)) for name, count in members(prefix)]
        base = Base(_count(seq), crc[1].decode(), elements(same), counts)
    except ValueError:
        return None
    names = base.same + [name for name, _ in counts]
    if not all(name[:1] == b'"' for name in names) or len(set(names)) != len(names):
        return None
    return base


# Of each top-level member of an expanded request: its length if it is an array, else None.
Shape = dict[bytes, Optional[int]]


def shape_of(request: bytes) -> Shape:
    """The shape of a request, an object, as it stands."""
    return {
        name: len(elements(value)) if value[:1] == b"[" else None
        for name, value in members(request)
    }


def apply_base(own: Shape, base: Base, below: Shape) -> Optional[Shape]:
    """The expanded request's shape; None where `base` does not fit."""
    whole = dict(own)
    for name, count in base.prefix:
        own_length, base_length = own.get(name), below.get(name)
        if own_length is None or base_length is None or count > base_length:
            return None
        whole[name] = own_length + count
    for name in base.same:
        if name in whole or name not in below:
            return None
        whole[name] = below[name]
    return whole


def judge_request(data: bytes, window: Window[Shape]) -> tuple[Optional[str], Optional[Shape]]:
    """The data of an `llm_request` -> (the finding's kind, the expanded request's shape)."""
    try:
        split = object_members(data)
    except ValueError:
        # What isn't JSON is only found with `deep`: here it is a request of unknown shape.
        return None, None
    request = split.get(b'"request"', b"")
    own = shape_of(request) if request[:1] == b"{" else None
    if b'"base"' not in split:
        return None, own
    base = read_base(split[b'"base"'])
    if base is None or own is None:
        return "bad_base", None
    known = window.find(base.seq, base.crc32c)
    if known is None:
        return "missing_base", None
    if known.request is None:
        return None, None
    whole = apply_base(own, base, known.request)
    return (None, whole) if whole is not None else ("bad_base", None)
