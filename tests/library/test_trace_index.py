"""TraceIndex: events in any order, read from the file when they are asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agenttrace import TraceFormatError, TraceIndex, Tracer, TraceReader
from tests.contract.making import line, trace
from tests.tui.stage import write_weather


@pytest.mark.parametrize("is_packed", [False, True])
def test_events_in_any_order(tmp_path: Path, is_packed: bool) -> None:
    """By row, number, kind, span; errors; the same events that a reader hands on."""
    path = write_weather(tmp_path / "t", compress=is_packed)
    events = list(TraceReader(path))
    with TraceIndex(path) as index:
        assert len(index) == len(events)
        assert list(index) == events
        assert (index[-1], index[3]) == (events[-1], events[3])
        assert index.row_of(7) == index.row_of(7, events[0].trace_id) == 7
        for kind in {event.kind for event in events}:
            assert list(index.events(kinds=[kind])) == [e for e in events if e.kind == kind]
        span = events[5].span_id
        assert list(index.events(span_id=span)) == [e for e in events if e.span_id == span]
        assert list(index.events(errors=True)) == [e for e in events if e.is_error]
        assert (index.status, index.findings, index.has_ended) == ("intact", [], True)
        with pytest.raises(IndexError):
            index[len(events)]
        with pytest.raises(IndexError):
            index[-len(events) - 1]


def test_a_growing_file_is_read_on(tmp_path: Path) -> None:
    """Also one that was empty at first; a line is an event when its LF is there."""
    path, lines = tmp_path / "t", trace(20)
    path.touch()
    with TraceIndex(path) as index, open(path, "ab", buffering=0) as file:
        assert (len(index), index.status) == (0, "incomplete")
        for number, one in enumerate(lines):
            file.write(one[:30])
            assert index.update() == 0
            assert [found.kind for found in index.findings][:1] == ["torn_line"]
            file.write(one[30:])
            assert index.update() == 1
            assert index[number].raw == one
        assert (index.status, index.findings) == ("intact", [])


def test_a_packed_file_that_was_empty_at_first(tmp_path: Path) -> None:
    """What it is shows with its first bytes."""
    packed = write_weather(tmp_path / "packed", compress=True).read_bytes()
    (tmp_path / "t").touch()
    with TraceIndex(tmp_path / "t") as index:
        (tmp_path / "t").write_bytes(packed)
        assert index.update() == 38
        assert index[37].kind == "trace_end"


def test_a_line_that_was_changed_is_no_event(tmp_path: Path) -> None:
    """Gone, damaged, or another event of the same length, well sealed."""
    path, lines = tmp_path / "t", trace(5)
    path.write_bytes(b"".join(lines))
    with TraceIndex(path) as index:
        lines[1], lines[2] = lines[2], lines[1]
        lines[3] = lines[3][:-30] + b"x" + lines[3][-29:]
        lines[4] = line(4, "log", b'{"message":"number 9"}')
        path.write_bytes(b"".join(lines[:-1]))
        for row in (1, 2, 3, 6):
            with pytest.raises(TraceFormatError, match=f"row {row} was changed"):
                index[row]
        assert index[5].raw == lines[5]


def test_a_trace_that_is_written_now(tmp_path: Path) -> None:
    """A Tracer writes, the index follows."""
    with Tracer(tmp_path / "t", flush="event") as tracer, TraceIndex(tmp_path / "t") as index:
        before = len(index)
        tracer.log("one")
        assert index.update() == 1
        assert index[before].data["message"] == "one"
        assert not index.has_ended


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    """The system's own errors, and no descriptor left open."""
    before = len(os.listdir("/dev/fd"))
    for path, error in ((tmp_path / "none", FileNotFoundError), (tmp_path, IsADirectoryError)):
        with pytest.raises(error):
            TraceIndex(path)
    assert len(os.listdir("/dev/fd")) == before
