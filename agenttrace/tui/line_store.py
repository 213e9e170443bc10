"""Where the bytes of a trace's good lines are read again: in the file itself, or in a spool.

A plain file is its own store: its lines are read by position and nothing is copied, however large
it is. What can be read only once or only in order (a pipe, a packed file) is spooled: its good
lines go, unpacked, into a temporary file without a name, open to nobody else and gone with us.
"""

from __future__ import annotations

import os
import stat
import tempfile

from agenttrace import _backend
from agenttrace.errors import AgentTraceError

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE_MAGIC = b"\x2a\x4d\x18"  # behind one byte 0x50 to 0x5f


def is_plain_file(fd: int) -> bool:
    """Whether `fd` is a regular file whose bytes are the trace's lines themselves."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        return False
    first = os.pread(fd, 4, os.lseek(fd, 0, os.SEEK_CUR))
    return first != _ZSTD_MAGIC and first[1:] != _SKIPPABLE_MAGIC


def positions(lines: list[bytes], kept: list[bytes]) -> list[int]:
    """Where the lines of `kept`, some of `lines` in the same order, stand in `lines`.

    The first equal line is taken. Where equal lines stand twice and one was left out this may be
    the other one, which makes no difference to who reads it: the bytes are the same.
    """
    found = []
    at = -1
    for line in kept:
        try:
            at = lines.index(line, at + 1)
        except ValueError:
            raise AgentTraceError("the file was changed while it was read") from None
        found.append(at)
    return found


class FileStore:
    """The offsets of the good lines of a plain file, found as a Scanner hands the lines on."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._read_to = self._line_start = os.lseek(fd, 0, os.SEEK_CUR)

    def offsets(self, chunk: bytes, good: bytes) -> list[tuple[int, list[int]]]:
        """Runs of good lines that `chunk`, the file's next bytes, completed: (offset, lengths).

        As long as no line is left out, what was handed on is as long as what was read, and the
        lines stand end to end; only where the lengths differ is each line looked for.
        """
        chunk_start, self._read_to = self._read_to, self._read_to + len(chunk)
        last_lf = chunk.rfind(b"\n")
        if last_lf < 0:
            return []
        start, self._line_start = self._line_start, chunk_start + last_lf + 1
        if len(good) == self._line_start - start:
            return [(start, lengths_of(good))]
        if not good:
            return []
        if chunk_start - start > _backend.MAX_LINE_BYTES:  # never a good line, and never in memory
            start = chunk_start + chunk.find(b"\n") + 1
        return self._looked_for(start, good)

    def close(self) -> None:
        """Nothing to do: the descriptor belongs to who gave it."""

    def _looked_for(self, start: int, good: bytes) -> list[tuple[int, list[int]]]:
        lines = os.pread(self.fd, self._line_start - start, start).split(b"\n")[:-1]
        starts = [start]
        for line in lines:
            starts.append(starts[-1] + len(line) + 1)
        kept = good.split(b"\n")[:-1]
        return [(starts[at], [len(lines[at]) + 1]) for at in positions(lines, kept)]


class SpoolStore:
    """Good lines kept in a nameless temporary file (0600), end to end."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="agenttrace-", buffering=0)  # noqa: SIM115
        self.fd = self._file.fileno()
        self._end = 0

    def offsets(self, chunk: bytes, good: bytes) -> list[tuple[int, list[int]]]:
        """Keeps `good`; (offset, lengths) of its lines. What `chunk` was is of no matter."""
        if not good:
            return []
        start = self._end
        rest = memoryview(good)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._end += len(good)
        return [(start, lengths_of(good))]

    def close(self) -> None:
        """Closes the temporary file, which is its end."""
        self._file.close()


def lengths_of(lines: bytes) -> list[int]:
    """The length of each line, its LF included."""
    return [length + 1 for length in map(len, lines.split(b"\n")[:-1])]
