"""Our own terminal while the command has one of its own: taken and given back, its keys handed on, its size copied.

It is taken as a shell's job takes it. A command in the foreground that is alone there has it from the start. One in the
background, or with a pipe at one side (`CMD | less`), gets it once it reads from it or changes its settings; until then
its keys are somebody else's.
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

from agenttrace.command.typed_lines import TypedLines

_READ_BYTES = 1 << 16
_LOCAL, _CHARACTERS = 3, 6
_UTF8 = 0x4000  # IUTF8, not in the `termios` module


class Terminal:
    """The command's terminal (`master` is our side, `slave` the command's) and, if there is one, ours."""

    def __init__(self, ours: int | None, typed: TypedLines, has_pipe: bool) -> None:
        """ours: our terminal's descriptor; None if there is none that keys could come from. has_pipe: whether the
        command's input or output is a pipe. OSError if the system has no terminal to give.
        """
        self._ours = ours
        self._typed = typed
        self._lock = threading.RLock()  # a signal handler may come while it is held
        self._is_taken = False
        self._settings: list[object] | None = None
        # Whether it is to be taken as soon as we are in the foreground, without the command asking for it.
        self.is_wanted = ours is not None and not has_pipe
        self._wake = os.pipe()
        self.master, self.slave = pty.openpty()
        with contextlib.suppress(termios.error):
            self._set_up()
        self.copy_size()

    def _set_up(self) -> None:
        if self._ours is not None and self.is_wanted and self.is_foreground():
            mode = termios.tcgetattr(self._ours)
        else:
            mode = termios.tcgetattr(self.slave)
            mode[0] |= _UTF8
        termios.tcsetattr(self.slave, termios.TCSANOW, mode)

    def copy_size(self) -> None:
        """Gives the command's terminal the size of ours."""
        for fd in (1, 2, 0, self._ours):
            with contextlib.suppress(OSError, TypeError):
                size = fcntl.ioctl(fd, termios.TIOCGWINSZ, struct.pack("4H", 0, 0, 0, 0))  # type: ignore[arg-type]
                fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)
                return

    def is_foreground(self) -> bool:
        """Whether our process group has our terminal."""
        if self._ours is None:
            return False
        try:
            return os.tcgetpgrp(self._ours) == os.getpgrp()
        except OSError:
            return True  # it controls no session of ours, so nobody else has it

    def has_job_control(self) -> bool:
        """Whether our terminal is the one that stops and resumes us."""
        if self._ours is None:
            return False
        with contextlib.suppress(OSError):
            return os.tcgetpgrp(self._ours) > 0
        return False

    @property
    def is_taken(self) -> bool:
        """Whether our terminal's keys go to the command."""
        return self._is_taken

    def take(self) -> None:
        """Our terminal hands every key on, as it is, from now on."""
        if self._ours is None:
            return
        with self._lock, contextlib.suppress(termios.error):
            self._settings = termios.tcgetattr(self._ours)
            self._make_raw()
            self._is_taken = self.is_wanted = True
        self.copy_size()
        os.write(self._wake[1], b".")

    def retake(self) -> None:
        """After we were stopped and went on with the terminal in hand: somebody may have changed it."""
        with self._lock, contextlib.suppress(termios.error):
            self._make_raw()
        self.copy_size()

    def _make_raw(self) -> None:
        assert self._ours is not None
        # What was typed already stays. A read never waits: `select` does, and somebody else may be faster.
        tty.setraw(self._ours, termios.TCSADRAIN)
        mode = termios.tcgetattr(self._ours)
        mode[_CHARACTERS][termios.VMIN] = 0
        termios.tcsetattr(self._ours, termios.TCSADRAIN, mode)

    def give_back(self) -> bool:
        """Our terminal is as it was before; whether we had it."""
        with self._lock:
            had, self._is_taken = self._is_taken, False
            if had and self._ours is not None and self._settings is not None:
                # In the background this write would stop us; the terminal is another's then.
                old = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
                if self.is_foreground():
                    with contextlib.suppress(termios.error):
                        termios.tcsetattr(self._ours, termios.TCSADRAIN, self._settings)  # type: ignore[arg-type]
                signal.signal(signal.SIGTTOU, old)
        os.write(self._wake[1], b".")
        return had

    def start(self) -> None:
        """Hands keys on while the terminal is taken."""
        if self._ours is not None:
            threading.Thread(target=self._relay_keys, args=(self._ours,), daemon=True).start()

    def _relay_keys(self, ours: int) -> None:
        while True:
            ready = select.select([self._wake[0], *([ours] if self._is_taken else [])], [], [])[0]
            if self._wake[0] in ready:
                os.read(self._wake[0], 64)
            if ours not in ready:
                continue
            keys = self._read_keys(ours)
            try:
                if keys:
                    self._typed.feed(keys, termios.tcgetattr(self.master))
                    write_all(self.master, keys)
                elif keys is None:
                    return
            except (OSError, termios.error):  # the command's terminal is closed
                return

    def _read_keys(self, ours: int) -> bytes | None:
        """What there is; None if our terminal is gone."""
        with self._lock:
            if not self._is_taken:
                return b""
            if not self.is_foreground():
                time.sleep(0.05)  # the main thread gives it back when the system tells it to go on
                return b""
            try:
                keys = os.read(ours, _READ_BYTES)
                if not keys:
                    termios.tcgetattr(ours)  # a terminal that was hung up has no settings
            except (OSError, termios.error):
                return None
        return keys


def own_terminal() -> int | None:
    """A descriptor of the terminal that a person types on: the standard input, or the one that controls us."""
    if os.isatty(0):
        return 0
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return None


def write_all(fd: int, data: bytes) -> None:
    """Writes all of it, however many calls that takes."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # somebody made our output non-blocking
            select.select([], [fd], [])
