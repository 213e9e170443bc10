"""AgentTrace: strace, rr and asciinema for AI agents.

Tracer writes a trace, TraceReader reads one in order, TraceIndex in any order, Replayer answers from one; Event is
what a line holds.
Names are loaded when they are first used, so that a command pays for what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOME = {
    "Tracer": "agenttrace.tracer",
    "TraceReader": "agenttrace.reader",
    "TraceIndex": "agenttrace.trace_index",
    "Replayer": "agenttrace.replayer",
    "Event": "agenttrace.event",
    "Finding": "agenttrace.event",
    "AgentTraceError": "agenttrace.errors",
    "TraceFormatError": "agenttrace.errors",
    "ChecksumError": "agenttrace.errors",
    "TruncatedTraceError": "agenttrace.errors",
    "UnsupportedVersionError": "agenttrace.errors",
    "ReplayError": "agenttrace.errors",
    "Divergence": "agenttrace.errors",
}

# Spelled out, as type checkers read it.
__all__ = [
    "AgentTraceError",
    "ChecksumError",
    "Divergence",
    "Event",
    "Finding",
    "ReplayError",
    "Replayer",
    "TraceFormatError",
    "TraceIndex",
    "TraceReader",
    "Tracer",
    "TruncatedTraceError",
    "UnsupportedVersionError",
]

if TYPE_CHECKING:
    from agenttrace.errors import (
        AgentTraceError,
        ChecksumError,
        Divergence,
        ReplayError,
        TraceFormatError,
        TruncatedTraceError,
        UnsupportedVersionError,
    )
    from agenttrace.event import Event, Finding
    from agenttrace.reader import TraceReader
    from agenttrace.replayer import Replayer
    from agenttrace.trace_index import TraceIndex
    from agenttrace.tracer import Tracer


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'agenttrace' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
