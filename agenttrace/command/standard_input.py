"""What the command reads from a standard input that is no terminal, seen without taking a byte from anybody.

A file: the command has our descriptor; what lies between where it stood and where it stands was read.

A pipe: the command reads a pipe of ours that holds a copy of what is next in the real one. Only what it has read of the
copy is taken out of the real one. So what it leaves is there for whoever reads next, as in a shell's `while read` loop.
The copy holds one page, so the system wakes us when it is read. What this can't keep: another process that reads the
real pipe at the same time may get a byte twice, and a named pipe that has come to its end has no second writer.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import socket
import stat
import struct
import sys
import termios
import threading
from collections.abc import Callable

TellInput = Callable[[bytes], None]

_PIECE_BYTES = 1 << 16
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ, in Python's fcntl from 3.10 on
_NONBLOCK = 2  # SPLICE_F_NONBLOCK


class FileInput:
    """A regular file on descriptor 0."""

    def __init__(self, tell: TellInput) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._at = os.lseek(0, 0, os.SEEK_CUR)

    def catch_up(self) -> None:
        """Tells what was read since."""
        with self._lock, contextlib.suppress(OSError):  # not open for reading: nothing was read
            now = os.lseek(0, 0, os.SEEK_CUR)
            while self._at < now:
                data = os.pread(0, min(_PIECE_BYTES, now - self._at), self._at)
                if not data:
                    break
                self._at += len(data)
                self._tell(data)
            self._at = now


class PipeInput:
    """A pipe, or a Unix socket that is used as one, on descriptor 0. `child_fd` is for the command."""

    def __init__(self, tell: TellInput, peek: Callable[[int], int]) -> None:
        """peek: copies what is next on descriptor 0 to this pipe; how many bytes, 0 at the end."""
        self._tell = tell
        self._peek = peek
        self._lock = threading.Lock()
        self._copied = 0  # bytes that were put into the copy and are in the real one still
        self.child_fd, self._copy = os.pipe()
        fcntl.fcntl(self._copy, _SET_PIPE_SIZE, 1)  # the smallest: one page
        self._stop = os.pipe()
        self._thread: threading.Thread | None = None
        self.is_done = False

    def start(self) -> None:
        """Feeds the command from now on."""
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Feeds no more; `start` goes on."""
        if self._thread is not None:
            os.write(self._stop[1], b".")
            self._thread.join()
            os.read(self._stop[0], 1)
        self.catch_up()

    def forget(self) -> None:
        """From now on nothing is told."""
        self._tell = _nothing

    def join(self) -> None:
        """Waits until there is nobody left to feed, or nothing."""
        if self._thread is not None:
            self._thread.join()

    def catch_up(self) -> None:
        """Takes out of the real pipe what was read of the copy, and tells it."""
        with self._lock:
            if self.is_done or not self._copied:
                return
            unread = struct.unpack("i", fcntl.ioctl(self._copy, termios.FIONREAD, b"\0" * 4))[0]
            while self._copied > unread:
                if not _events(0, select.POLLIN) & select.POLLIN:
                    self._copied = unread  # somebody else took it
                    return
                data = os.read(0, self._copied - unread)
                self._copied -= len(data)
                if not data:
                    return
                self._tell(data)

    def _feed(self) -> None:
        poll = select.poll()
        poll.register(self._stop[0], select.POLLIN)
        while not self.is_done:
            # Either the copy is empty and we wait for more, or it is not and we wait until it is read.
            poll.register(self._copy, select.POLLOUT if self._copied else 0)
            if self._copied:
                with contextlib.suppress(KeyError):
                    poll.unregister(0)
            else:
                poll.register(0, select.POLLIN)
            ready = dict(poll.poll())
            self.catch_up()
            if ready.get(self._copy, 0) & select.POLLERR:
                self._end()  # nobody reads: found at the last moment too, or it would be waited for
            elif self._stop[0] in ready:
                return
            elif ready.get(0) and not self._copied and not self._copy_next():
                self._end()

    def _copy_next(self) -> bool:
        """Whether there was anything."""
        with self._lock:
            try:
                self._copied = self._peek(self._copy)
            except BlockingIOError:
                return True  # somebody else took it
            except BrokenPipeError:
                return False
            return self._copied > 0

    def _end(self) -> None:
        """The command finds the end, whoever writes that nobody reads: as far as it depends on us."""
        with self._lock:
            self.is_done = True
            os.close(self._copy)
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            os.close(nothing)


def _events(fd: int, wanted: int) -> int:
    poll = select.poll()
    poll.register(fd, wanted)
    return dict(poll.poll(0)).get(fd, 0)


def _nothing(data: bytes) -> None:
    pass


def _tee() -> Callable[[int], int] | None:
    """Copies from pipe to pipe, if this system can."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        tee = ctypes.CDLL(None, use_errno=True).tee
    except (OSError, AttributeError):
        return None
    tee.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_size_t, ctypes.c_uint)
    tee.restype = ctypes.c_ssize_t

    def peek(copy: int) -> int:
        copied = tee(0, copy, _PIECE_BYTES, _NONBLOCK)
        if copied < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return int(copied)

    return peek


def _peek_socket(copy: int) -> int:
    with socket.socket(fileno=os.dup(0)) as real:
        data = real.recv(select.PIPE_BUF, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    return os.write(copy, data) if data else 0


def _is_one_way_socket() -> bool:
    """A stream between processes of this machine that is not an output too."""
    with socket.socket(fileno=os.dup(0)) as real:
        if real.family != socket.AF_UNIX or real.type != socket.SOCK_STREAM:
            return False
    ours = os.fstat(0)
    return all((ours.st_dev, ours.st_ino) != (o.st_dev, o.st_ino) for o in map(os.fstat, (1, 2)))


def seen_input(tell: TellInput) -> FileInput | PipeInput | str | None:
    """How what is read from descriptor 0 is seen. A sentence where it can't be; None where there is nothing to see."""
    mode = os.fstat(0).st_mode
    access = fcntl.fcntl(0, fcntl.F_GETFL) & os.O_ACCMODE
    if stat.S_ISREG(mode):
        return FileInput(tell)
    if stat.S_ISFIFO(mode) and access != os.O_WRONLY:
        peek = _tee() if access == os.O_RDONLY else None
        return PipeInput(tell, peek) if peek else "this pipe can't be watched without changing it"
    if stat.S_ISSOCK(mode):
        is_fit = sys.platform.startswith("linux") and _is_one_way_socket()
        return PipeInput(tell, _peek_socket) if is_fit else "it is a socket"
    return None
