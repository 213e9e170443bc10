"""The current tracer and span of the code that runs now. Shared with the hooks, where the process has them."""

from __future__ import annotations

import importlib
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agenttrace.tracer import Tracer

# A value of `current_span`, which knows what it stands in: [span_id, whether it is a model call, the outer place,
# whether it is over]. A plain list: nothing else is made as fast. Generators run in their caller's context, so two that
# take turns don't leave their spans in the order in which they entered them; a token of `ContextVar` would bring back
# a span that is over.
Place = list[Any]

# Under `agenttrace record` the hooks are loaded under a name of their own; one span context serves both.
# They load it when they first need it, which may be later than this.
_context: Any
if "_agenttrace_capture" in sys.modules:
    _context = importlib.import_module("_agenttrace_capture.context")
else:
    from agenttrace.capture import context as _context

current_span: ContextVar[Place | None] = _context.current_span
new_span_id = _context.new_span_id

# Whether there ever was a current span in this process; as long as there was none nobody has to look for it.
has_spans = False

current_tracer: ContextVar[Tracer | None] = ContextVar("agenttrace_tracer", default=None)


def enter(span_id: str, is_model_call: bool, outer: Place | None) -> Place:
    """The span begins in the current one, `outer`; it is current now."""
    global has_spans
    has_spans = True
    place = [span_id, is_model_call, outer, False]
    current_span.set(place)
    return place


def leave(place: Place) -> None:
    """The span is over: current is now what it stood in, as far as that still runs."""
    place[3] = True
    if current_span.get() is place:
        outer = place[2]
        while outer is not None and outer[3]:
            outer = outer[2]
        current_span.set(outer)
