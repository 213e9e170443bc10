"""SpanTree: the spans of a trace, what is in them folded until it is asked for."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from agenttrace.text_cleaning import clean_line
from agenttrace.tui import summary
from agenttrace.tui.index import LiveIndex
from agenttrace.tui.painting import fitted, width_of
from agenttrace.tui.spans import SpanForest, TreeRow
from agenttrace.tui.widgets.row_list import RowList

_DEEPEST_INDENT = 16
_RIGHT_WIDTH = 18
# What a span is called by the event that opens it.
_SPAN_NAMES = {
    "trace_start": "trace",
    "span_start": "span",
    "llm_request": "llm",
    "tool_call": "tool",
    "http_request": "http",
    "process_start": "process",
}


class SpanTree(RowList):
    """The rows of a SpanForest; empty until it is given one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "unfold", "Unfold", show=False),
        Binding("left,h", "fold", "Fold", show=False),
        Binding("plus", "unfold_all", "Unfold all", show=False),
        Binding("minus", "fold_all", "Fold all", show=False),
    ]

    def __init__(self, index: LiveIndex, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._index = index
        self._forest: SpanForest | None = None
        self._unfolded: set[int] = set()
        self._open_folds: set[int] = set()
        self._rows: list[TreeRow] = []

    def show_forest(self, forest: SpanForest) -> None:
        """Shows these spans."""
        self._forest = forest
        self._unfolded = set(forest.unfolded_at_first)
        self._open_folds.clear()
        self._rows = list(forest.first_rows)
        self.reload()

    @property
    def forest_rows(self) -> int:
        """How many of the trace's rows the tree was built from."""
        return self._forest.row_count if self._forest else 0

    def row_count(self) -> int:
        """As many as are not folded away."""
        return len(self._rows)

    def empty_lines(self) -> list[str]:
        """Why there is nothing, and what to press."""
        if self._forest is None and len(self._index):
            return ["Reading the spans …"]
        return ["Nothing here.", "", "Press t for the list of events."]

    def event_row(self) -> int | None:
        """The trace's row that the cursor stands for."""
        if not self._rows or self._forest is None:
            return None
        row = self._rows[self.cursor]
        return row.first if row.first >= 0 else self._forest[row.span].title_row

    def show_event_row(self, event_row: int) -> None:
        """Puts the cursor on that event or what it is folded into, its outer spans opened."""
        if self._forest is None:
            return
        path = self._forest.path_to(self._forest.span_of(self._index, event_row))
        if not self._unfolded.issuperset(path[1:]):
            self._unfolded.update(path[1:])
            self._lay_out()
        self._find(event_row)

    def _find(self, event_row: int) -> None:
        """Puts the cursor on the row of an event; where that is folded away, on its span."""
        assert self._forest is not None
        own = self._forest.span_of(self._index, event_row)
        spans = set(self._forest.path_to(own))
        best = None
        for at, row in enumerate(self._rows):
            if row.first < 0:
                best = at if row.span in spans else best
            elif row.first == event_row and row.events == 1:
                best = at
                break
            elif row.events > 1 and row.span == own and row.first <= event_row:
                best = at
        if best is not None:
            self.cursor = best
            # How far can be scrolled is known when the new rows are laid out.
            self.call_after_refresh(self._follow_cursor)

    def _lay_out(self) -> None:
        """All rows anew; folds of events are closed again."""
        self._open_folds.clear()
        if self._forest is not None:
            self._rows = self._forest.visible(self._unfolded)
        self.reload()

    def row_pieces(self, row: int, width: int) -> list[tuple[str, str]]:
        """`  ▾ tool_call search("…")            1.20s · 3 events`"""
        found = self._rows[row]
        indent = "  " * min(found.depth, _DEEPEST_INDENT)
        if found.events > 1:
            mark = "▾" if self._is_open(found) else "▸"
            return [(f"{indent}{mark} … {summary.count(found.events, 'event')}", "dim")]
        if found.events == 1:
            return [(f"{indent}· ", "dim"), *self._title(found.first, self._error(found))]
        return self._span_pieces(found, indent, width)

    def _error(self, row: TreeRow) -> bool:
        if row.first >= 0:
            return self._index.is_error(row.first)
        return self._forest is not None and self._forest.has_error(row.span)

    def _title(
        self, event_row: int | None, is_error: bool, name_of_span: bool = False
    ) -> list[tuple[str, str]]:
        event = self._index.event(event_row) if event_row is not None else None
        if event is None:
            return [("(not readable)", "dim")]
        style = "error" if is_error else summary.style_of(event.kind)
        kind = _SPAN_NAMES.get(event.kind, event.kind) if name_of_span else event.kind
        return [(f"{kind} ", style), (summary.summary(event), "strong" if name_of_span else "")]

    def _span_pieces(self, row: TreeRow, indent: str, width: int) -> list[tuple[str, str]]:
        assert self._forest is not None
        span = self._forest[row.span]
        mark = "▾" if self._is_open(row) else "▸"
        left = [(f"{indent}{mark} ", "error" if span.has_error else "dim")]
        if span.span_id is None:
            name = self._title(span.title_row, False, True)[1:]
            left += [("trace ", "frame"), *(name or [(span.trace_id, "strong")])]
        else:
            left += self._title(span.title_row, span.has_error, True)
        right = f"{summary.duration(span.duration_ns):>7} {span.events_total:>9,}"
        if width < 3 * _RIGHT_WIDTH:
            return left
        return [*_in_width(left, width - _RIGHT_WIDTH - 1), (" " + right, "dim")]

    def action_choose(self) -> None:
        """Folds of events open; anything else is shown in full."""
        if self._rows and self._rows[self.cursor].events > 1:
            self.action_unfold()
        else:
            super().action_choose()

    def action_unfold(self) -> None:
        """Opens what the cursor stands on; where that is open, goes in."""
        if not self._rows or self._forest is None:
            return
        row = self._rows[self.cursor]
        if row.events == 1:
            return
        if self._is_open(row):
            self.cursor += 1
            return
        self._note_open(row, True)
        below = self.cursor + 1
        self._rows[below:below] = self._forest.visible(self._unfolded, row)
        self.reload()

    def action_fold(self) -> None:
        """Closes what the cursor stands on; where that is closed, goes to what it is in."""
        if not self._rows:
            return
        row = self._rows[self.cursor]
        if not self._is_open(row):
            self._to_outer(row)
            return
        self._note_open(row, False)
        below = end = self.cursor + 1
        while end < len(self._rows) and self._rows[end].depth > row.depth:
            self._open_folds.discard(self._rows[end].first)
            end += 1
        del self._rows[below:end]
        self.reload()

    def _is_open(self, row: TreeRow) -> bool:
        if row.first >= 0:
            return row.events > 1 and row.first in self._open_folds
        return row.span in self._unfolded

    def _note_open(self, row: TreeRow, is_open: bool) -> None:
        noted, key = (self._open_folds, row.first) if row.first >= 0 else (self._unfolded, row.span)
        if is_open:
            noted.add(key)
        else:
            noted.discard(key)

    def _to_outer(self, row: TreeRow) -> None:
        at = self.cursor
        while at > 0 and self._rows[at].depth >= row.depth:
            at -= 1
        self.cursor = at

    def action_unfold_all(self) -> None:
        """Opens every span; folds of events stay."""
        if self._forest is not None:
            self._refold(set(range(len(self._forest))))

    def action_fold_all(self) -> None:
        """Closes every span; what is in the traces themselves stays."""
        if self._forest is not None:
            self._refold(set(self._forest.roots))

    def _refold(self, unfolded: set[int]) -> None:
        """Lays the tree out in a thread: a million rows take seconds."""
        forest, at = self._forest, self.event_row()
        assert forest is not None

        def lay_out() -> None:
            rows = forest.visible(unfolded)
            self.app.call_from_thread(self._show_rows, rows, unfolded, at)

        self.run_worker(lay_out, thread=True, exclusive=True)

    def _show_rows(self, rows: list[TreeRow], unfolded: set[int], at: int | None) -> None:
        self._rows, self._unfolded = rows, unfolded
        self._open_folds.clear()
        self.reload()
        if at is not None:
            self._find(at)


def _in_width(pieces: list[tuple[str, str]], width: int) -> list[tuple[str, str]]:
    """The pieces in exactly `width` cells."""
    found, left = [], width
    for text, style in pieces[:-1]:
        text = clean_line(text)
        text = fitted(text, min(left, width_of(text)))
        left -= width_of(text)
        found.append((text, style))
    text, style = pieces[-1]
    return [*found, (fitted(text, left), style)]
