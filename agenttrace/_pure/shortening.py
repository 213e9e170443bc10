"""The writer's side of a conversation: which earlier request leaves least to write.

Numbers and seals come from the writer; nothing here writes.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, Optional

from agenttrace._pure.conversation import (
    Request,
    Shortened,
    object_length,
    share,
    shorten,
    spell_object,
    split_request,
)
from agenttrace._pure.jsontext import members
from agenttrace._pure.requests import REACH


class _Written(NamedTuple):
    """One request that was written, and how its chain stands."""

    seq: int
    crc: str
    whole: Request
    full_bytes: int
    bytes_since_full: int


class Draft(NamedTuple):
    """An `llm_request`'s data as it shall be written, and what to remember once it is."""

    data: bytes
    whole: Request
    full_bytes: int
    bytes_since_full: int


def _spell_base(below: _Written, short: Shortened) -> bytes:
    base = b'{"seq":%d,"crc32c":"%b"' % (below.seq, below.crc.encode())
    if short.same:
        base += b',"same":[' + b",".join(short.same) + b"]"
    if short.prefix:
        counts = (b"%b:%d" % pair for pair in short.prefix.items())
        base += b',"prefix":{' + b",".join(counts) + b"}"
    return base + b"}"


class Shortener:
    """The last 64 requests of one writer."""

    def __init__(self) -> None:
        self._written: deque[_Written] = deque(maxlen=REACH)

    def draft(self, data: bytes) -> Optional[Draft]:
        """`data` of an `llm_request`, shortened where that pays; None if the rule doesn't apply."""
        pairs = members(data)
        split = dict(pairs)
        whole = split_request(split.get(b'"request"', b""))
        if whole is None or b'"base"' in split or len(split) != len(pairs):
            return None
        full_bytes = len(split[b'"request"'])
        if self._written:
            share(whole, self._written[-1].whole)
        best = self._best(whole)
        if best is None:
            return Draft(data, whole, full_bytes, 0)
        below, short, short_bytes = best
        since = below.bytes_since_full + short_bytes
        if since > below.full_bytes:
            return Draft(data, whole, full_bytes, 0)
        split[b'"request"'] = spell_object(short.left.members) + b',"base":' + _spell_base(
            below, short
        )
        return Draft(spell_object(dict(split)), whole, below.full_bytes, since)

    def _best(self, whole: Request) -> Optional[tuple[_Written, Shortened, int]]:
        best: Optional[tuple[_Written, Shortened, int]] = None
        for below in reversed(self._written):
            short = shorten(whole, below.whole)
            if short is None:
                continue
            length = object_length(short.left)
            if best is None or length < best[2]:
                best = (below, short, length)
        return best

    def remember(self, draft: Draft, seq: int, crc: str) -> None:
        """The draft was written as line `seq` with this seal."""
        self._written.append(
            _Written(seq, crc, draft.whole, draft.full_bytes, draft.bytes_since_full)
        )
