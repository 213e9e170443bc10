"""TraceIndex: the events of a trace in any order: by row, by number, by kind, by span, errors.

What is kept in memory is where the lines are and little more (9 bytes an event, 80 a span); the lines are
read from the file when they are asked for. There is no index file: reading a gigabyte again takes
about a second, and a second file could be stale, or lie.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from agenttrace import _backend, errors
from agenttrace.event import Event, Finding
from agenttrace.line_store import Spool, is_plain_file

CHUNK_BYTES = 1 << 18
STEP_S = 0.05


class TraceIndex:
    """The good lines of a trace by row, 0 to `len()` - 1, in file order; damaged ones are left out.

    source: a path, or an open descriptor (then `name` says what to call it; `close()` closes it).
    Reads all of it at once, on all free cores; with `read=False` that is left to `step`. A plain file
    may grow: `update()` goes on where the last one ended. A pipe or a packed file is read to its end
    and kept, unpacked, in a temporary file.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | int,
        name: str | None = None,
        *,
        read: bool = True,
        max_line_bytes: int = _backend.MAX_LINE_BYTES,
    ) -> None:
        self.name = name if name is not None else str(source)
        self._fd = source if isinstance(source, int) else os.open(source, os.O_RDONLY)
        status = os.fstat(self._fd)
        if stat.S_ISDIR(status.st_mode):
            os.close(self._fd)
            raise IsADirectoryError(21, "Is a directory", self.name)
        self._is_regular = stat.S_ISREG(status.st_mode)
        self._origin = os.lseek(self._fd, 0, os.SEEK_CUR) if self._is_regular else 0
        self._max_line_bytes = max_line_bytes
        self._is_over = False
        self._kept: list[Finding] = []
        self._spool: Spool | None = None
        self.bytes_read = 0
        self._begin()
        if read:
            try:
                self.update()
            except BaseException:
                self.close()
                raise

    def _begin(self) -> None:
        """With the first bytes it shows whether the file is packed."""
        is_plain = is_plain_file(self._fd)
        if self._spool is not None:
            self._spool.close()
        self._spool = None if is_plain else Spool()
        self._index = _backend.Index(spooled=not is_plain)
        self._scanner = _backend.Scanner(
            judge="trace",
            allow_unsealed=True,
            max_line_bytes=self._max_line_bytes,
            index=self._index,
        )

    @property
    def is_plain(self) -> bool:
        """Whether lines are read from the file itself, which may then grow."""
        return self._spool is None

    def update(self) -> int:
        """Reads what the file has more by now; how many events that were. A pipe is read to its end."""
        before = len(self._index)
        while self.step():
            pass
        return len(self._index) - before

    def step(self, seconds: float = STEP_S) -> bool:
        """Reads on for about so long. False: there is no more, or not yet."""
        if self._spool is None:
            return self._step_in_place(seconds)
        if self._is_over:
            return False
        chunk = self._read_some()
        lines = self._scanner.feed(chunk) if chunk else self._scanner.finish()
        self._spool.add(lines)
        self._is_over = not chunk
        return bool(chunk)

    def _step_in_place(self, seconds: float) -> bool:
        size = os.fstat(self._fd).st_size - self._origin
        if self.bytes_read >= size:
            return False
        if not self.bytes_read and not is_plain_file(self._fd):
            self._begin()  # it was empty when it was opened
            return True
        start, end = self._origin + self.bytes_read, self._origin + size
        count = self._scanner.judge_file(self._fd, start, end, seconds=seconds)
        if not count:
            chunk = os.pread(self._fd, min(CHUNK_BYTES, size - self.bytes_read), start)
            self._scanner.judge_only(chunk)
            count = len(chunk)
        self.bytes_read += count
        return bool(count)

    def _read_some(self) -> bytes:
        if self._is_regular:
            chunk = os.pread(self._fd, CHUNK_BYTES, self._origin + self.bytes_read)
        else:
            chunk = os.read(self._fd, CHUNK_BYTES)
        self.bytes_read += len(chunk)
        return chunk

    def close(self) -> None:
        """Closes the file, and the temporary one."""
        os.close(self._fd)
        if self._spool is not None:
            self._spool.close()

    def __enter__(self) -> TraceIndex:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, row: int) -> Event:
        """The event of a row; negative ones count from the end. IndexError; TraceFormatError if the
        file was changed and the line is not that event any more, whole and sealed."""
        row = row + len(self) if row < 0 else row
        if row < 0:
            raise IndexError("no such row")
        event = Event(self.line(row))
        try:
            found = (event.trace_id, event.seq, event.kind, event.span_id)
        except errors.TraceFormatError:
            found = None
        if found != self._index.row(row):
            raise errors.TraceFormatError(
                f"{self.name}: the line of row {row} was changed since it was read"
            )
        return event

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def line(self, row: int) -> bytes:
        """The line with its LF, as it stands in the file now. IndexError."""
        offset, length = self._index.place(row)
        return os.pread(self._store, length, self._base + offset)

    def length(self, row: int) -> int:
        """The line's length in bytes, without reading it."""
        return self._index.place(row)[1]

    def row_of(self, seq: int, trace_id: str | None = None) -> int | None:
        """The row of an event by its number, in this trace if the file holds several."""
        return self._index.row_of(seq, trace_id)

    def rows(
        self,
        *,
        kinds: list[str] | None = None,
        span_id: str | None = None,
        trace_id: str | None = None,
        errors: bool = False,
    ) -> Iterator[int]:
        """The rows of which all that is given holds, in order, found as they are asked for."""
        row = -1
        while True:
            found = self._index.find(
                row + 1, kinds=kinds, span_id=span_id, trace_id=trace_id, errors=errors
            )
            if found is None:
                return
            yield found
            row = found

    def events(self, **wanted: Any) -> Iterator[Event]:
        """The events of `rows(…)`."""
        return map(self.__getitem__, self.rows(**wanted))

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with the trace, as far as it was read: the first hundred."""
        return [*self._keep_findings(), *(Finding(*found) for found in self._at_end()[2])]

    @property
    def status(self) -> str:
        """`intact`, `incomplete`, `unsupported` or `corrupt` as verify says it, as far as it was read."""
        return self._at_end()[0]

    @property
    def findings_total(self) -> int:
        """How many findings there are."""
        return self._at_end()[1]

    def _at_end(self) -> tuple[str, int, list[tuple[Any, ...]]]:
        if self.is_plain:
            return self._scanner.peek_end()
        return self._scanner.report()[0], self._scanner.findings_total, []

    def _keep_findings(self) -> list[Finding]:
        self._kept += [Finding(*found) for found in self._scanner.take_findings()]
        return self._kept

    @property
    def has_ended(self) -> bool:
        """Whether every trace of the file has its trace_end."""
        return self._scanner.all_ended

    @property
    def _store(self) -> int:
        return self._fd if self._spool is None else self._spool.fd

    @property
    def _base(self) -> int:
        return self._origin if self._spool is None else 0
