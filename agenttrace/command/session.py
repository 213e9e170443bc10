"""The command in a session of its own, on a terminal of its own, with a leader between it and us.

The leader is there for job control: the kernel stops a process group from its terminal only where a process of the
same session, outside of the group, waits for it. It runs the command in a group of its own, says when that stops
and how it ends, and does what it is told: resume it in the foreground or background of its terminal, send it a signal.
If we are killed, it hangs the command up, as a terminal that closes does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import termios
from collections.abc import Callable
from typing import NamedTuple, NoReturn

_RECORD = struct.Struct("=Bi")

# What the leader says; the number is a pid, an errno, a signal, a status of waitpid.
_STARTED, _FAILED, STOPPED, ENDED = range(4)
# What it is told; the number is 0, 0, a signal.
_FOREGROUND, _BACKGROUND, _SIGNAL = range(3)

# The leader takes none of these; only SIGKILL ends it before its time.
_BLOCKED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGWINCH,
    signal.SIGCONT,
)


class News(NamedTuple):
    """what: STOPPED, and number is the signal that stopped it; or ENDED, and number is its status as of waitpid."""

    what: int
    number: int


# Starts the command; given: what is to be run in the child before it.
Start = Callable[[Callable[[], None]], "subprocess.Popen[bytes]"]


class Session:
    """A command that runs in a session of its own."""

    def __init__(self, start: Start, terminal: int, master: int, in_foreground: bool) -> None:
        """terminal, master: the two sides of the command's terminal. in_foreground: whether the command has it
        from the start; else it gets it by `resume`, when it was stopped because it wanted it.

        OSError if the system can't start the command.
        """
        self._line, theirs = socket.socketpair()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
        front = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            os.close(master)
            self._line.close()
            _Leader(theirs, terminal, front, mask).run(start, in_foreground)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()
        what, number = self._receive()
        if what != _STARTED:
            if what == ENDED:
                raise OSError("the process that leads the command's session was killed")
            raise OSError(number, os.strerror(number))
        self.command = number  # its pid

    def wait(self, limit_s: float | None = None) -> News | None:
        """What happened to the command next; None if nothing did for this long."""
        if limit_s is not None and not select.select([self._line], [], [], limit_s)[0]:
            return None
        return News(*self._receive())

    def resume(self, in_foreground: bool) -> None:
        """The command goes on, in the foreground or background of its terminal."""
        self._send(_FOREGROUND if in_foreground else _BACKGROUND, 0)

    def signal(self, number: int) -> None:
        """Sends a signal to the command's process group."""
        self._send(_SIGNAL, number)

    def _send(self, what: int, number: int) -> None:
        with contextlib.suppress(OSError):  # the leader was killed; `wait` says so
            self._line.sendall(_RECORD.pack(what, number))

    def _receive(self) -> tuple[int, int]:
        data = b""
        while len(data) < _RECORD.size:
            try:
                more = self._line.recv(_RECORD.size - len(data))
            except OSError:
                more = b""
            if not more:  # without its leader the session is hung up: as if the command was killed
                return ENDED, int(signal.SIGKILL)
            data += more
        what, number = _RECORD.unpack(data)
        return what, number


class _Leader:
    """The process between us and the command."""

    def __init__(
        self, line: socket.socket, terminal: int, front: int, mask: set[int | signal.Signals]
    ) -> None:
        self._line = line
        self._terminal = terminal
        self._front = front
        self._mask = mask
        self._command = 0  # its pid, and its group
        self._foreground = 0  # the group that has the terminal, when the command has it

    def run(self, start: Start, in_foreground: bool) -> NoReturn:
        """Leads to the end of the session, and ends this process."""
        try:
            os.setsid()
            fcntl.ioctl(self._terminal, termios.TIOCSCTTY, 0)
            wake, waker = os.pipe()
            os.set_blocking(waker, False)
            signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
            signal.signal(signal.SIGCHLD, _wake)
            try:
                process = start(lambda: self._prepare(in_foreground))
            except OSError as error:
                self._tell(_FAILED, error.errno or 0)
            else:
                # `process` is kept: one that is forgotten would take the status of the command from us.
                self._command = self._foreground = process.pid
                self._tell(_STARTED, self._command)
                _close_all_but({self._line.fileno(), self._terminal, wake, waker})
                self._lead(wake)
        finally:
            os._exit(0)

    def _prepare(self, in_foreground: bool) -> None:
        """In the child: a group of its own, with the terminal, before its first instruction."""
        os.setpgid(0, 0)
        if in_foreground:
            os.tcsetpgrp(self._terminal, os.getpid())
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _lead(self, wake: int) -> None:
        while True:
            ready = select.select([self._line.fileno(), wake], [], [])[0]
            if wake in ready:
                os.read(wake, 4096)
                if not self._look():
                    return
            if self._line.fileno() in ready and not self._obey():
                self._send_signal(signal.SIGHUP)
                self._send_signal(signal.SIGCONT)
                return

    def _look(self) -> bool:
        """Tells what happened to the command; whether it still is."""
        options = os.WNOHANG | os.WUNTRACED | os.WCONTINUED
        while True:
            pid, status = os.waitpid(self._command, options)
            if not pid:
                return True
            if os.WIFSTOPPED(status):
                self._tell(STOPPED, os.WSTOPSIG(status))
            elif os.WIFCONTINUED(status):
                self._wake_front()
            else:
                break
        # Children that live on have the terminal like those of a shell in the background, until the last lets go
        # of it and our other side closes the line.
        self._to_background()
        os.close(self._terminal)
        self._tell(ENDED, status)
        while self._line.recv(_RECORD.size):
            pass
        return False

    def _wake_front(self) -> None:
        """Somebody resumed the command; what stopped with it goes on with it."""
        if os.getppid() == self._front:
            os.kill(self._front, signal.SIGCONT)

    def _obey(self) -> bool:
        """Does what was told; whether there is somebody to tell."""
        try:
            data = self._line.recv(_RECORD.size)
        except OSError:
            data = b""
        if not data:
            return False
        what, number = _RECORD.unpack(data)
        if what == _SIGNAL:
            self._send_signal(number)
            return True
        if what == _FOREGROUND:
            self._to_foreground()
        else:
            self._to_background()
        self._send_signal(signal.SIGCONT)
        return True

    def _to_foreground(self) -> None:
        for group in (self._foreground, self._command):
            with contextlib.suppress(OSError):  # the group is gone
                os.tcsetpgrp(self._terminal, group)
                return

    def _to_background(self) -> None:
        with contextlib.suppress(OSError):
            group = os.tcgetpgrp(self._terminal)
            if group != os.getpgrp():
                self._foreground = group  # perhaps one that the command made: a shell does
                os.tcsetpgrp(self._terminal, os.getpgrp())

    def _send_signal(self, number: int) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._command, number)

    def _tell(self, what: int, number: int) -> None:
        with contextlib.suppress(OSError):  # nobody listens; `_obey` finds out
            self._line.sendall(_RECORD.pack(what, number))


def _wake(number: int, frame: object) -> None:
    """A handler that is there so that the wakeup descriptor is written to."""


def _close_all_but(kept: set[int]) -> None:
    """What we inherited must not stay open through us: pipes would not end."""
    try:
        fds = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        fds = list(range(256))
    for fd in fds:
        if fd not in kept:
            with contextlib.suppress(OSError):
                os.close(fd)
