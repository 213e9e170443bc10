"""FILE arguments: resolved, opened, read in pieces as they come, followed, rotated."""

from __future__ import annotations

import io
import os
import select
import stat
from collections.abc import Iterator
from typing import Any, Callable, Optional

from agenttrace.cli.failure import WrongUsage
from agenttrace.cli.terminal import Output, is_terminal

CHUNK_BYTES = 1 << 17  # as cat: what stays in the processor's cache from reading to writing


def named(files: list[str]) -> list[str]:
    """FILE arguments as names to open: none is standard input, which must not be a terminal."""
    names = list(files) or ["-"]
    if "-" in names and is_terminal(0):
        raise WrongUsage("give a FILE, or send a trace to standard input (it is a terminal)")
    return names


def total_bytes(names: list[str]) -> int:
    """The size of all inputs, 0 if one is no regular file: then progress can't be told."""
    total = 0
    for name in names:
        try:
            status = os.stat(name)
        except OSError:
            continue
        if not stat.S_ISREG(status.st_mode):
            return 0
        total += status.st_size
    return total


class Source:
    """One opened input. Reading returns what is there, so that a live pipe is live."""

    def __init__(self, name: str) -> None:
        """`-` is standard input; `@last` and `@N` are looked up. OSError, AgentTraceError."""
        self.name = name
        self._buffer = memoryview(bytearray(CHUNK_BYTES))
        if name == "-":
            self.path: Optional[str] = None
            self._file = _standard_input()
        else:
            self.path = _resolved(name)
            self._file = io.FileIO(self.path)
        self._is_regular = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)

    def read(self) -> memoryview:
        """The next piece, empty at the end; valid until the next call. OSError names the input."""
        try:
            count = self._file.readinto(self._buffer)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.name) from None
        return self._buffer[: count or 0]

    def judge(self, scanner: Any) -> Iterator[int]:
        """Has the scanner judge all of it, piece by piece; yields their sizes. OSError names the input."""
        while chunk := self.read():
            scanner.judge_only(chunk)
            yield len(chunk)
            if self._is_regular:
                yield from self._in_place(scanner.judge_file)

    def pass_on(self, scanner: Any, output: Output) -> Iterator[int]:
        """Has the scanner write the good lines from here on straight to `output`, where this is a regular file, as far
        as it goes by now; yields how many bytes were taken. OSError names the input; BrokenPipeError, Failure.
        """
        if self._is_regular:
            yield from self._in_place(lambda *part: output.take(scanner, *part))

    def _in_place(self, take: Callable[[int, int, int], int]) -> Iterator[int]:
        """take: a descriptor, from where and up to where; how many bytes it took."""
        fd = self._file.fileno()
        place, end = self._file.tell(), os.fstat(fd).st_size
        try:
            while place < end and (count := take(fd, place, end)):
                place += count
                yield count
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.name) from None
        self._file.seek(place)

    @property
    def is_regular(self) -> bool:
        """Whether more may be appended to it: a pipe's end is its end."""
        return self._is_regular

    @property
    def is_ready(self) -> bool:
        """Whether a read returns at once."""
        return self._is_regular or bool(select.select([self._file], [], [], 0)[0])

    @property
    def is_replaced(self) -> bool:
        """Whether another file stands at the path now, or this one was cut: a rotated log."""
        if self.path is None or not self._is_regular:
            return False
        ours = os.fstat(self._file.fileno())
        try:
            theirs = os.stat(self.path)
        except FileNotFoundError:
            return False
        is_other = (ours.st_dev, ours.st_ino) != (theirs.st_dev, theirs.st_ino)
        return is_other or self.is_cut

    @property
    def is_cut(self) -> bool:
        """Whether it is shorter now than what was read of it: it began anew."""
        if self.path is None or not self._is_regular:
            return False
        return os.fstat(self._file.fileno()).st_size < self._file.tell()

    def close(self) -> None:
        """Closes a file; standard input stays."""
        self._file.close()


def _standard_input() -> io.FileIO:
    try:
        return io.FileIO(0, closefd=False)
    except OSError as error:  # it was closed before we began
        raise OSError(error.errno, error.strerror, "standard input") from None


def _resolved(name: str) -> str:
    if not name.startswith("@"):
        return name
    from agenttrace.trace_folder import resolve

    return resolve(name)
