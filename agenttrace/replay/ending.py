"""The end of a command that has diverged: it gets a moment to end by itself, then it is ended.

A divergence leaves the thread that met it; others may wait for that thread for ever.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading

from agenttrace.replay import stillness

_GRACE_S = 0.4


class Ending:
    """Of one command. Thread-safe."""

    def __init__(self) -> None:
        self._pid: int | None = None
        self._is_over = threading.Event()
        self._has_begun = threading.Lock()

    def runs(self, pid: int) -> None:
        """The command is this process."""
        self._pid = pid

    def begin(self) -> None:
        """It has diverged. Only the first call counts."""
        if self._has_begun.acquire(blocking=False):
            threading.Thread(target=self._end, daemon=True).start()

    def over(self) -> None:
        """It has ended."""
        self._is_over.set()

    def _end(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._is_over.wait(_GRACE_S) or self._pid is None:
                return
            for pid in [*stillness.below(self._pid), self._pid]:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
