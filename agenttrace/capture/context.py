"""What the code that runs now is part of: the current span, for hooks and for Tracer alike."""

from contextvars import ContextVar

from .unhooked import urandom

# (span_id, whether that span is a model call made by hand with Tracer), or None at the top.
current_span = ContextVar("agenttrace_span", default=None)


def new_span_id():
    """16 hex digits, never all zero."""
    while True:
        span_id = urandom(8).hex()
        if span_id != "0000000000000000":
            return span_id
