"""Whether a replayed command waits: none of its processes runs, so that all that could go on waits for us.

Read from /proc (Linux). Elsewhere it can't be told, and the callers go by time alone.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from typing import NamedTuple

_BUSY = frozenset(b"RD")  # running or about to; waiting for a disk
# System calls in which a thread waits with a limit of time -> which argument holds the limit, None: always.
_FOREVER = frozenset(("0x0", "0xffffffff", "0xffffffffffffffff"))
_TIMED: dict[str, dict[int, int | None]] = {
    # nanosleep, clock_nanosleep, select, pselect6, poll, ppoll, epoll_wait, epoll_pwait, futex
    "x86_64": {35: None, 230: None, 23: 4, 270: 4, 7: 2, 271: 2, 232: 3, 281: 3, 202: 3},
    "aarch64": {101: None, 115: None, 72: 4, 73: 2, 22: 3, 98: 3},
}


class Look(NamedTuple):
    """is_busy: a thread runs. mark: changes when a thread has run. ran_ns: how long all have run or waited for a
    processor, together: on a loaded machine that is most of it. is_timed: a thread waits for a time to come, or may.
    """

    is_busy: bool
    mark: tuple[int, ...]
    ran_ns: int
    is_timed: bool


class Watch:
    """Looks at this process and those below it, and at others that it is told of."""

    can_see = os.path.exists("/proc/self/task")

    def __init__(self) -> None:
        self._others = {os.getpid()}
        self._unseen: set[int] = set()
        self._timed = _TIMED.get(platform.machine(), {})

    def add(self, pid: int) -> None:
        """This process too."""
        self._others.add(pid)

    def leave_out(self, thread_id: int) -> None:
        """A thread of ours."""
        self._unseen.add(thread_id)

    def look(self) -> Look:
        """At this moment."""
        mark: list[int] = []
        ran_ns = 0
        is_busy = is_timed = False
        for task in self._tasks():
            state, ran, turns = task.state()
            is_busy = is_busy or state in _BUSY
            is_timed = is_timed or task.is_timed(self._timed)
            ran_ns += ran
            mark += (task.thread_id, turns, ran)
        return Look(is_busy, tuple(mark), ran_ns, is_timed)

    def _tasks(self) -> Iterator[_Task]:
        for task in _tasks(list(self._others)):
            if task.thread_id not in self._unseen:
                yield task


def below(pid: int) -> list[int]:
    """The processes below this one, as far as they can be seen."""
    return list(dict.fromkeys(task.pid for task in _tasks([pid]) if task.pid != pid))


def _tasks(waiting: list[int]) -> Iterator[_Task]:
    """The threads of these processes and of those below them."""
    seen: set[int] = set()
    while waiting:
        pid = waiting.pop()
        if pid in seen:
            continue
        seen.add(pid)
        try:
            thread_ids = sorted(map(int, os.listdir(f"/proc/{pid}/task")))
        except OSError:
            continue  # it has ended, or there is no /proc
        for thread_id in thread_ids:
            task = _Task(pid, thread_id)
            waiting += task.children()
            yield task


class _Task:
    """A thread, as /proc shows it. One that has ended does nothing."""

    def __init__(self, pid: int, thread_id: int) -> None:
        self._folder = f"/proc/{pid}/task/{thread_id}"
        self.pid = pid
        self.thread_id = thread_id

    def _read(self, name: str) -> bytes:
        try:
            with open(f"{self._folder}/{name}", "rb", buffering=0) as file:
                return file.read(1 << 16)
        except OSError:
            return b""

    def state(self) -> tuple[int, int, int]:
        """(the letter of its state, ns that it ran or could have, how often it was given a turn)."""
        stat = self._read("stat").rpartition(b") ")[2]
        times = self._read("schedstat").split()
        ran, turns = (int(times[0]) + int(times[1]), int(times[2])) if len(times) == 3 else (0, 0)
        return (stat[0] if stat else 0), ran, turns

    def children(self) -> list[int]:
        return [int(pid) for pid in self._read("children").split()]

    def is_timed(self, timed: dict[int, int | None]) -> bool:
        """Whether it will go on by itself; True where it can't be told."""
        parts = self._read("syscall").decode("ascii", "replace").split()
        if not parts or not timed:
            return True
        if not parts[0].isdigit() or int(parts[0]) not in timed:
            return False
        argument = timed[int(parts[0])]
        return argument is None or parts[1 + argument] not in _FOREVER
