"""`base`: which earlier request of a conversation a shorter one builds on, and whether it fits.

Keeps shapes (names, lengths), not messages; the messages are conversation.py's.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import NamedTuple, Optional

REACH = 64
_MAX_INTEGER = 2**53
_HEX = re.compile(r"[0-9a-f]{8}\Z")


class Base(NamedTuple):
    """A `base` whose types are right."""

    seq: int
    crc32c: str
    same: list[str]
    prefix: dict[str, int]


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _MAX_INTEGER


def read_base(value: object) -> Optional[Base]:
    """A `base` member's value -> Base, or None where a type is wrong."""
    if not isinstance(value, dict):
        return None
    seq, crc = value.get("seq"), value.get("crc32c")
    same, prefix = value.get("same", []), value.get("prefix", {})
    if not _is_count(seq) or not isinstance(crc, str) or not _HEX.match(crc):
        return None
    if not isinstance(same, list) or not all(isinstance(name, str) for name in same):
        return None
    if not isinstance(prefix, dict) or not all(map(_is_count, prefix.values())):
        return None
    return Base(seq, crc, same, prefix)


# Of each top-level member of an expanded request: its length if it is an array, else None.
Shape = dict[str, Optional[int]]


def shape_of(request: dict[str, object]) -> Shape:
    """The shape of a request as it stands."""
    return {name: len(v) if isinstance(v, list) else None for name, v in request.items()}


def apply_base(own: Shape, base: Base, below: Shape) -> Optional[Shape]:
    """The expanded request's shape; None where `base` does not fit."""
    whole = dict(own)
    for name, count in base.prefix.items():
        own_length, base_length = own.get(name), below.get(name)
        if own_length is None or base_length is None or count > base_length:
            return None
        whole[name] = own_length + count
    for name in base.same:
        if name in whole or name not in below:
            return None
        whole[name] = below[name]
    return whole


class Shapes:
    """The last 64 requests of one trace, by their numbers: seal and shape (None: not known)."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[str, Optional[Shape]]] = OrderedDict()

    def judge(self, seq: int, crc: str, data: Optional[dict[str, object]]) -> Optional[str]:
        """Takes in one more `llm_request` -> the finding's kind, or None."""
        finding, shape = self._expanded(data)
        self._known.pop(seq, None)
        self._known[seq] = (crc, shape)
        if len(self._known) > REACH:
            self._known.popitem(last=False)
        return finding

    def _expanded(
        self, data: Optional[dict[str, object]]
    ) -> tuple[Optional[str], Optional[Shape]]:
        request = data.get("request") if data is not None else None
        own = shape_of(request) if isinstance(request, dict) else None
        if data is None or "base" not in data:
            return None, own
        base = read_base(data["base"])
        if base is None:
            return "bad_base", None
        crc, below = self._known.get(base.seq, (None, None))
        if crc != base.crc32c:
            return "missing_base", None
        if own is None:
            return "bad_base", None
        if below is None:
            return None, None
        whole = apply_base(own, base, below)
        return (None, whole) if whole is not None else ("bad_base", None)
