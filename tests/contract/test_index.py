"""The index: where the good lines are, and what they are; both backends alike, however the stream is pushed."""

from __future__ import annotations

import os
import random
from array import array
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.contract.making import OTHER, TRACE, event, line, sealed, trace

VECTORS = Path(__file__).parents[1] / "fixtures" / "vectors"
TRACES = sorted(path.name for path in VECTORS.iterdir() if ".jsonl" in path.name)


def indexed(backend: ModuleType, data: bytes, piece_bytes: int, spooled: bool = False) -> Any:
    """The index of a stream that is pushed in pieces, and the good lines."""
    index = backend.Index(spooled=spooled)
    scanner = backend.Scanner(judge="trace", allow_unsealed=True, index=index)
    good = b""
    for at in range(0, len(data), piece_bytes):
        good += scanner.feed(data[at : at + piece_bytes])
    return index, good + scanner.finish()


def told(index: Any) -> list[Any]:
    """All that an index says."""
    rows = [(index.place(row), index.row(row), index.span_of(row)) for row in range(len(index))]
    return [rows, index.errors, index.spans(), index.rows_by_span(len(index))]


@pytest.mark.parametrize("name", TRACES)
def test_rows_are_the_good_lines(backend: ModuleType, native: ModuleType, name: str) -> None:
    """In the file itself, or end to end; the same from both backends and for any pieces."""
    data = (VECTORS / name).read_bytes()
    spooled, good = indexed(backend, data, 1 << 20, spooled=True)
    lines = good.splitlines(keepends=True)
    places = [spooled.place(row) for row in range(len(spooled))]
    assert [good[start : start + size] for start, size in places] == lines
    if not name.endswith(".zst"):
        index, _ = indexed(backend, data, 1 << 20)
        places = [index.place(row) for row in range(len(index))]
        assert [data[start : start + size] for start, size in places] == lines
        assert told(index) == told(indexed(native, data, 7)[0])
    assert told(spooled) == told(indexed(native, data, 100, spooled=True)[0])


@pytest.mark.parametrize("name", ["flipped.jsonl", "welded.jsonl", "whole.jsonl"])
@pytest.mark.parametrize("piece_bytes", [1, 300, 1 << 18])
def test_a_file_that_threads_read_is_indexed_alike(
    backend: ModuleType, name: str, piece_bytes: int
) -> None:
    """Many threads, pieces of any size, slices of time."""
    data = (VECTORS / name).read_bytes()
    index = backend.Index()
    scanner = backend.Scanner(judge="trace", allow_unsealed=True, index=index)
    scanner.judge_only(data[:5])
    place = 5
    fd = os.open(VECTORS / name, os.O_RDONLY)
    try:
        while place < len(data):
            place += scanner.judge_file(
                fd, place, len(data), seconds=0, threads=8, piece_bytes=piece_bytes
            )
    finally:
        os.close(fd)
    assert told(index) == told(indexed(backend, data, 1 << 20)[0])


def mixed() -> bytes:
    """Two interleaved traces with spans, errors, damage and a line without seal."""
    more = '"span_id":"00000000000000%02x","parent_span_id":"00000000000000ff",'
    lines = []
    for seq, (one, other) in enumerate(zip(trace(8), trace(8, trace=OTHER))):
        lines += [one, other] if seq else [one]
        if seq == 3:
            lines.append(b"damage\n")
        if seq == 4:
            lines.append(event(5, "tool_result", b'{"is_error": true}', more=more % 7) + b"\n")
            lines.append(line(6, "span_start", b'{"name":"s"}', more=more % 7))
    return b"".join(lines)


def test_rows_are_found_by_what_they_are(backend: ModuleType) -> None:
    """By number, kind, span, trace and errors, forwards and backwards."""
    index, _ = indexed(backend, mixed(), 1 << 20)
    rows = [index.row(row) for row in range(len(index))]
    assert {row[0] for row in rows} == {TRACE, OTHER}
    for row, (trace_id, seq, kind, span_id) in enumerate(rows):
        first = next(at for at, one in enumerate(rows) if one[:2] == (trace_id, seq))
        assert index.row_of(seq, trace_id) == first
        assert index.find(row, kinds=[kind], trace_id=trace_id, span_id=span_id) == row
        assert index.find(row + 1, -1, kinds=[kind, "none"]) == row
    failed = next(row for row, one in enumerate(rows) if one[2] == "tool_result")
    assert (index.find(0, errors=True), index.errors) == (failed, 1)
    assert index.find(failed, -1, errors=True) is None
    assert index.find(0, span_id="0000000000000007") == failed
    assert index.find(0, kinds=["none"]) is None
    assert index.find(10**9) is None
    assert index.row_of(10**12) is None
    assert index.row_of(0, "1" * 32) is None
    for wrong in ({"trace_id": "x"}, {"span_id": "x"}):
        with pytest.raises(ValueError, match="no (trace|span) id"):
            index.find(0, **wrong)
    for ask in (index.place, index.row, index.span_of):
        with pytest.raises(IndexError):
            ask(len(rows))


def test_spans_are_told_with_their_rows(backend: ModuleType) -> None:
    """Parent, title, and every row once."""
    index, _ = indexed(backend, mixed(), 1 << 20)
    traces, arrays = index.spans()
    of, ids, parents, titles = (array(code, numbers) for code, numbers in zip("IQQI", arrays))
    assert traces == [TRACE, OTHER]
    at = list(ids).index(7)
    assert (of[at], parents[at]) == (0, 0xFF)
    assert index.row(titles[at])[2] == "span_start"
    starts, rows = (array("I", numbers) for numbers in index.rows_by_span(len(index)))
    assert sorted(rows) == list(range(len(index)))
    assert [index.row(row)[3] for row in rows[starts[at] : starts[at + 1]]] == [f"{7:016x}"] * 2


def test_a_stretch_stands_end_to_end(backend: ModuleType) -> None:
    """It ends at damage and at the limit, and has one row at least."""
    data = mixed()
    index, good = indexed(backend, data, 1 << 20)
    for limit in (1, 500, 1 << 20):
        row, found = 0, b""
        while row < len(index):
            start, size, rows = index.stretch(row, limit)
            assert size <= limit or rows == 1
            found += data[start : start + size]
            row += rows
        assert found == good
    assert index.stretch(0, 1 << 20)[2] < len(index)


def test_more_kinds_than_a_byte_tells(backend: ModuleType) -> None:
    """Each row keeps its own."""
    lines = [line(0, "trace_start")] + [line(seq, f"kind_{seq % 400}") for seq in range(1, 900)]
    index, _ = indexed(backend, b"".join(lines), 1000)
    assert [index.row(row)[2] for row in (399, 799, 256, 3)] == [
        *("kind_399", "kind_399", "kind_256", "kind_3")
    ]
    assert index.find(400, kinds=["kind_399"]) == 799


def test_random_damage_is_indexed_alike(native: ModuleType, pure: ModuleType) -> None:
    """Whatever is flipped, cut out or doubled."""
    chance = random.Random(5)
    whole = mixed()
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            data[at : at + chance.choice((0, 1, 300))] = chance.choice(
                (b"", b"\n", b"x", whole[:99])
            )
        piece = chance.choice((1 << 20, 97))
        assert told(indexed(native, bytes(data), piece)[0]) == told(
            indexed(pure, bytes(data), piece)[0]
        )


def test_times_of_any_year(backend: ModuleType) -> None:
    """A span's first and last, in nanoseconds; what no clock says is clamped."""
    for ts, ns in (
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1969-12-31T00:00:05.000000000Z", 5_000_000_000),
        ("2026-02-29T12:34:56.123456789Z", 1_772_368_496_123_456_789),
        ("2024-02-29T23:59:60.999999999Z", 1_709_251_200_999_999_999),
        ("9999-12-31T23:59:59.999999999Z", 2**64 - 1),
    ):
        body = event(0, "trace_start").replace(b"2026-11-22T06:40:00.123456789Z", ts.encode())
        index, _ = indexed(backend, sealed(body), 1 << 20)
        assert array("Q", index.spans()[1][4])[0] == ns


def test_the_end_is_judged_without_ending(backend: ModuleType) -> None:
    """A file that may still grow: what would be said now, and later."""
    lines = trace()
    scanner = backend.Scanner(judge="trace")
    assert scanner.peek_end()[:2] == ("incomplete", 1)
    scanner.judge_only(b"".join(lines[:-1]) + lines[-1][:9])
    for _ in range(2):
        status, total, findings = scanner.peek_end()
        assert (status, total) == ("incomplete", 2)
        assert [finding[0] for finding in findings] == ["torn_line", "no_end"]
        assert scanner.take_findings() == []
    scanner.judge_only(lines[-1][9:])
    assert scanner.peek_end() == ("intact", 0, [])
    scanner.finish()
    assert scanner.peek_end() == ("intact", 0, [])
