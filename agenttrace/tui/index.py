"""TraceIndex: where the good lines of a trace are, found by a thread while the screen is up.

Not a widget. The thread appends and publishes the count last; the screen reads rows below the
count, so no lock is needed. Reading, checking and unpacking happen in the core, which lets go of
the interpreter; what is left here for a thousand lines takes well under a millisecond.
"""

from __future__ import annotations

import bisect
import os
import select
import stat
import threading
from array import array
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from agenttrace import _backend, errors
from agenttrace.event import Event, Finding
from agenttrace.tui.line_store import FileStore, SpoolStore, is_plain_file, positions

CHUNK_BYTES = 1 << 18
BLOCK_BYTES = 1 << 21
_HEAD_BYTES = 400
# Missing in a stream that was filtered or is still growing, where it is no damage.
_OF_PARTIAL = frozenset(
    (
        *("sequence_gap", "no_start", "no_end", "torn_line"),
        *("count_mismatch", "chain_mismatch", "missing_base"),
    )
)


class TraceIndex:
    """The lines of one trace by row, 0 to `len()` - 1, in file order.

    source: a path, or an open descriptor (then `name` says what to call it). The descriptor is
    closed by `close()`.
    """

    def __init__(self, source: str | int, name: str | None = None) -> None:
        self.name = name if name is not None else str(source)
        self._fd = source if isinstance(source, int) else os.open(source, os.O_RDONLY)
        status = os.fstat(self._fd)
        if stat.S_ISDIR(status.st_mode):
            os.close(self._fd)
            raise IsADirectoryError(21, "Is a directory", self.name)
        self._is_regular = stat.S_ISREG(status.st_mode)
        self.size_bytes = status.st_size if self._is_regular else None
        self._store = FileStore(self._fd) if is_plain_file(self._fd) else SpoolStore()
        self._scanner = _backend.Scanner(judge="trace", allow_unsealed=True)
        self._error_scanner = _backend.Scanner(
            judge="lines", selection=_backend.Selection(errors=True)
        )
        self._starts = array("Q")
        self._lengths = array("I")
        self._count = 0
        self._thread: threading.Thread | None = None
        self._is_stopping = False
        self._woken, self._waker = os.pipe()  # closing the one end wakes who waits at the other
        self.error_rows = array("Q")
        self.findings: list[Finding] = []
        self.bytes_read = 0
        self.is_complete = False
        self.failure: str | None = None

    def __len__(self) -> int:
        return self._count

    def start(self) -> None:
        """Begins to read, in a thread that ends with the process."""
        self._thread = threading.Thread(target=self._load, name="trace-index", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Until all is read."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def close(self) -> None:
        """Stops reading, also where it waits for a silent pipe, and closes all."""
        self._is_stopping = True
        os.close(self._waker)
        self.wait()
        os.close(self._woken)
        os.close(self._fd)
        self._store.close()

    def line(self, row: int) -> bytes:
        """The line with its LF; shorter, or of other bytes, if the file was changed meanwhile."""
        return os.pread(self._store.fd, self._lengths[row], self._starts[row])

    def head(self, row: int) -> bytes:
        """The line's beginning, long enough for all that stands before `data` in a sealed line."""
        return os.pread(self._store.fd, min(_HEAD_BYTES, self._lengths[row]), self._starts[row])

    def length(self, row: int) -> int:
        """The line's length in bytes, without reading it."""
        return self._lengths[row]

    def event(self, row: int) -> Event | None:
        """The event of a row; None if the file was changed under us and the line is gone."""
        event = Event(self.line(row))
        try:
            event.seq  # noqa: B018 - opens the line, which checks its seal again
        except errors.TraceFormatError:
            return None
        return event

    def blocks(self, start: int = 0, end: int | None = None) -> Iterator[tuple[int, list[bytes]]]:
        """Rows `start` to `end` as (first row, lines without LF), some two megabytes at a time."""
        end = self._count if end is None else end
        while start < end and not self._is_stopping:
            stop, size = start, 0
            while stop < end and (size < BLOCK_BYTES or stop == start):
                size += self._lengths[stop]
                stop += 1
            yield start, self._block(start, stop, size)
            start = stop

    def _block(self, start: int, stop: int, size: int) -> list[bytes]:
        first = self._starts[start]
        if self._starts[stop - 1] + self._lengths[stop - 1] - first == size:
            return os.pread(self._store.fd, size, first).split(b"\n")[:-1]
        return [self.line(row)[:-1] for row in range(start, stop)]

    def is_error(self, row: int) -> bool:
        """Whether the row's event is an error, as FORMAT.md defines it."""
        return holds(self.error_rows, row)

    def next_error(self, row: int, step: int) -> int | None:
        """The nearest row with an error behind `row` (step 1) or before it (step -1)."""
        return nearest(self.error_rows, row, step)

    @property
    def progress(self) -> float | None:
        """The share that is read, 0 to 1; None where the size isn't known."""
        if not self.size_bytes:
            return None
        return min(1.0, self.bytes_read / self.size_bytes)

    @property
    def status(self) -> str:
        """`intact`, `incomplete`, `unsupported` or `corrupt` as verify says it, so far.

        Of a pipe also `partial`: nothing is damaged, but lines are missing that a filter may have
        left out.
        """
        status: str = self._scanner.report()[0]
        if self._is_regular or status != "corrupt" or self.findings_total > len(self.findings):
            return status
        kinds = {finding.kind for finding in self.findings}
        return "partial" if kinds <= _OF_PARTIAL else status

    @property
    def findings_total(self) -> int:
        """How many findings there are; `findings` keeps the first hundred."""
        return self._scanner.findings_total

    def _load(self) -> None:
        try:
            while not self._is_stopping:
                chunk = self._read()
                if not chunk:
                    break
                self._take(chunk, self._scanner.feed(chunk))
            if not self._is_stopping:
                self._take(b"", self._scanner.finish())
        except (OSError, ValueError, errors.AgentTraceError) as error:
            self.failure = str(error)
        self.is_complete = True

    def _read(self) -> bytes:
        if self._is_regular:
            start = os.lseek(self._fd, 0, os.SEEK_CUR)
            chunk = os.pread(self._fd, CHUNK_BYTES, start + self.bytes_read)
        else:
            ready, _, _ = select.select([self._fd, self._woken], [], [])
            chunk = os.read(self._fd, CHUNK_BYTES) if self._woken not in ready else b""
        self.bytes_read += len(chunk)
        return chunk

    def _take(self, chunk: bytes, good: bytes) -> None:
        for finding in self._scanner.take_findings():
            self.findings.append(Finding(*finding))
        first_row = len(self._starts)
        for start, lengths in self._store.offsets(chunk, good):
            self._starts.extend(accumulate(lengths[:-1], initial=start))
            self._lengths.extend(lengths)
        failed: Any = self._error_scanner.feed(good) if good else b""
        if failed:
            lines = good.split(b"\n")
            rows = positions(lines, failed.split(b"\n")[:-1])
            self.error_rows.extend([first_row + at for at in rows])
        self._count = len(self._starts)


def nearest(rows: array[int] | list[int], row: int, step: int) -> int | None:
    """Of the sorted `rows` the nearest behind `row` (step 1) or before it (step -1)."""
    if step > 0:
        at = bisect.bisect_right(rows, row)
        return rows[at] if at < len(rows) else None
    at = bisect.bisect_left(rows, row)
    return rows[at - 1] if at else None


def holds(rows: array[int] | list[int], row: int) -> bool:
    """Whether `row` is one of the sorted `rows`."""
    at = bisect.bisect_left(rows, row)
    return at < len(rows) and rows[at] == row
