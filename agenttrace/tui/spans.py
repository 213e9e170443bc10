"""SpanForest: the spans of a trace and what is in them, as rows of a tree. Not a widget.

Built by a thread from what the index knows of spans; no line is read. All is kept in arrays, some
100 bytes a span and 4 an event. A hostile trace may hold spans in a circle, or nested without end:
circles are cut, and nothing here recurses.
"""

from __future__ import annotations

import bisect
from array import array
from itertools import accumulate
from typing import NamedTuple

from agenttrace.tui.index import LiveIndex

ROOT = -1
# More events than this side by side, of one kind or without a span, stand folded in one row.
_UNFOLDED_EVENTS = 8
_NO_ROW = 0xFFFFFFFF


class Span(NamedTuple):
    """One span, or a whole trace with what is in no span (`span_id` None)."""

    trace_id: str
    span_id: str | None
    title_row: int | None
    duration_ns: int
    has_error: bool
    events_total: int


class TreeRow(NamedTuple):
    """A row of the tree: a span (`span`, no rows), one event, or a fold of several events."""

    depth: int
    span: int
    first: int = -1
    events: int = 0


class SpanForest:
    """The spans of the rows that were there when it was built."""

    def __init__(self, index: LiveIndex) -> None:
        self.row_count = len(index)
        self._read(index)
        self.roots = [at for at, span_id in enumerate(self._ids) if not span_id]
        self._parents = self._linked()
        self._cut_circles()
        self._child_starts, self._children = self._sorted_by_parent()
        self._events = self._counted()
        self._failed = bytearray(len(self))
        self._mark_errors(index)
        self.unfolded_at_first = {
            at for at in range(len(self)) if self._has_children(at) or not self._ids[at]
        }
        self.first_rows = self.visible(self.unfolded_at_first)

    def _read(self, index: LiveIndex) -> None:
        starts, rows = index.rows_by_span(self.row_count)
        self._row_starts, self._rows = array("I", starts), array("I", rows)
        # Spans stand as they came: the last may have come since, with no row of ours.
        count = len(self._row_starts) - 1
        while count and self._row_starts[count - 1] == self._row_starts[count]:
            count -= 1
        self._trace_ids, arrays = index.spans()
        numbers = [array(code, bytes_) for code, bytes_ in zip("IQQIQQ", arrays)]
        self._traces, self._ids, self._parent_ids = (one[:count] for one in numbers[:3])
        self._titles, self._first_ns, self._last_ns = (one[:count] for one in numbers[3:])

    def __len__(self) -> int:
        """How many spans there are, the traces themselves among them."""
        return len(self._ids)

    def __getitem__(self, at: int) -> Span:
        title = self._titles[at]
        return Span(
            self._trace_ids[self._traces[at]],
            f"{self._ids[at]:016x}" if self._ids[at] else None,
            title if title < self.row_count else None,
            self._last_ns[at] - self._first_ns[at],
            bool(self._failed[at]),
            self._events[at],
        )

    def _linked(self) -> array[int]:
        """The parent of each span; where it has none in the trace, the trace itself."""
        by_id: dict[tuple[int, int], int] = {}
        for at, key in enumerate(zip(self._traces, self._ids)):
            by_id[key] = at
        parents = array("i")
        for trace, span_id, parent_id in zip(self._traces, self._ids, self._parent_ids):
            root = by_id[trace, 0]
            parents.append(by_id.get((trace, parent_id), root) if span_id else ROOT)
        return parents

    def _sorted_by_parent(self) -> tuple[array[int], array[int]]:
        """For each span where its children begin in the second, as all spans in the order of their first rows."""
        counts = [0] * (len(self) + 1)
        for parent in self._parents:
            counts[parent + 1] += parent != ROOT
        starts = array("I", accumulate(counts))
        following, children = starts[:], array("I", bytes(4 * starts[-1]))
        for at, parent in enumerate(self._parents):
            if parent != ROOT:
                children[following[parent]] = at
                following[parent] += 1
        return starts, children

    def _children_of(self, at: int) -> array[int]:
        return self._children[self._child_starts[at] : self._child_starts[at + 1]]

    def _has_children(self, at: int) -> bool:
        return self._child_starts[at] < self._child_starts[at + 1]

    def _rows_of(self, at: int) -> array[int]:
        return self._rows[self._row_starts[at] : self._row_starts[at + 1]]

    def _counted(self) -> array[int]:
        """The events of a span with all that is inside it: from the innermost outwards."""
        outwards = array("I", self.roots)
        for at in outwards:
            outwards.extend(self._children_of(at))
        events = array(
            "I", [end - start for start, end in zip(self._row_starts, self._row_starts[1:])]
        )[: len(self)]
        for at in reversed(outwards):
            if self._parents[at] != ROOT:
                events[self._parents[at]] += events[at]
        return events

    def _cut_circles(self) -> None:
        """A span whose parents lead back to itself hangs on its trace."""
        root_of = {self._traces[root]: root for root in self.roots}
        is_rooted = bytearray(len(self))
        for at in range(len(self)):
            path, on_path = [], set()
            while at != ROOT and not is_rooted[at]:
                if at in on_path:
                    self._parents[at] = root_of[self._traces[at]]
                    break
                path.append(at)
                on_path.add(at)
                at = self._parents[at]
            for passed in path:
                is_rooted[passed] = 1

    def _mark_errors(self, index: LiveIndex) -> None:
        for row in index.rows(errors=True):
            if row >= self.row_count:
                break
            at = self.span_of(index, row)
            while at != ROOT and not self._failed[at]:
                self._failed[at] = 1
                at = self._parents[at]

    def has_error(self, at: int) -> bool:
        """Whether there is an error in the span, or in what is inside it."""
        return bool(self._failed[at])

    def span_of(self, index: LiveIndex, row: int) -> int:
        """The span that a row's event is in; ROOT if the row came later."""
        return index.span_of(row) if 0 <= row < self.row_count else ROOT

    def path_to(self, span: int) -> list[int]:
        """The span and what it is in, outwards."""
        path = []
        while span != ROOT:
            path.append(span)
            span = self._parents[span]
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
        rows = self._rows_of(fold.span)
        start = bisect.bisect_left(rows, fold.first)
        return [
            TreeRow(fold.depth + 1, fold.span, row, 1) for row in rows[start : start + fold.events]
        ]

    def _inside(self, at: int, depth: int) -> list[TreeRow]:
        """What is in a span, in file order: its events, and its spans where they begin."""
        rows = self._rows_of(at)
        inside: list[TreeRow] = []
        start = 0
        for child in self._children_of(at):
            stop = bisect.bisect_left(rows, self._first_row(child), start)
            inside += _events(at, depth, rows[start:stop])
            inside.append(TreeRow(depth, child))
            start = stop
        return inside + _events(at, depth, rows[start:])

    def _first_row(self, at: int) -> int:
        return self._rows[self._row_starts[at]]


def _events(span: int, depth: int, rows: array[int]) -> list[TreeRow]:
    """Events side by side; where they are many all but the first and the last are one fold."""
    if len(rows) <= _UNFOLDED_EVENTS:
        return [TreeRow(depth, span, row, 1) for row in rows]
    fold = TreeRow(depth, span, rows[1], len(rows) - 2)
    return [TreeRow(depth, span, rows[0], 1), fold, TreeRow(depth, span, rows[-1], 1)]
