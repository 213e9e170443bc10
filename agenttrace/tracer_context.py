"""The current tracer and span of the code that runs now. Shared with the hooks, where the process has them."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agenttrace.tracer import Tracer

# Under `agenttrace record` the hooks are loaded under a name of their own; one span context serves both.
_context: Any = sys.modules.get("_agenttrace_capture.context")
if _context is None:
    from agenttrace.capture import context as _context

current_span: ContextVar[tuple[str, bool] | None] = _context.current_span
new_span_id = _context.new_span_id

# Whether there ever was a current span in this process; as long as there was none nobody has to look for it.
has_spans = False

current_tracer: ContextVar[Tracer | None] = ContextVar("agenttrace_tracer", default=None)


class Place(tuple):  # type: ignore[type-arg]
    """A value of `current_span` that knows what it stands in.

    Generators run in their caller's context, so two that take turns don't leave their spans in the order in which they
    entered them; a token of `ContextVar` would bring back a span that is over.
    """

    outer: Any = None
    is_over = False


def enter(place: Place, outer: Any) -> None:
    """The span begins, in `outer` (None: at the top): it is current now."""
    global has_spans
    has_spans = True
    place.outer = outer
    current_span.set(place)


def leave(place: Place) -> None:
    """The span is over: current is now what it stood in, as far as that still runs."""
    place.is_over = True
    current: Any = current_span.get()
    if current is place:
        outer: Any = place.outer
        while isinstance(outer, Place) and outer.is_over:
            outer = outer.outer
        current_span.set(outer)
