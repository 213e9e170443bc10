"""The index: every good line at its row, from the right place, whatever the file is like."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from agenttrace import _backend, trace_index
from agenttrace.reader import TraceReader
from agenttrace.tui import index as index_module
from agenttrace.tui.index import positions
from agenttrace.tui.run_facts import read_facts
from tests.tui.stage import VECTORS, TraceFile, loaded, write_weather

ALL_VECTORS = sorted(path.name for path in VECTORS.glob("*.jsonl"))


def lines_of(path: Path) -> list[bytes]:
    """The good lines as the reader hands them on."""
    return [event.raw for event in TraceReader(path)]


@pytest.mark.parametrize("chunk_bytes", [1 << 18, 100, 7])
@pytest.mark.parametrize("name", ALL_VECTORS)
def test_rows_are_the_good_lines(
    name: str, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the file is damaged and however it is cut into chunks."""
    monkeypatch.setattr(trace_index, "CHUNK_BYTES", chunk_bytes)
    index = loaded(VECTORS / name)
    assert [index.line(row) for row in range(len(index))] == lines_of(VECTORS / name)
    assert index.failure is None
    index.close()


@pytest.mark.parametrize("name", ALL_VECTORS)
def test_status_and_findings_are_those_of_the_reader(name: str) -> None:
    """The header says what verify says."""
    reader = TraceReader(VECTORS / name)
    assert all(reader)
    index = loaded(VECTORS / name)
    assert index.status == reader.report()["status"]
    assert index.findings == reader.findings
    index.close()


@pytest.mark.parametrize("name", ["whole.jsonl", "flipped.jsonl", "welded.jsonl", "empty.jsonl"])
def test_a_pipe_is_spooled(name: str) -> None:
    """What can be read only once gives the same rows."""
    out, into = os.pipe()
    with open(into, "wb") as pipe:
        pipe.write((VECTORS / name).read_bytes())
    index = loaded(out)
    assert [index.line(row) for row in range(len(index))] == lines_of(VECTORS / name)
    index.close()


def test_the_spool_has_no_name_and_is_closed_to_others() -> None:
    """Nothing of a trace that was piped in is left behind or readable for another user."""
    out, into = os.pipe()
    os.close(into)
    index = loaded(out)
    status = os.fstat(index._store)
    assert status.st_nlink == 0
    assert stat.S_IMODE(status.st_mode) == 0o600
    index.close()


def test_a_packed_file_is_unpacked(tmp_path: Path) -> None:
    """By its first bytes, not by its name."""
    packed = write_weather(tmp_path / "packed", compress=True)
    plain = write_weather(tmp_path / "plain")
    index = loaded(packed)
    assert [index.line(row) for row in range(len(index))] == lines_of(plain)
    assert index.status == "intact"
    index.close()


def test_a_file_on_standard_input_is_read_from_where_it_stands() -> None:
    """As cat does: who read the first line from the descriptor has read it."""
    fd = os.open(VECTORS / "whole.jsonl", os.O_RDONLY)
    first = lines_of(VECTORS / "whole.jsonl")[0]
    os.lseek(fd, len(first), os.SEEK_SET)
    index = loaded(fd)
    assert index.line(0) == lines_of(VECTORS / "whole.jsonl")[1]
    index.close()


def test_errors_are_found_by_row(tmp_path: Path) -> None:
    """Next and previous error, from any row."""
    index = loaded(write_weather(tmp_path / "t", chunks=2))
    failed = [row for row in range(len(index)) if index.event(row).is_error]
    assert list(index.rows(errors=True)) == failed == [14]
    assert index.next_error(0, 1) == 14
    assert index.next_error(14, 1) is None
    assert index.next_error(15, -1) == 14
    assert index.is_error(14)
    assert not index.is_error(13)
    index.close()


def test_a_filtered_pipe_is_partial_and_a_damaged_one_corrupt() -> None:
    """Lines that a filter left out are no damage; a flipped byte is."""
    for name, status in (("gone.jsonl", "partial"), ("flipped.jsonl", "corrupt")):
        out, into = os.pipe()
        with open(into, "wb") as pipe:
            pipe.write((VECTORS / name).read_bytes())
        index = loaded(out)
        assert index.status == status
        index.close()


def test_a_file_that_is_cut_while_it_is_open_shows_no_wrong_event(tmp_path: Path) -> None:
    """A row whose bytes are gone, or others, is no event."""
    path = write_weather(tmp_path / "t")
    index = loaded(path)
    os.truncate(path, 100)
    assert index.event(0) is None
    assert index.event(len(index) - 1) is None
    index.close()


def test_rows_can_be_read_while_the_pipe_is_still_open() -> None:
    """A live pipe shows what has come; closing the index doesn't wait for the rest."""
    out, into = os.pipe()
    os.write(into, (VECTORS / "whole.jsonl").read_bytes())
    index = index_module.LiveIndex(out, "pipe")
    index.start()
    for _ in range(500):
        if len(index) == 12:
            break
        threading.Event().wait(0.01)
    assert index.event(11).kind == "trace_end"
    assert not index.is_complete
    index.close()
    assert index.is_complete
    os.close(into)


def test_a_file_that_grows_is_followed(tmp_path: Path) -> None:
    """What is added is there soon; the verdict changes with it."""
    path, lines = tmp_path / "t", lines_of(VECTORS / "whole.jsonl")
    path.write_bytes(b"".join(lines[:5]))
    index = loaded(path)
    assert (len(index), index.status) == (5, "incomplete")
    assert [finding.kind for finding in index.findings] == ["no_end"]
    with open(path, "ab") as file:
        file.write(b"".join(lines[5:]))
    for _ in range(500):
        if len(index) == 12 and index.status == "intact":
            break
        threading.Event().wait(0.01)
    assert (len(index), index.status, index.findings) == (12, "intact", [])
    index.close()


def test_a_folder_is_no_trace(tmp_path: Path) -> None:
    """It is refused with the system's own words."""
    with pytest.raises(IsADirectoryError):
        index_module.LiveIndex(str(tmp_path))


def test_blocks_hold_all_rows_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where damaged lines stand between them."""
    monkeypatch.setattr(index_module, "BLOCK_BYTES", 600)
    index = loaded(VECTORS / "flipped.jsonl")
    found = [line + b"\n" for _, lines in index.blocks() for line in lines]
    assert found == lines_of(VECTORS / "flipped.jsonl")
    index.close()


def test_positions_of_lines_among_lines() -> None:
    """The first equal line behind the last one found."""
    assert positions([b"a", b"b", b"a", b"c"], [b"a", b"a", b"c"]) == [0, 2, 3]


def test_facts_of_a_run_are_read_from_its_ends(tmp_path: Path) -> None:
    """Name, status and totals, packed or not; what is no trace says so."""
    for path in (write_weather(tmp_path / "a"), write_weather(tmp_path / "b", compress=True)):
        facts = read_facts(path)
        assert (facts.name, facts.status, facts.total("llm_calls")) == ("weather agent", "ok", 2)
        assert facts.started == "2026-11-26 06:40:00"
    trace = TraceFile(tmp_path / "c")
    trace.add("trace_start", name="cut", command=None)
    assert read_facts(trace.cut_off()).status == "no end"
    (tmp_path / "d").write_bytes(b'{"type":"user"}\n')
    assert read_facts(tmp_path / "d").status == "not a trace"
    assert read_facts(tmp_path / "none").status == "No such file or directory"


def test_a_long_trace_is_indexed_without_opening_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200,000 events: the core reads them; Python opens not one."""
    path = tmp_path / "long.jsonl"
    write_long(path, 200_000)
    opened = []
    real = _backend.open_line
    monkeypatch.setattr(_backend, "open_line", lambda line: opened.append(1) or real(line))
    index = loaded(path)
    assert len(index) == 200_000
    assert not opened
    assert index.event(150_000).seq == 150_000
    assert len(opened) == 1
    index.close()


def write_long(path: Path, events: int) -> None:
    """A trace of many small events, cut off before its end."""
    head = b'{"v":1,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","ts":"2026-11-22T06:40:00.%09dZ"'
    with open(path, "wb") as file:
        for seq in range(events):
            kind = b"stdout" if seq else b"trace_start"
            line = head + b',"seq":%d,"kind":"%s","data":{"text":"line %d"}}'
            file.write(_backend.seal(line % (seq, seq, kind, seq)))
