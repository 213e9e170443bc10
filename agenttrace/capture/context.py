"""What the code that runs now is part of: the current span, for hooks and for Tracer alike."""

import os
from contextvars import ContextVar

from .unhooked import urandom

# (span_id, whether that span is a model call made by hand with Tracer), or None at the top.
current_span = ContextVar("agenttrace_span", default=None)


# Drawn ahead, as asking the system costs more than all else of an id.
_ids = []
_IDS_AHEAD = 64


def new_span_id():
    """16 hex digits, never all zero."""
    while True:
        try:
            return _ids.pop()  # of two threads each gets one of its own
        except IndexError:
            digits = urandom(8 * _IDS_AHEAD).hex()
            ids = [digits[start : start + 16] for start in range(0, len(digits), 16)]
            _ids.extend([span_id for span_id in ids if span_id != "0000000000000000"])


# A forked child draws its own: what its parent has drawn is given out there.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ids.clear)
