"""SpanForest: the spans of a trace and what is in them, as rows of a tree. Not a widget.

Built by a thread in one pass over the index, from the fixed head of each line; no `data` is
parsed. A hostile trace may hold spans in a circle, or nested without end: circles are cut, and
nothing here recurses.
"""

from __future__ import annotations

import bisect
import time
from array import array
from typing import NamedTuple

from agenttrace import _backend
from agenttrace.errors import TraceFormatError
from agenttrace.event import parse_ts
from agenttrace.tui.index import TraceIndex

ROOT = -1
# More events than this side by side, of one kind or without a span, stand folded in one row.
_UNFOLDED_EVENTS = 8


class Span:
    """One span, or a whole trace with what is in no span (`span_id` None). Rows ascend."""

    __slots__ = (
        *("trace_id", "span_id", "parent_id", "parent", "children", "rows"),
        *("title_row", "first_ts", "last_ts", "has_error", "events_total"),
    )

    def __init__(self, trace_id: str, span_id: str | None) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_id: str | None = None
        self.parent = ROOT
        self.children: list[int] = []
        self.rows = array("I")
        self.title_row: int | None = None
        self.first_ts = self.last_ts = ""
        self.has_error = False
        self.events_total = 0

    @property
    def first_row(self) -> int:
        """Where it is first seen."""
        return self.rows[0]

    @property
    def duration_ns(self) -> int:
        """From its first event to its last."""
        return parse_ts(self.last_ts) - parse_ts(self.first_ts)


class TreeRow(NamedTuple):
    """A row of the tree: a span (`span`, no rows), one event, or a fold of several events."""

    depth: int
    span: int
    first: int = -1
    events: int = 0


class SpanForest:
    """The spans of the rows that were there when it was built."""

    def __init__(self, index: TraceIndex) -> None:
        self.spans: list[Span] = []
        self.roots: list[int] = []
        self.row_count = len(index)
        self._ids: dict[tuple[str, str | None], int] = {}
        for first, lines in index.blocks(0, self.row_count):
            for number, line in enumerate(lines):
                self._add(first + number, line)
                if number % 500 == 499:
                    time.sleep(0)  # the screen's turn
        self._link()
        self._mark_errors(index)
        self.unfolded_at_first = {
            at for at, span in enumerate(self.spans) if span.children or span.span_id is None
        }
        self.first_rows = self.visible(self.unfolded_at_first)

    def _add(self, row: int, line: bytes) -> None:
        try:
            _, trace_id, ts, _, kind, span_id, parent_id = _backend.open_line(line)[:7]
        except TraceFormatError:  # the file was changed since the row was found
            return
        span = self._span(trace_id, span_id)
        if not span.rows:
            span.first_ts = ts
        span.last_ts = max(ts, span.last_ts)
        span.rows.append(row)
        if parent_id is not None and span.parent_id is None and span_id is not None:
            span.parent_id = parent_id
        if span.title_row is None or kind == "span_start":
            span.title_row = row
        if span_id is not None:
            root = self._span(trace_id, None)
            root.first_ts = root.first_ts or ts
            root.last_ts = max(ts, root.last_ts)

    def _span(self, trace_id: str, span_id: str | None) -> Span:
        at = self._ids.get((trace_id, span_id))
        if at is None:
            at = self._ids[trace_id, span_id] = len(self.spans)
            self.spans.append(Span(trace_id, span_id))
            if span_id is None:
                self.roots.append(at)
        return self.spans[at]

    def _link(self) -> None:
        for span in self.spans:
            if span.span_id is None:
                continue
            root = self._ids[span.trace_id, None]
            span.parent = self._ids.get((span.trace_id, span.parent_id), root)
        self._cut_circles()
        for at, span in enumerate(self.spans):
            if span.parent != ROOT:
                self.spans[span.parent].children.append(at)
        self._count_events()

    def _count_events(self) -> None:
        """The events of a span with all that is inside it: from the innermost outwards."""
        outwards = list(self.roots)
        for at in outwards:
            outwards.extend(self.spans[at].children)
        for at in reversed(outwards):
            span = self.spans[at]
            span.events_total += len(span.rows)
            if span.parent != ROOT:
                self.spans[span.parent].events_total += span.events_total

    def _cut_circles(self) -> None:
        """A span whose parents lead back to itself hangs on its trace."""
        is_rooted = bytearray(len(self.spans))
        for at in range(len(self.spans)):
            path, on_path = [], set()
            while at != ROOT and not is_rooted[at]:
                if at in on_path:
                    self.spans[at].parent = self._ids[self.spans[at].trace_id, None]
                    break
                path.append(at)
                on_path.add(at)
                at = self.spans[at].parent
            for passed in path:
                is_rooted[passed] = 1

    def _mark_errors(self, index: TraceIndex) -> None:
        for row in index.error_rows:
            if row >= self.row_count:
                break
            at = self.span_of(index, row)
            while at != ROOT and not self.spans[at].has_error:
                self.spans[at].has_error = True
                at = self.spans[at].parent

    def span_of(self, index: TraceIndex, row: int) -> int:
        """The span that a row's event is in; ROOT if the row came later or is gone."""
        event = index.event(row)
        if event is None:
            return ROOT
        return self._ids.get((event.trace_id, event.span_id), ROOT)

    def path_to(self, span: int) -> list[int]:
        """The span and what it is in, outwards."""
        path = []
        while span != ROOT:
            path.append(span)
            span = self.spans[span].parent
        return path

    def visible(self, unfolded: set[int], inside: TreeRow | None = None) -> list[TreeRow]:
        """The tree's rows, or those inside of one row that is to be open. unfolded: open spans."""
        rows: list[TreeRow] = []
        if inside is None:
            first = [TreeRow(0, root) for root in self.roots]
        elif inside.events > 1:
            return self._folded(inside)
        else:
            first = self._inside(inside.span, inside.depth + 1)
        open_now = [iter(first)]
        while open_now:
            row = next(open_now[-1], None)
            if row is None:
                open_now.pop()
                continue
            rows.append(row)
            if row.first < 0 and row.span in unfolded:
                open_now.append(iter(self._inside(row.span, row.depth + 1)))
        return rows

    def _folded(self, fold: TreeRow) -> list[TreeRow]:
        """The events of a fold."""
        rows = self.spans[fold.span].rows
        start = bisect.bisect_left(rows, fold.first)
        return [
            TreeRow(fold.depth + 1, fold.span, row, 1) for row in rows[start : start + fold.events]
        ]

    def _inside(self, at: int, depth: int) -> list[TreeRow]:
        """What is in a span, in file order: its events, and its spans where they begin."""
        span = self.spans[at]
        inside: list[TreeRow] = []
        start = 0
        children = sorted(span.children, key=lambda child: self.spans[child].first_row)
        for child in children:
            stop = bisect.bisect_left(span.rows, self.spans[child].first_row, start)
            inside += _events(at, depth, span.rows[start:stop])
            inside.append(TreeRow(depth, child))
            start = stop
        return inside + _events(at, depth, span.rows[start:])


def _events(span: int, depth: int, rows: array[int]) -> list[TreeRow]:
    """Events side by side; where they are many all but the first and the last are one fold."""
    if len(rows) <= _UNFOLDED_EVENTS:
        return [TreeRow(depth, span, row, 1) for row in rows]
    fold = TreeRow(depth, span, rows[1], len(rows) - 2)
    return [TreeRow(depth, span, rows[0], 1), fold, TreeRow(depth, span, rows[-1], 1)]
