"""Makes traces to be read."""

from __future__ import annotations

from pathlib import Path

from agenttrace import Tracer

LINE_BYTES = 1100


def trace_of(path: Path, size_bytes: int) -> str:
    """A trace of lines of 1.1 KB, every tenth one of another kind, a little over this size."""
    with Tracer(path, flush="batch", redact=False) as tracer:
        while path.stat().st_size < size_bytes:
            for number in range(500):
                if number % 10:
                    tracer.log("x" * 900, number=number)
                else:
                    tracer.user_input("y" * 930)
    return str(path)


def trace_with(path: Path, events: int) -> str:
    """A trace of so many short events."""
    with Tracer(path, flush="batch", redact=False) as tracer:
        log = tracer.log
        for _ in range(events - 2):
            log("The weather in Ghent is mild.")
    return str(path)
