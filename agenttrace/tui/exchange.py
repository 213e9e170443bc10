"""The other lines of a model call, found from one of them: the base chain, the request, the answer.

Looks no further than some thousand rows, so that a damaged or hostile trace costs a moment at most.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agenttrace import _backend, errors
from agenttrace.event import Event
from agenttrace.tui.index import TraceIndex

_SEARCHED_ROWS = 20_000
_CHAIN_LENGTH = 4096


def expanded(index: TraceIndex, row: int, event: Event) -> Event | None:
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


def _earlier(index: TraceIndex, row: int, event: Event, seq: Any) -> tuple[int, Event] | None:
    """The event with that number in the same trace, before `row`."""
    if not isinstance(seq, int) or not 0 <= seq < event.seq:
        return None
    guess = row - (event.seq - seq)  # where it stands if the trace is whole and alone in its file
    nearby = range(row - 1, max(-1, row - _SEARCHED_ROWS), -1)
    for at in (guess, *nearby) if guess >= 0 else nearby:
        found = index.event(at)
        if found is None or found.trace_id != event.trace_id:
            continue
        if found.seq == seq:
            return at, found
        if at != guess and found.seq < seq:
            return None
    return None


def answer_of(index: TraceIndex, row: int, request: Event) -> Event | None:
    """The `llm_response` of a request."""
    rows = range(row + 1, min(len(index), row + _SEARCHED_ROWS))
    found = _of_same_span(index, rows, request, "llm_response")
    return found[1] if found else None


def request_of(index: TraceIndex, row: int, response: Event) -> tuple[int, Event] | None:
    """The row and the `llm_request` of an answer or of a piece of one."""
    rows = range(row - 1, max(-1, row - _SEARCHED_ROWS), -1)
    return _of_same_span(index, rows, response, "llm_request")


def _of_same_span(
    index: TraceIndex, rows: Iterable[int], event: Event, kind: str
) -> tuple[int, Event] | None:
    if event.span_id is None:
        return None
    span = event.span_id.encode()
    for row in rows:
        if span not in index.head(row):
            continue
        found = index.event(row)
        if found is not None and found.kind == kind and found.span_id == event.span_id:
            return row, found
    return None
