"""EventList: a trace's events, one row each: number, time since the start, kind, what happened."""

from __future__ import annotations

from agenttrace.tui.index import LiveIndex
from agenttrace.tui.painting import fitted
from agenttrace.tui.search import Search
from agenttrace.tui.summary import style_of, summary
from agenttrace.tui.widgets.row_list import RowList

_KIND_WIDTH = 13


class EventList(RowList):
    """The rows of a LiveIndex."""

    def __init__(self, index: LiveIndex, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._index = index
        self._start_ns: int | None = None
        self.search: Search | None = None

    def row_count(self) -> int:
        """As many as were found so far."""
        return len(self._index)

    def empty_lines(self) -> list[str]:
        """Why there is nothing, and what to press."""
        if self._index.failure:
            return ["This trace can't be read.", "", "Press q to leave."]
        if not self._index.is_complete:
            return ["Waiting for the first event …", "", "Press q to leave."]
        if self._index.findings_total:
            return ["No whole event in this file.", "", "Press ! to see what is wrong, q to leave."]
        return ["This trace is empty.", "", "Press q to leave."]

    def row_pieces(self, row: int, width: int) -> list[tuple[str, str]]:
        """`  7  +1.250 llm_request   gpt-5 · 2 messages · user: …`"""
        digits = max(4, len(str(len(self._index))))
        event = self._index.event(row)
        if event is None:
            return [(f"{row:>{digits}} ", "dim"), ("this line was changed in the file", "error")]
        error = self._index.is_error(row)
        style = "error" if error else style_of(event.kind)
        is_match = self.search is not None and self.search.has(row)
        mark = "!" if error else "/" if is_match else " "
        return [
            (f"{event.seq:>{digits}}", "dim"),
            (mark, "error" if error else "match"),
            (f"{self._since_start(event.ts_ns):>8} ", "dim"),
            (fitted(event.kind, _KIND_WIDTH) + " ", style),
            (summary(event), "match" if is_match else ""),
        ]

    def _since_start(self, ts_ns: int) -> str:
        if self._start_ns is None:
            first = self._index.event(0)
            self._start_ns = first.ts_ns if first is not None else ts_ns
        return since(ts_ns - self._start_ns)


def since(ns: int) -> str:
    """`+0.031`, `+2:05.1`, `+1:02:05`: never over eight characters below ten hours."""
    sign = "-" if ns < 0 else "+"
    tenths, ms = abs(ns) // 100_000_000, abs(ns) // 1_000_000
    seconds = tenths // 10
    if seconds < 60:
        return f"{sign}{ms // 1000}.{ms % 1000:03d}"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{sign}{minutes}:{seconds:02d}.{tenths % 10}"
    return f"{sign}{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
