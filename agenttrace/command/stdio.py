"""The command's standard streams: a terminal stays a terminal, a pipe a pipe; what passes is told to the collector.

This side does nothing but relay. Two streams that lead to one place (`2>&1`) share one pipe, so that their order holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from typing import Any

Tell = Callable[[str, int, bool, bytes], None]  # stream, fd, is a terminal, bytes

_READ_BYTES = 1 << 16
_NAMES = {1: "stdout", 2: "stderr"}


class Stdio:
    """The descriptors that the command gets, and the threads that relay what it writes.

    tell: called with each piece before it is passed on. outputs: which descriptor of ours each of the command's
    streams 1 and 2 goes to.
    """

    def __init__(self, tell: Tell, outputs: dict[int, int]) -> None:
        self._tell = tell
        self._outputs = outputs
        self.child_fds: dict[int, int] = {}
        self.terminal: int | None = None  # our side of the command's terminal
        self._ours: list[int] = []
        self._theirs: list[int] = []
        self._pumps: list[threading.Thread] = []
        self._sources: list[tuple[int, int]] = []
        self._stop = os.pipe()
        self._connect()

    def _connect(self) -> None:
        terminals = [fd for fd in (1, 2) if os.isatty(self._outputs[fd])]
        if terminals:
            self.terminal, slave = pty.openpty()
            self._ours.append(self.terminal)
            self._theirs.append(slave)
            for fd in terminals:
                self.child_fds[fd] = slave
            if os.isatty(0):
                self.child_fds[0] = slave
            self._sources.append((terminals[0], self.terminal))
            self.copy_size()
        for fd in (1, 2):
            if fd in self.child_fds or not is_open(self._outputs[fd]):
                continue
            if fd == 2 and 1 in self.child_fds and _is_same(self._outputs[1], self._outputs[2]):
                self.child_fds[2] = self.child_fds[1]
                continue
            read_end, write_end = os.pipe()
            self._ours.append(read_end)
            self._theirs.append(write_end)
            self.child_fds[fd] = write_end
            self._sources.append((fd, read_end))

    def copy_size(self) -> None:
        """Gives the command's terminal the size of ours."""
        if self.terminal is None:
            return
        for fd in (self._outputs[1], self._outputs[2], 0):
            with contextlib.suppress(OSError):
                size = fcntl.ioctl(fd, termios.TIOCGWINSZ, struct.pack("4H", 0, 0, 0, 0))
                fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, size)
                return

    def own_terminal(self) -> None:
        """To be run in the child: the new terminal becomes the one that controls it."""
        if self.terminal is not None:
            os.setsid()
            fcntl.ioctl(self._theirs[0], termios.TIOCSCTTY, 0)

    def start(self) -> None:
        """The command runs: close its ends, relay."""
        for fd in self._theirs:
            os.close(fd)
        self._open_sources = {source for _, source in self._sources}
        for fd, source in self._sources:
            pump = threading.Thread(target=self._relay, args=(fd, source), daemon=True)
            pump.start()
            self._pumps.append(pump)
        if self.terminal is not None and 0 in self.child_fds:
            threading.Thread(target=self._relay_keys, args=(self.terminal,), daemon=True).start()

    def drain(self, limit_s: float) -> list[str]:
        """Waits until all that was written has passed, or children of the command have held the
        pipes open for this long: which streams they still hold.

        What those write from then on is passed on by a process of its own, unrecorded.
        """
        deadline = time.monotonic() + limit_s
        for pump in self._pumps:
            pump.join(max(0.0, deadline - time.monotonic()))
        os.write(self._stop[1], b".")
        for pump in self._pumps:
            pump.join()
        held = [(fd, source) for fd, source in self._sources if source in self._open_sources]
        if held:
            self._relay_on(held)
        return [_NAMES[fd] for fd, _ in held]

    def _relay_on(self, held: list[tuple[int, int]]) -> None:
        if os.fork():
            return
        try:
            os.setsid()
            sinks = {source: self._outputs[fd] for fd, source in held}
            while sinks:
                for source in select.select(list(sinks), [], [])[0]:
                    if not _passed(source, sinks[source]):
                        del sinks[source]
        finally:
            os._exit(0)

    def _relay(self, fd: int, source: int) -> None:
        is_terminal = source == self.terminal
        sink = self._outputs[fd]
        while source in select.select([source, self._stop[0]], [], [])[0]:
            data = _read(source)
            if data:
                self._tell(_NAMES[fd], fd, is_terminal, data)
            if not data or not _written(sink, data):
                # Nobody writes any more; or whoever read our output is gone, which the command finds out
                # as it would without us.
                self._open_sources.discard(source)
                os.close(source)
                return

    def _relay_keys(self, terminal: int) -> None:
        while True:
            try:
                select.select([0], [], [])
                data = os.read(0, _READ_BYTES)
                if not data:
                    return
                write_all(terminal, data)
            except OSError:
                return


@contextlib.contextmanager
def raw_terminal(is_wanted: bool) -> Iterator[Callable[[], Any]]:
    """Our own terminal hands every key on while the command has a terminal of ours. Gives a
    function that restores it for a while.
    """
    if not is_wanted:
        yield lambda: contextlib.nullcontext()
        return
    before = termios.tcgetattr(0)
    tty.setraw(0)

    @contextlib.contextmanager
    def restored() -> Iterator[None]:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        yield
        tty.setraw(0)

    try:
        yield restored
    finally:
        # In the background this write would stop us; the terminal is another's then.
        old = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGTTOU, old)


def _read(source: int) -> bytes:
    try:
        return os.read(source, _READ_BYTES)
    except OSError:  # EIO: nobody holds the terminal's other side any more
        return b""


def _written(sink: int, data: bytes) -> bool:
    try:
        write_all(sink, data)
    except OSError:
        return False
    return True


def _passed(source: int, sink: int) -> bool:
    data = _read(source)
    if data and _written(sink, data):
        return True
    os.close(source)
    return False


def write_all(fd: int, data: bytes) -> None:
    """Writes all of it, however many calls that takes."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # somebody made our output non-blocking
            select.select([], [fd], [])


def is_open(fd: int) -> bool:
    """Whether this descriptor leads anywhere."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _is_same(one: int, other: int) -> bool:
    first, second = os.fstat(one), os.fstat(other)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)
