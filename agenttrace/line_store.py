"""Where the bytes of a trace's good lines are read again: in the file itself, or in a spool.

A plain file is its own store: its lines are read by position and nothing is copied, however large
it is. What can be read only once or only in order (a pipe, a packed file) is spooled: its good
lines go, unpacked, into a temporary file without a name, open to nobody else and gone with us.

Why not read a packed file by its frames: `zstd` makes one frame of a whole file, and with ours a
line would cost eight megabytes of unpacking. The spool costs room in TMPDIR, as much as the trace has unpacked.
"""

from __future__ import annotations

import os
import stat
import tempfile

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE_MAGIC = b"\x2a\x4d\x18"  # behind one byte 0x50 to 0x5f


def is_plain_file(fd: int) -> bool:
    """Whether `fd` is a regular file whose bytes are the trace's lines themselves."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        return False
    first = os.pread(fd, 4, os.lseek(fd, 0, os.SEEK_CUR))
    return first != _ZSTD_MAGIC and first[1:] != _SKIPPABLE_MAGIC


class Spool:
    """Good lines kept in a nameless temporary file (0600), end to end."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="agenttrace-", buffering=0)  # noqa: SIM115
        self.fd = self._file.fileno()

    def add(self, lines: bytes) -> None:
        """Keeps these behind what is there."""
        rest = memoryview(lines)
        while rest:
            rest = rest[self._file.write(rest) :]

    def close(self) -> None:
        """Closes the temporary file, which is its end."""
        self._file.close()
