"""Where the good lines of a stream are, and what they are. Takes 24 bytes an event; the core's takes 9."""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Iterable
from itertools import accumulate
from typing import Callable, Optional

from agenttrace._pure.line import Line

_NO_ROW = 0xFFFFFFFF
_NO_NS = 0xFFFFFFFFFFFFFFFF


class _Span:
    """A span, or with the id 0 what of a trace is in none."""

    __slots__ = ("trace", "id", "parent", "title_row", "first_ns", "last_ns")

    def __init__(self, trace: int, span_id: int) -> None:
        self.trace = trace
        self.id = span_id
        self.parent = self.first_ns = self.last_ns = 0
        self.title_row = _NO_ROW


class Index:
    """The rows of a stream's good lines, filled by the Scanner that it is given to."""

    def __init__(self, *, spooled: bool = False) -> None:
        self._is_spooled = spooled
        self._starts = array("Q")
        self._lengths = array("I")
        self._end = 0
        self._gaps: list[int] = []  # rows behind which something else stands than a row
        self._kinds = array("I")
        self._kind_names: dict[str, int] = {}
        self._spans_of_rows = array("I")
        self._spans: list[_Span] = []
        self._spans_by_id: dict[tuple[int, int], int] = {}
        self._runs: list[tuple[int, int, int]] = []  # first row, trace, its number
        self._traces: dict[str, int] = {}
        self._errors = array("I")

    def __len__(self) -> int:
        return len(self._starts)

    def place(self, row: int) -> tuple[int, int]:
        """(offset, length with the LF) of a row's line."""
        self._check(row)
        return self._starts[row], self._lengths[row]

    def stretch(self, first: int, limit_bytes: int) -> tuple[int, int, int]:
        """(offset, bytes, rows) of the rows from `first` on that stand end to end."""
        self._check(first)
        gap = bisect.bisect_left(self._gaps, first)
        last = self._gaps[gap] if gap < len(self._gaps) else len(self) - 1
        row, size = first, self._lengths[first]
        while row < last and size + self._lengths[row + 1] <= limit_bytes:
            row += 1
            size += self._lengths[row]
        return self._starts[first], size, row + 1 - first

    def row(self, row: int) -> tuple[str, int, str, Optional[str]]:
        """(trace_id, seq, kind, span_id) of a row."""
        self._check(row)
        run = self._runs[bisect.bisect_right(self._runs, (row, len(self._traces), 0)) - 1]
        span = self._spans[self._spans_of_rows[row]]
        trace_id = list(self._traces)[run[1]]
        kind = list(self._kind_names)[self._kinds[row]]
        return trace_id, run[2] + row - run[0], kind, f"{span.id:016x}" if span.id else None

    def span_of(self, row: int) -> int:
        """The row's span, by its place in `spans()`."""
        self._check(row)
        return self._spans_of_rows[row]

    def row_of(self, seq: int, trace_id: Optional[str] = None) -> Optional[int]:
        """The first row with this number, of this trace if one is given."""
        wanted = None if trace_id is None else self._traces.get(_trace_id(trace_id), -1)
        ends = [*(run[0] for run in self._runs[1:]), len(self)]
        for (first, trace, number), end in zip(self._runs, ends):
            row = first + seq - number
            if first <= row < end and wanted in (None, trace):
                return row
        return None

    def find(
        self,
        start: int,
        step: int = 1,
        *,
        kinds: Optional[list[str]] = None,
        trace_id: Optional[str] = None,
        span_id: Optional[str] = None,
        errors: bool = False,
    ) -> Optional[int]:
        """The nearest row from `start` on (step 1), or before `start` (step -1), with all of this."""
        holds = self._test(kinds, trace_id, span_id)
        return next(filter(holds, self._candidates(min(start, len(self)), step, errors)), None)

    def _candidates(self, start: int, step: int, errors: bool) -> Iterable[int]:
        if not errors:
            return range(start, len(self)) if step >= 0 else range(start - 1, -1, -1)
        at = bisect.bisect_left(self._errors, start)
        return self._errors[at:] if step >= 0 else reversed(self._errors[:at])

    def _test(
        self, kinds: Optional[list[str]], trace_id: Optional[str], span_id: Optional[str]
    ) -> Callable[[int], bool]:
        numbers = None if kinds is None else {self._kind_names.get(kind) for kind in kinds}
        trace = None if trace_id is None else self._traces.get(_trace_id(trace_id), -1)
        span = None if span_id is None else _span_id(span_id)

        def holds(row: int) -> bool:
            found = self._spans[self._spans_of_rows[row]]
            return (
                (numbers is None or self._kinds[row] in numbers)
                and trace in (None, found.trace)
                and span in (None, found.id)
            )

        return holds

    @property
    def errors(self) -> int:
        """How many rows are errors."""
        return len(self._errors)

    def spans(self) -> tuple[list[str], list[bytes]]:
        """The traces; and the spans, as arrays of native numbers."""
        spans = self._spans
        arrays = (
            array("I", [span.trace for span in spans]),
            array("Q", [span.id for span in spans]),
            array("Q", [span.parent for span in spans]),
            array("I", [span.title_row for span in spans]),
            array("Q", [span.first_ns for span in spans]),
            array("Q", [span.last_ns for span in spans]),
        )
        return list(self._traces), [numbers.tobytes() for numbers in arrays]

    def rows_by_span(self, end: int) -> tuple[bytes, bytes]:
        """For each span where its rows begin in the second; the rows before `end`."""
        of_rows = self._spans_of_rows[:end]
        counts = [0] * (len(self._spans) + 1)
        for span in of_rows:
            counts[span + 1] += 1
        # Sorting keeps what is equal in its order.
        rows = sorted(range(len(of_rows)), key=of_rows.__getitem__)
        return array("I", accumulate(counts)).tobytes(), array("I", rows).tobytes()

    def _check(self, row: int) -> None:
        if not 0 <= row < len(self):
            raise IndexError("no such row")

    def push(self, offset: int, length: int, line: Line, is_error: bool) -> None:
        """The next good line of the stream."""
        row = len(self)
        if self._is_spooled:
            offset = self._end
        if row and offset > self._end:
            self._gaps.append(row - 1)
        self._end = offset + length
        trace = self._traces.setdefault(line.trace_id, len(self._traces))
        whole = self._span(trace, 0)
        if not self._goes_on(row, trace, line.seq):
            self._runs.append((row, trace, line.seq))
        if is_error:
            self._errors.append(row)
        number = self._span(trace, int(line.span_id or "0", 16))
        self._kinds.append(self._kind_names.setdefault(line.kind, len(self._kind_names)))
        self._spans_of_rows.append(number)
        self._tell_span(self._spans[number], self._spans[whole], line, row)
        self._lengths.append(length)
        self._starts.append(offset)

    def _goes_on(self, row: int, trace: int, seq: int) -> bool:
        if not self._runs:
            return False
        first, of, number = self._runs[-1]
        return of == trace and number + row - first == seq

    def _tell_span(self, span: _Span, whole: _Span, line: Line, row: int) -> None:
        ns = ns_of(line.ts)
        if span.title_row == _NO_ROW and span.id:
            span.first_ns = ns
        if span.title_row == _NO_ROW or line.kind == "span_start":
            span.title_row = row
        whole.first_ns = whole.first_ns or ns
        span.parent = span.parent or (int(line.parent_span_id or "0", 16) if span.id else 0)
        for told in (span, whole):
            told.last_ns = max(told.last_ns, ns)

    def _span(self, trace: int, span_id: int) -> int:
        number = self._spans_by_id.get((trace, span_id))
        if number is None:
            number = self._spans_by_id[trace, span_id] = len(self._spans)
            self._spans.append(_Span(trace, span_id))
        return number


def ns_of(ts: str) -> int:
    """Nanoseconds since 1970 of a time whose form is good; what lies before 1970 counts as that day."""
    year, month, day = int(ts[:4]), int(ts[5:7]), int(ts[8:10])
    year -= month <= 2 and year > 0
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = year // 400 * 146_097 + year % 400 * 365 + year % 400 // 4 - year % 400 // 100
    days = max(0, days + day_of_year - 719_468)
    seconds = days * 86_400 + int(ts[11:13]) * 3600 + int(ts[14:16]) * 60 + int(ts[17:19])
    return min(seconds * 1_000_000_000 + int(ts[20:29]), _NO_NS)


def _trace_id(text: str) -> str:
    if len(text) != 32 or not set(text) <= set("0123456789abcdef") or not int(text, 16):
        raise ValueError("no trace id")
    return text


def _span_id(text: str) -> int:
    if len(text) != 16 or not set(text) <= set("0123456789abcdefABCDEF"):
        raise ValueError("no span id")
    return int(text, 16)
