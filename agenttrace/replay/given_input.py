"""What the command read when it was recorded, given to it again: a pipe's bytes and then the end, or typed lines.

A pipe or file was read: our descriptor 0 becomes a pipe that holds what was read. A person typed: it becomes a terminal
on which the lines are typed once more, each when what had been written before it is written again and CMD waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import termios
import threading
import time

from agenttrace.command.terminal import write_all
from agenttrace.replay.recorded import RecordedRun
from agenttrace.replay.stillness import Watch

_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ, in Python's fcntl from 3.10 on
_END_OF_INPUT = b"\x04"
_ROWS, _COLUMNS = 24, 80
_LOOK_S = 0.01
_STILL_S = 0.03  # a command that waits for longer has come to its next question
_LATE_S = 0.5  # one that has written less than was recorded
_END_S = 1.0  # one that was given everything
_LIMIT_S = 5.0  # one that never rests


class GivenInput:
    """Of one replay. inexact: what could not be given as it was. Without recorded input it does nothing."""

    def __init__(self, run: RecordedRun, watch: Watch) -> None:
        self._run = run
        self._watch = watch
        self._keyboard: int | None = None
        self._written_bytes = 0
        self._is_over = False
        secrets = sum(typed.is_secret for typed in run.typed)
        self.inexact = (
            [f"lines typed without echo are not in the trace: {secrets} given empty"]
            if secrets
            else []
        )

    @property
    def is_there(self) -> bool:
        """Whether any was recorded."""
        return bool(self._run.typed or self._run.input)

    @property
    def terminals(self) -> frozenset[int] | None:
        """Which of the command's descriptors 0 to 2 are to be terminals; None: those that are ours."""
        return frozenset({0} | self._run.terminals) if self._run.typed else None

    def put_in_place(self) -> None:
        """Our descriptor 0 leads to it from now on. Before threads and other processes begin."""
        if self._run.typed:
            self._keyboard, terminal = pty.openpty()
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", _ROWS, _COLUMNS, 0, 0))
            _lead(0, terminal)
        elif self._run.input:
            reading, writing = os.pipe()
            data = bytes(self._run.input)
            with contextlib.suppress(OSError):  # more than the system allows: a thread writes it
                fcntl.fcntl(writing, _SET_PIPE_SIZE, len(data))
            _lead(0, reading)
            os.set_blocking(writing, False)
            rest = data[_written(writing, data) :]
            os.set_blocking(writing, True)
            if rest:
                threading.Thread(target=_write_rest, args=(writing, rest), daemon=True).start()
            else:
                os.close(writing)

    def start(self) -> None:
        """The command runs."""
        if self._keyboard is not None:
            threading.Thread(target=self._type, args=(self._keyboard,), daemon=True).start()

    def wrote(self, count: int) -> None:
        """The command has written so many bytes more."""
        self._written_bytes += count

    def over(self) -> None:
        """The command has ended."""
        self._is_over = True

    def _type(self, keyboard: int) -> None:
        self._watch.leave_out(threading.get_native_id())
        with contextlib.suppress(OSError):  # the terminal is gone
            for typed in self._run.typed:
                self._wait(typed.after_bytes, _STILL_S)
                write_all(keyboard, typed.keys)
            # Who asks for more than was typed finds the end, and none waits for ever.
            while not self._is_over:
                self._wait(0, _END_S)
                write_all(keyboard, _END_OF_INPUT)

    def _wait(self, written_bytes: int, still_s: float) -> None:
        """Until so much is written and nothing has run for that long."""
        began = still_since = time.monotonic()
        last = self._watch.look()
        while not self._is_over:
            time.sleep(_LOOK_S)
            look, now = self._watch.look(), time.monotonic()
            if look.is_busy or look.mark != last.mark:
                still_since = now
            last = look
            needed_s = still_s if self._written_bytes >= written_bytes else _LATE_S
            if now - still_since >= needed_s or now - began >= _LIMIT_S:
                return


def _lead(fd: int, target: int) -> None:
    os.dup2(target, fd)
    os.close(target)


def _written(fd: int, data: bytes) -> int:
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return 0


def _write_rest(fd: int, data: bytes) -> None:
    with contextlib.suppress(OSError):  # nobody reads any more
        write_all(fd, data)
    os.close(fd)
