"""The tree of spans: what is in what, also where a trace is damaged or hostile."""

from __future__ import annotations

from pathlib import Path

from agenttrace.tui.spans import SpanForest, TreeRow
from tests.tui.stage import VECTORS, TraceFile, loaded, write_weather


def forest_of(path: Path) -> SpanForest:
    """The forest of a file."""
    index = loaded(path)
    forest = SpanForest(index)
    index.close()
    return forest


def shape(forest: SpanForest, rows: list[TreeRow]) -> list[str]:
    """Rows as text: depth, and a span's number, an event's row or how many are folded."""
    shown = []
    for row in rows:
        span_id = forest[row.span].span_id
        name = "trace" if span_id is None else f"span {int(span_id, 16)}"
        if row.first >= 0:
            name = f"row {row.first}" if row.events == 1 else f"{row.events} rows"
        shown.append("  " * row.depth + name)
    return shown


def test_spans_stand_where_they_begin(tmp_path: Path) -> None:
    """Events and inner spans in the order of the file; many events are one fold."""
    forest = forest_of(write_weather(tmp_path / "t"))
    call = ["      row {}", "      12 rows", "      row {}", "      span {}"]
    assert shape(forest, forest.first_rows) == [
        "trace",
        "  row 0",
        "  span 1",
        "    row 1",
        "    row 2",
        "    span 16",
        *[line.format(n) for line, n in zip(call, (3, 0, 16, 32))],
        "    span 17",
        *[line.format(n) for line, n in zip(call, (19, 0, 32, 33))],
        "    row 36",
        "  row 35",
        "  row 37",
    ]


def test_events_are_counted_with_what_is_inside(tmp_path: Path) -> None:
    """The trace counts all."""
    forest = forest_of(write_weather(tmp_path / "t"))
    assert [forest[root].events_total for root in forest.roots] == [38]


def test_an_error_marks_all_that_it_is_in(tmp_path: Path) -> None:
    """A folded span doesn't hide it."""
    forest = forest_of(write_weather(tmp_path / "t"))
    failed = [span.span_id for span in forest if span.has_error]
    assert failed == [None, f"{1:016x}", f"{17:016x}", f"{33:016x}"]


def test_interleaved_traces_are_a_tree_each() -> None:
    """The same span number in two traces is two spans."""
    forest = forest_of(VECTORS / "two-traces.jsonl")
    assert len(forest.roots) == 2


def test_spans_in_a_circle_hang_on_the_trace(tmp_path: Path) -> None:
    """A hostile trace hides nothing and holds nothing up."""
    trace = TraceFile(tmp_path / "t")
    trace.add("trace_start", name="circle")
    trace.add("log", 1, 2, message="a")
    trace.add("log", 2, 1, message="b")
    trace.add("log", 3, 3, message="c")
    forest = forest_of(trace.cut_off())
    seen = {row.span for row in forest.visible(set(range(len(forest))))}
    assert seen == set(range(4))


def test_deep_nesting_needs_no_recursion(tmp_path: Path) -> None:
    """Five thousand spans, each in the one before."""
    trace = TraceFile(tmp_path / "t")
    trace.add("trace_start", name="deep")
    for span in range(1, 5001):
        trace.add("log", span, span - 1 or None, message="deeper")
    forest = forest_of(trace.cut_off())
    assert max(row.depth for row in forest.first_rows) == 5000
