"""TraceReader: events, and what was damaged."""

from __future__ import annotations

import collections
import gc
import io
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from agenttrace import (
    ChecksumError,
    Event,
    TraceFormatError,
    Tracer,
    TraceReader,
    TruncatedTraceError,
    UnsupportedVersionError,
    _backend,
)
from tests.library.reading import ROOT, VECTORS, events, of_kind, report


def test_an_event_says_what_its_line_says(path: pathlib.Path) -> None:
    """The members, the data, and the line itself byte for byte."""
    with Tracer(path) as tracer, tracer.span("outer") as outer:
        tracer.log("hello")
    assert b"".join(event.raw for event in events(path)) == path.read_bytes()
    log = of_kind(path, "log")[0]
    line = json.loads(log.raw)
    assert (log.v, log.trace_id, log.ts, log.seq, log.kind) == (
        line["v"], line["trace_id"], line["ts"], line["seq"], line["kind"],
    )  # fmt: skip
    assert log.span_id == outer.span_id
    assert (log.data, log.crc32c) == (line["data"], line["crc32c"])
    assert abs(log.ts_ns - time.time_ns()) < 60e9
    assert repr(log) == f"Event(seq=2, kind='log', span_id='{outer.span_id}')"
    assert log == Event(log.raw)
    assert len({log, Event(log.raw)}) == 1


def test_an_event_of_a_bad_line_raises_what_is_wrong() -> None:
    """Nothing is taken from a line that does not open."""
    good = (VECTORS / "whole.jsonl").read_bytes().split(b"\n")[0]
    with pytest.raises(ChecksumError):
        _ = Event(good.replace(b'"seq":0', b'"seq":1')).seq
    with pytest.raises(TraceFormatError):
        _ = Event(b"{}").kind


def test_sealed_data_that_is_not_json_is_a_format_error() -> None:
    """A seal says that bytes are as they were written, not that they are JSON."""
    line = b'{"v":1,"trace_id":"%s","ts":"2026-11-22T06:40:00.123456789Z","seq":0,"kind":"log","data":{no}}'
    event = Event(_backend.seal(line % (b"1" * 32)))
    assert event.kind == "log"
    with pytest.raises(TraceFormatError, match="not JSON"):
        _ = event.data


def test_a_trace_is_read_from_a_path_a_file_or_standard_input(path: pathlib.Path) -> None:
    """Three sources, the same events; a file that was given open stays open."""
    whole = (VECTORS / "whole.jsonl").read_bytes()
    path.write_bytes(whole)
    code = "from agenttrace import TraceReader; print(sum(1 for _ in TraceReader('-')))"
    piped = subprocess.run(
        [sys.executable, "-c", code],
        input=whole,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert int(piped.stdout) == whole.count(b"\n")
    assert events(path) == events(str(path)) == events(io.BytesIO(whole))
    with open(path, "rb") as file:
        assert len(events(file)) == whole.count(b"\n")
        assert not file.closed


def test_a_reader_is_lazy_and_closes_what_it_opened(path: pathlib.Path) -> None:
    """A loop that is left early leaves no open file; with an error neither."""
    with Tracer(path) as tracer:
        for _ in range(5000):
            tracer.log("x" * 200)
    reader = TraceReader(path)
    assert next(iter(reader)).seq == 0
    gc.collect()
    assert reader._file.closed
    with TraceReader(path) as unread:
        pass
    assert unread._file.closed


def test_start_skips_to_a_number(path: pathlib.Path) -> None:
    """start=N: the first event is N; a conversation is whole all the same."""
    assert [event.seq for event in events(VECTORS / "whole.jsonl", start=8)][0] == 8
    late = events(VECTORS / "whole.jsonl", start=6, full=True)[0]
    expected = json.loads((VECTORS / "whole.seq6-expanded.json").read_bytes())
    assert late.data["request"] == expected


def _found(path: Any, **how: Any) -> list[str]:
    reader = TraceReader(path, **how)
    collections.deque(reader, 0)
    return [finding.kind for finding in reader.findings]


def test_damage_is_left_out_and_told() -> None:
    """The good lines pass, before and behind; the finding says where, expected and got."""
    reader = TraceReader(VECTORS / "flipped.jsonl")
    seqs = [event.seq for event in reader]
    assert 4 not in seqs
    assert {3, 5} <= set(seqs)
    first = reader.findings[0]
    assert (first.kind, first.line) == ("checksum_mismatch", 5)
    raw = (VECTORS / "flipped.jsonl").read_bytes()
    assert raw[first.offset :].startswith(b'{"v":')
    assert raw[: first.offset].count(b"\n") == 4
    assert first.expected != first.got
    assert reader.report()["status"] == "corrupt"


EXPECTED = json.loads((VECTORS / "expected.json").read_bytes())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_reader_judges_as_the_vectors_say(name: str) -> None:
    """The status of every vector."""
    assert report(VECTORS / name)["status"] == EXPECTED[name]["status"]


@pytest.mark.parametrize(
    ("name", "error", "before"),
    [
        ("flipped.jsonl", ChecksumError, [0, 1, 2, 3]),
        ("cut.jsonl", TruncatedTraceError, list(range(7))),
        ("no-end.jsonl", TruncatedTraceError, list(range(11))),
        ("newer.jsonl", UnsupportedVersionError, None),
        ("gone.jsonl", TraceFormatError, [0, 1, 2, 3, 4]),
        ("welded.jsonl", TraceFormatError, [0, 1, 2, 3]),
        ("empty.jsonl", TraceFormatError, []),
    ],
)
def test_strict_raises_at_the_first_finding(
    name: str, error: type[TraceFormatError], before: list[int] | None
) -> None:
    """The events before it come first, and the right class says what kind it is."""
    seen = []
    reader = TraceReader(VECTORS / name, strict=True)
    with pytest.raises(error) as caught:  # noqa: PT012
        for event in reader:
            seen.append(event.seq)
    assert type(caught.value) is error
    assert caught.value.finding is reader.findings[0]
    assert before is None or seen == before
    assert reader._file.closed


def test_strict_reads_a_whole_trace_to_its_end() -> None:
    """Nothing to raise at; a selection does not change what is found."""
    assert len(events(VECTORS / "whole.jsonl", strict=True)) == len(events(VECTORS / "whole.jsonl"))
    selection = _backend.Selection(kinds=["llm_request"])
    chosen = events(VECTORS / "whole.jsonl", strict=True, selection=selection)
    assert {event.kind for event in chosen} == {"llm_request"}
    seen = []
    with pytest.raises(ChecksumError):  # noqa: PT012
        for event in TraceReader(VECTORS / "flipped.jsonl", strict=True, selection=selection):
            seen.append(event)
    assert all(event.seq < 4 for event in seen)


def test_judging_parts_waives_what_parts_lack() -> None:
    """judge="partial" for filtered traces, "lines" for each line alone."""
    assert "sequence_gap" in _found(VECTORS / "gone.jsonl")
    assert _found(VECTORS / "gone.jsonl", judge="partial") == []
    assert _found(VECTORS / "no-start.jsonl", judge="lines") == []
    assert "sequence_repeat" in _found(VECTORS / "twice.jsonl", judge="partial")


def test_a_base_that_is_missing_is_told_once() -> None:
    """The request that can't be had in full is left out, with one finding of its own kind."""
    reader = TraceReader(VECTORS / "no-base.jsonl", full=True)
    seqs = [event.seq for event in reader]
    told = [finding for finding in reader.findings if finding.kind == "missing_base"]
    assert [finding.seq for finding in told] == [6]
    assert 6 not in seqs
    alone = TraceReader(VECTORS / "no-base.jsonl", full=True, judge="lines")
    collections.deque(alone, 0)
    assert [(finding.kind, finding.seq) for finding in alone.findings] == [("missing_base", 6)]


def test_a_reader_follows_a_trace_to_its_end(path: pathlib.Path) -> None:
    """follow=True hands on each event as it is written, and ends with trace_end."""
    tracer = Tracer(path)
    seen: list[str] = []
    arrived = threading.Event()

    def follow() -> None:
        for event in TraceReader(path, follow=True):
            seen.append(event.kind)
            arrived.set()

    thread = threading.Thread(target=follow)
    thread.start()
    assert arrived.wait(5)
    arrived.clear()
    tracer.log("more")
    assert arrived.wait(5)
    tracer.close()
    thread.join(5)
    assert not thread.is_alive()
    assert seen == ["trace_start", "log", "trace_end"]


def test_following_a_pipe_ends_with_the_pipe() -> None:
    """Nothing comes after a pipe's end, whether the trace has ended or not."""
    read_end, write_end = os.pipe()
    os.write(write_end, (VECTORS / "no-end.jsonl").read_bytes())
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        assert len(events(pipe, follow=True)) == 11


def test_a_line_over_the_limit_is_dropped_as_it_streams_by(path: pathlib.Path) -> None:
    """max_line_bytes bounds memory; what follows is read."""
    with Tracer(path) as tracer:
        tracer.log("x" * 5000)
        tracer.log("short")
    reader = TraceReader(path, max_line_bytes=2000)
    assert [event.kind for event in reader] == ["trace_start", "log", "trace_end"]
    assert reader.findings[0].kind == "malformed"
