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
_MOST_ROUNDS = 50  # against a command that starts processes faster than they are ended


class Ending:
    """Of one command. Thread-safe."""

    def __init__(self, socket_path: str) -> None:
        """socket_path: of the responder, which stands in the environment of each of its processes."""
        self._mark = b"AGENTTRACE_SOCKET=" + os.fsencode(socket_path)
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
        """It has ended. After a divergence what it has left behind is ended too: nobody answers that any more."""
        self._is_over.set()
        if self._has_begun.locked():
            self._kill(with_command=False)

    def _end(self) -> None:
        if self._is_over.wait(_GRACE_S) or self._pid is None:
            return
        for pid in self._processes(with_command=True):
            _send(pid, signal.SIGTERM)
        if not self._is_over.wait(_GRACE_S):
            self._kill(with_command=True)

    def _kill(self, with_command: bool) -> None:
        """Until there are none: pools put new processes in the place of those that have ended."""
        killed: set[int] = set()
        for _ in range(_MOST_ROUNDS):
            found = [pid for pid in self._processes(with_command) if pid not in killed]
            if not found:
                return
            for pid in found:
                _send(pid, signal.SIGKILL)
            killed.update(found)

    def _processes(self, with_command: bool) -> list[int]:
        """Those of the command, the ones whose parents are gone too; the command itself last."""
        command = self._pid if self._pid is not None else 0
        found = stillness.below(command) if with_command else []
        found += [pid for pid in _with_environment(self._mark) if pid not in found]
        found = [pid for pid in found if pid not in (command, os.getpid())]
        return [*found, command] if with_command else found


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _with_environment(variable: bytes) -> list[int]:
    """The processes that were started with this variable, where /proc shows it."""
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit() and variable in _environment(name):
                found.append(int(name))
    return found


def _environment(pid: str) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:  # it has ended, or is not ours
        return []
