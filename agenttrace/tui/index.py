"""LiveIndex: a TraceIndex that a thread fills while the screen is up, and goes on to where the file grows.

Not a widget. Reading, checking and unpacking happen in the core, which lets go of the interpreter.
"""

from __future__ import annotations

import bisect
import os
import select
import threading
from array import array
from collections.abc import Iterator

from agenttrace import errors
from agenttrace.event import Event, Finding
from agenttrace.trace_index import TraceIndex

BLOCK_BYTES = 1 << 21
_GROWTH_S = 0.2  # how often a file is looked at that may still grow
# Missing in a stream that was filtered or is still growing, where it is no damage.
_OF_PARTIAL = frozenset(
    (
        *("sequence_gap", "no_start", "no_end", "torn_line"),
        *("count_mismatch", "chain_mismatch", "missing_base"),
    )
)


class LiveIndex(TraceIndex):
    """The lines of one trace by row; those before `len()` can be read, there may come more.

    source: a path, or an open descriptor (then `name` says what to call it). The descriptor is
    closed by `close()`.
    """

    def __init__(self, source: str | int, name: str | None = None) -> None:
        super().__init__(source, name, read=False)
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._woken, self._waker = os.pipe()  # closing the one end wakes who waits at the other
        self._read_all = threading.Event()
        self._count = 0
        self._said: tuple[str, int, list[Finding]] = ("intact", 0, [])
        self.size_bytes = os.fstat(self._fd).st_size - self._origin if self._is_regular else None
        self.failure: str | None = None

    def __len__(self) -> int:
        return self._count

    def start(self) -> None:
        """Begins to read, in a thread that ends with the process."""
        self._thread = threading.Thread(target=self._load, name="trace-index", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Until all is read that is there."""
        if self._thread is not None:
            self._read_all.wait(timeout_s)

    def close(self) -> None:
        """Stops reading, also where it waits for a silent pipe, and closes all."""
        self._stop.set()
        os.close(self._waker)
        if self._thread is not None:
            self._thread.join()
        os.close(self._woken)
        super().close()

    def event(self, row: int) -> Event | None:
        """The event of a row; None if the file was changed under us and the line is gone."""
        try:
            return self[row]
        except (errors.TraceFormatError, IndexError):
            return None

    def blocks(self, start: int = 0, end: int | None = None) -> Iterator[tuple[int, list[bytes]]]:
        """Rows `start` to `end` as (first row, lines without LF), some two megabytes at a time."""
        end = self._count if end is None else end
        while start < end and not self._stop.is_set():
            offset, size, rows = self._index.stretch(start, BLOCK_BYTES)
            lines = os.pread(self._store, size, self._base + offset).split(b"\n")[:-1]
            yield start, lines[: end - start]
            start += rows

    def is_error(self, row: int) -> bool:
        """Whether the row's event is an error, as FORMAT.md defines it."""
        return self._index.find(row, errors=True) == row

    def next_error(self, row: int, step: int) -> int | None:
        """The nearest row with an error behind `row` (step 1) or before it (step -1)."""
        return self.next_row(row, step, errors=True)

    def next_row(self, row: int, step: int, **wanted: object) -> int | None:
        """The nearest row behind `row` (step 1) or before it (step -1), as `Index.find` is asked."""
        start = row + 1 if step > 0 else max(row, 0)
        found: int | None = self._index.find(start, step, **wanted)  # type: ignore[arg-type]
        return found if found is not None and found < self._count else None

    def span_of(self, row: int) -> int:
        """The span of a row, by its place in `spans()`."""
        return self._index.span_of(row)

    def spans(self) -> tuple[list[str], list[bytes]]:
        """The spans, as `Index.spans` has them."""
        return self._index.spans()

    def rows_by_span(self, end: int) -> tuple[bytes, bytes]:
        """The rows before `end` by span, as `Index.rows_by_span` has them."""
        return self._index.rows_by_span(end)

    @property
    def errors_total(self) -> int:
        """How many events are errors."""
        return self._index.errors

    @property
    def progress(self) -> float | None:
        """The share that is read, 0 to 1; None where the size isn't known."""
        if not self.size_bytes:
            return None
        return min(1.0, self.bytes_read / self.size_bytes)

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with the trace, so far: the first hundred."""
        return self._said[2]

    @property
    def findings_total(self) -> int:
        """How many findings there are."""
        return self._said[1]

    @property
    def status(self) -> str:
        """`intact`, `incomplete`, `unsupported` or `corrupt` as verify says it, so far.

        Of a pipe also `partial`: nothing is damaged, but lines are missing that a filter may have
        left out.
        """
        status, total, findings = self._said
        if self._is_regular or status != "corrupt" or total > len(findings):
            return status
        return "partial" if {finding.kind for finding in findings} <= _OF_PARTIAL else status

    @property
    def is_complete(self) -> bool:
        """Whether all was read that was there; a plain file is still looked after, if its trace has no end."""
        return self._read_all.is_set()

    def _load(self) -> None:
        try:
            self._read_on()
            while self.is_plain and not self.has_ended and not self._stop.wait(_GROWTH_S):
                self._read_on()
        except (OSError, ValueError, errors.AgentTraceError) as error:
            self.failure = str(error)
        self._read_all.set()

    def _read_on(self) -> None:
        """What is there now; the count is published when the lines can be read."""
        while not self._stop.is_set() and self.step():
            status, total = self._scanner.report()[0], self._scanner.findings_total
            self._said = (status, total, list(self._keep_findings()))
            self._count = len(self._index)
        status, total, at_end = self._at_end()
        self._said = (status, total, [*self._keep_findings(), *(Finding(*one) for one in at_end)])
        self._count = len(self._index)
        self._read_all.set()

    def _read_some(self) -> bytes:
        if not self._is_regular:
            ready, _, _ = select.select([self._fd, self._woken], [], [])
            if self._woken in ready:
                return b""
        return super()._read_some()


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
            raise errors.AgentTraceError("the file was changed while it was read") from None
        found.append(at)
    return found
