"""Conversations made whole again, and what is said where one can't be.

A request that is lost takes with it all that were built on it. The first of these is told, with the number of
the request that is missing; the others are no finding of their own.
"""

from __future__ import annotations

from collections import OrderedDict

from agenttrace import _backend
from agenttrace.errors import TraceFormatError
from agenttrace.event import Event

_REACH = 64  # how many llm_requests back a base may lie


class BuiltOnLost(TraceFormatError):
    """The request goes on with one that could not be expanded either, and was told."""


class Expander:
    """Expands `llm_request` lines, in file order; traces may be interleaved. Memory is that of 64 requests a trace."""

    def __init__(
        self, *, check_seal: bool = True, max_line_bytes: int = _backend.MAX_LINE_BYTES
    ) -> None:
        self._conversations = _backend.Conversations(
            check_seal=check_seal, max_line_bytes=max_line_bytes
        )
        self._lost: dict[str, OrderedDict[int, None]] = {}

    def expand(self, line: bytes) -> bytes:
        """As `Conversations.expand`; of what goes on with a lost request BuiltOnLost, a TraceFormatError."""
        try:
            return self._conversations.expand(line)
        except TraceFormatError as error:
            raise self._noted(Event(line), error) from None

    def _noted(self, event: Event, error: TraceFormatError) -> TraceFormatError:
        lost = self._lost.setdefault(event.trace_id, OrderedDict())
        base = _base_of(event)
        is_built_on_lost = base in lost
        lost[event.seq] = None
        if len(lost) > _REACH:
            lost.popitem(last=False)
        if not is_built_on_lost:
            return error
        return BuiltOnLost(f"it goes on with seq {base}, which can't be had in full")


def _base_of(event: Event) -> object:
    try:
        base = event.data.get("base")
    except TraceFormatError:
        return None
    seq = base.get("seq") if isinstance(base, dict) else None
    return seq if isinstance(seq, int) else None
