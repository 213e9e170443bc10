"""The writer's side of a conversation: which earlier request leaves least to write.

Numbers and seals come from the writer; nothing here writes.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from agenttrace._pure.conversation import (
    Request,
    Shared,
    share,
    shared_with,
    spell_object,
    split_request,
    without,
)
from agenttrace._pure.jsontext import load_json, members
from agenttrace._pure.requests import Known, Window


class _Written(NamedTuple):
    """A request that was written, and how its chain stands."""

    whole: Request
    full_bytes: int
    bytes_since_full: int


class Draft(NamedTuple):
    """An `llm_request`'s data as it shall be written, and what to remember once it is."""

    data: bytes
    written: Optional[_Written]


def _spell_base(below: Known[_Written], shared: Shared) -> bytes:
    base = b'{"seq":%d,"crc32c":"%b"' % (below.seq, below.crc.encode())
    if shared.same:
        base += b',"same":[' + b",".join(shared.same) + b"]"
    if shared.prefix:
        counts = (b"%b:%d" % pair for pair in shared.prefix.items())
        base += b',"prefix":{' + b",".join(counts) + b"}"
    return base + b"}"


class Shortener:
    """The last 64 requests of one writer."""

    def __init__(self) -> None:
        self._window: Window[_Written] = Window()

    def draft(self, data: bytes) -> Draft:
        """`data` of an `llm_request`, shortened where the rule applies and that pays."""
        try:
            load_json(data)
        except ValueError:
            return Draft(data, None)  # written as it is, and no base for others
        pairs = members(data)
        split = dict(pairs)
        request = split.get(b'"request"', b"")
        if request[:1] != b"{" or b'"base"' in split or len(split) != len(pairs):
            return Draft(data, None)
        whole = split_request(request)
        latest = self._window.latest()
        if latest is not None:
            share(whole, latest.whole)
        in_full = Draft(data, _Written(whole, len(request), 0))
        best = self._best(whole)
        if best is None or best[0].request is None:
            return in_full
        (below, shared), written = best, best[0].request
        short = spell_object(without(whole, shared))
        since = written.bytes_since_full + len(short)
        if since > written.full_bytes:
            return in_full
        split[b'"request"'] = short + b',"base":' + _spell_base(below, shared)
        joined = b",".join(name + b":" + value for name, value in split.items())
        return Draft(b"{" + joined + b"}", _Written(whole, written.full_bytes, since))

    def _best(self, whole: Request) -> Optional[tuple[Known[_Written], Shared]]:
        best: Optional[tuple[Known[_Written], Shared]] = None
        saved_bytes = 0
        for below in self._window.nearest_first():
            if below.request is None:
                continue
            shared = shared_with(whole, below.request.whole)
            if shared.saved_bytes > saved_bytes:
                best, saved_bytes = (below, shared), shared.saved_bytes
        return best

    def remember(self, draft: Draft, seq: int, crc: str) -> None:
        """The draft was written as line `seq` with this seal."""
        self._window.push(seq, crc, draft.written)
