"""The other lines of a model call, found from one of them: the base chain, the request, the answer.

The index finds them, however far apart they stand.
"""

from __future__ import annotations

from typing import Any

from agenttrace import _backend, errors
from agenttrace.event import Event
from agenttrace.tui.index import LiveIndex

_CHAIN_LENGTH = 4096


def expanded(index: LiveIndex, row: int, event: Event) -> Event | None:
    """The `llm_request` of a row with its whole conversation; None if a base is missing or bad."""
    chain = [event.raw]
    while True:
        base = event.data.get("base")
        if not isinstance(base, dict):
            break
        found = _earlier(index, row, event, base.get("seq"))
        if found is None or len(chain) >= _CHAIN_LENGTH:
            return None
        row, event = found
        chain.append(event.raw)
    if len(chain) == 1:
        return event
    conversations = _backend.Conversations()
    try:
        lines = [conversations.expand(line) for line in reversed(chain)]
    except errors.TraceFormatError:
        return None
    return Event(lines[-1])


def _earlier(index: LiveIndex, row: int, event: Event, seq: Any) -> tuple[int, Event] | None:
    """The event with that number in the same trace, before `row`."""
    if not isinstance(seq, int) or not 0 <= seq < event.seq:
        return None
    at = index.row_of(seq, event.trace_id)
    found = index.event(at) if at is not None and at < row else None
    return None if at is None or found is None else (at, found)


def answer_of(index: LiveIndex, row: int, request: Event) -> Event | None:
    """The `llm_response` of a request."""
    found = _of_same_span(index, row, 1, request, "llm_response")
    return found[1] if found else None


def request_of(index: LiveIndex, row: int, response: Event) -> tuple[int, Event] | None:
    """The row and the `llm_request` of an answer or of a piece of one."""
    return _of_same_span(index, row, -1, response, "llm_request")


def _of_same_span(
    index: LiveIndex, row: int, step: int, event: Event, kind: str
) -> tuple[int, Event] | None:
    if event.span_id is None:
        return None
    at = index.next_row(row, step, kinds=[kind], span_id=event.span_id, trace_id=event.trace_id)
    found = index.event(at) if at is not None else None
    return None if at is None or found is None else (at, found)
