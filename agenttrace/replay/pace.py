"""`replay` without a command: the events themselves, at the pace at which they were recorded."""

from __future__ import annotations

import time
from collections.abc import Callable

from agenttrace.reader import TraceReader
from agenttrace.replay.options import ReplayOptions
from agenttrace.telling import tell
from agenttrace.trace_folder import resolve

_LONGEST_S = 1e9  # thirty years; a system's sleep takes no more than some hundred


def play(options: ReplayOptions, write: Callable[[bytes], None]) -> int:
    """Writes the events, a line each at its time. 0, or 1 if damage was found.

    write: has written the line when it returns, and knows what a terminal must not get of it.
    """
    reader = TraceReader(resolve(options.trace), judge="lines")
    speed = 1.0 if options.speed is None else options.speed
    previous_ns: int | None = None
    due = time.monotonic()
    for event in reader:
        if previous_ns is not None:
            # A clock that was set back while it was recorded is no reason to wait.
            pause_s = max(0, event.ts_ns - previous_ns) / 1e9 / speed
            if options.max_idle_s is not None:
                pause_s = min(pause_s, options.max_idle_s)
            due += pause_s
            time.sleep(min(max(0.0, due - time.monotonic()), _LONGEST_S))
        previous_ns = event.ts_ns
        write(event.raw)
    for finding in reader.findings:
        tell(f"agenttrace: {options.trace}:{finding.line}: {finding.message}")
    return 1 if reader.findings else 0
