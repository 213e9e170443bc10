"""Writes whole lines to a file descriptor, and knows what to do when that fails half way.

Knows nothing of what a line holds.
"""

from __future__ import annotations

import errno
import os
import select

from agenttrace._pure import words
from agenttrace._pure.zst import library

FRAME_BYTES = 8 * 1024 * 1024
# Syncing these is no error: a pipe or a terminal has nothing to sync.
_NOTHING_TO_SYNC = frozenset({errno.EINVAL, errno.EROFS, errno.ENOTSUP})


class _CutWrite(Exception):
    """A write failed after some bytes."""

    def __init__(self, written: int, error: OSError) -> None:
        super().__init__(written, error)
        self.written = written
        self.error = error


def write_all(fd: int, data: bytes) -> None:
    """Waits where the descriptor is non-blocking. An error has the descriptor as its file."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            select.select([], [fd], [])
        except OSError as error:
            raise OSError(error.errno, error.strerror, fd) from None


def _write_all(fd: int, data: bytes) -> None:
    view, written = memoryview(data), 0
    while written < len(data):
        # One write as a rule. After a short one the next says why (disk full, limit, closed);
        # a pipe's reader may also just have been slow.
        try:
            count = os.write(fd, view[written:])
            if count == 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        except OSError as error:
            raise _CutWrite(written, error) from None
        written += count


def _cut_back(fd: int, count: int) -> bool:
    """Takes the last `count` bytes off the file again -> whether that was possible."""
    try:
        # The position is behind our last write, also with O_APPEND; a pipe has none.
        position = os.lseek(fd, 0, os.SEEK_CUR)
        if os.fstat(fd).st_size != position:
            return False  # someone else has appended: what stands at the end isn't ours
        os.ftruncate(fd, position - count)
        os.lseek(fd, position - count, os.SEEK_SET)
    except OSError:
        return False
    return True


class Output:
    """Where a writer's lines go: plain bytes."""

    def __init__(self, fd: int, first_lf: bool, sync: bool) -> None:
        self._fd = fd
        self._needs_lf = first_lf
        self._sync = sync
        self._sync_failed = False

    def put(self, lines: bytes, is_last: bool = False) -> int:
        """Writes whole lines -> their bytes. On OSError `kept` says how many of them stand."""
        self._refuse_after_failed_sync()
        lead = b"\n" if self._needs_lf else b""
        try:
            _write_all(self._fd, lead + lines)
        except _CutWrite as cut:
            raise self._after_cut(lead, lines, cut) from None
        self._needs_lf = False
        self._sync_now(len(lines))
        return len(lines)

    def _after_cut(self, lead: bytes, lines: bytes, cut: _CutWrite) -> Unwritten:
        written = cut.written - len(lead)
        kept = lines.rfind(b"\n", 0, max(written, 0)) + 1
        # A lone LF stands: it ends a torn line, and the next must not be torn from it.
        if written >= 0:
            self._needs_lf = False
        if written > kept and not _cut_back(self._fd, written - kept):
            self._needs_lf = True
        return Unwritten(cut.error, kept)

    def _refuse_after_failed_sync(self) -> None:
        if self._sync_failed:
            raise Unwritten(OSError(errno.EIO, words.SYNC_FAILED), 0)

    def _sync_now(self, count: int) -> None:
        if not self._sync:
            return
        try:
            getattr(os, "fdatasync", os.fsync)(self._fd)
        except OSError as error:
            if error.errno in _NOTHING_TO_SYNC:
                return
            # The system clears the error and drops the pages: a second try would say all is well.
            self._sync_failed = True
            _cut_back(self._fd, count)
            raise Unwritten(error, 0) from None


class Unwritten(Exception):
    """Lines were not written, the first `kept` bytes of them excepted."""

    def __init__(self, error: OSError, kept: int) -> None:
        super().__init__(error, kept)
        self.error = error
        self.kept = kept


class PackedOutput(Output):
    """Where a writer's lines go: a zstd stream, a block flush each time."""

    def __init__(self, fd: int, first_lf: bool, sync: bool) -> None:
        super().__init__(fd, first_lf, sync)
        self._library = library()
        self._start_frame()

    def _start_frame(self) -> None:
        self._frame = self._library.compressor()
        self._in_frame: list[bytes] = []
        self._frame_bytes = 0

    def put(self, lines: bytes, is_last: bool = False) -> int:
        """As of Output; `is_last` closes the frame."""
        self._refuse_after_failed_sync()
        data = b"\n" + lines if self._needs_lf else lines
        is_full = is_last or self._frame_bytes + len(data) >= FRAME_BYTES
        packed = self._frame.pack(data, is_full)
        try:
            _write_all(self._fd, packed)
        except _CutWrite as cut:
            self._mend(cut.written)
            raise Unwritten(cut.error, 0) from None
        self._needs_lf = False
        self._in_frame.append(data)
        self._frame_bytes += len(data)
        if is_full:
            self._start_frame()
        self._sync_now(len(packed))
        return len(lines)

    def _mend(self, written: int) -> None:
        """Packing can't be undone: the frame is packed again without what was not written."""
        if written and not _cut_back(self._fd, written):
            # Readers drop what they hold of a broken frame: no LF is needed.
            self._start_frame()
            return
        before, total = self._in_frame, self._frame_bytes
        self._start_frame()
        for data in before:
            self._frame.pack(data, False)
        self._in_frame, self._frame_bytes = before, total


def open_output(fd: int, compress: bool, first_lf: bool, sync: bool) -> Output:
    """The output for a writer's options."""
    return (PackedOutput if compress else Output)(fd, first_lf, sync)
