"""Every small damage of a small trace is found, and no damaged line is handed on as a good one."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.conftest import load
from tests.contract.making import OTHER, end, judged, kinds, line, passed, trace

LINES = trace(10)
STREAM = b"".join(LINES)


def verdict(backend: ModuleType, stream: bytes) -> str:
    scanner = backend.Scanner(judge="trace")
    scanner.judge_only(stream)
    scanner.finish()
    return str(scanner.report()[0])


def test_the_trace_itself_is_intact(backend: ModuleType) -> None:
    """Twelve lines without a finding, or nothing below would mean anything."""
    assert judged(backend, STREAM, deep=True) == ("intact", [])
    assert passed(backend, STREAM) == STREAM


def test_every_flipped_bit_is_found(backend: ModuleType) -> None:
    """One at a time, in every byte of the trace."""
    for place in range(len(STREAM) * 8):
        broken = bytearray(STREAM)
        broken[place // 8] ^= 1 << place % 8
        assert verdict(backend, bytes(broken)) in ("corrupt", "incomplete"), place


def test_a_flipped_bit_passes_no_other_line(backend: ModuleType) -> None:
    """What is handed on are the lines that were not hit, byte for byte."""
    for place in range(0, len(STREAM) * 8, 11):
        broken = bytearray(STREAM)
        broken[place // 8] ^= 1 << place % 8
        for one in passed(backend, bytes(broken)).splitlines(keepends=True):
            assert one in LINES


def test_every_deleted_byte_is_found(backend: ModuleType) -> None:
    """Also a deleted LF, which welds two lines."""
    for at in range(len(STREAM)):
        assert verdict(backend, STREAM[:at] + STREAM[at + 1 :]) != "intact", at


@pytest.mark.parametrize("more", [b" ", b"\n", b"\0", b"x"])
def test_every_inserted_byte_is_found(backend: ModuleType, more: bytes) -> None:
    """White space too: a line of ours has none."""
    for at in range(len(STREAM) + 1):
        assert verdict(backend, STREAM[:at] + more + STREAM[at:]) != "intact", at


def test_a_cut_anywhere_leaves_the_longest_whole_prefix(backend: ModuleType) -> None:
    """Never corrupt, always incomplete; exactly the whole lines come back."""
    for length in range(len(STREAM)):
        cut = STREAM[:length]
        assert verdict(backend, cut) == "incomplete"
        assert passed(backend, cut) == cut[: cut.rfind(b"\n") + 1]


@pytest.mark.parametrize("index", range(len(LINES)))
def test_a_deleted_line_is_found(backend: ModuleType, index: int) -> None:
    """By numbering, by the missing first line, by the missing end."""
    found = kinds(backend, b"".join(LINES[:index] + LINES[index + 1 :]))
    first = {0: "no_start", len(LINES) - 1: "no_end"}.get(index, "sequence_gap")
    assert found[0][0] == first


@pytest.mark.parametrize("index", range(len(LINES) - 1))
def test_a_doubled_line_is_found(backend: ModuleType, index: int) -> None:
    """The second one repeats a number."""
    doubled = LINES[: index + 1] + LINES[index:]
    assert ("sequence_repeat", index + 2) in kinds(backend, b"".join(doubled))


@pytest.mark.parametrize("index", range(1, len(LINES) - 2))
def test_swapped_lines_are_found(backend: ModuleType, index: int) -> None:
    """A gap, then a repeat, and a chain of another order."""
    swapped = [*LINES]
    swapped[index], swapped[index + 1] = swapped[index + 1], swapped[index]
    found = kinds(backend, b"".join(swapped))
    wanted = [("sequence_gap", index + 1), ("sequence_repeat", index + 2), ("chain_mismatch", 12)]
    assert found == wanted


def test_a_line_of_another_trace_is_found(backend: ModuleType) -> None:
    """Its own trace has no start, this one a gap."""
    mixed = [*LINES]
    mixed[4] = trace(10, trace=OTHER)[4]
    found = dict(kinds(backend, b"".join(mixed)))
    assert {"no_start", "sequence_gap", "count_mismatch", "chain_mismatch", "no_end"} == set(found)


def test_a_trace_joined_to_itself_is_found(backend: ModuleType) -> None:
    """Every line of the second copy comes after the end."""
    found = kinds(backend, STREAM + STREAM)
    assert [number for kind, number in found if kind == "after_end"] == list(range(13, 25))


def welds() -> Iterator[tuple[int, bytes]]:
    for index in range(1, 10, 3):
        for cut in range(0, len(LINES[index]), 5):
            yield index, b"".join([*LINES[:index], LINES[index][:cut], *LINES[index + 1 :]])


def test_a_weld_at_any_cut_is_found(backend: ModuleType) -> None:
    """A cut line and the one welded to it are one bad line; all that follows is good."""
    for index, stream in welds():
        assert verdict(backend, stream) == "corrupt"
        got = passed(backend, stream).splitlines(keepends=True)
        assert got[-(11 - index) + 1 :] == LINES[index + 2 :]


@pytest.mark.parametrize("size", [64, 512])
def test_zeroed_sectors_are_found(backend: ModuleType, size: int) -> None:
    """Each sector of zeros, and each tail of zeros."""
    for at in range(0, len(STREAM), size):
        zeroed = STREAM[:at] + bytes(len(STREAM[at : at + size])) + STREAM[at + size :]
        assert verdict(backend, zeroed) != "intact"
        assert verdict(backend, STREAM[:at] + bytes(len(STREAM) - at)) != "intact"


@pytest.mark.parametrize("name", ["native", "pure"])
@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, len(STREAM) + 40), max_size=8), bad=st.integers(0, 11))
def test_any_chunking_gives_the_same(name: str, cuts: list[int], bad: int) -> None:
    """Findings, report and lines don't depend on how the stream came in pieces."""
    backend = load(name)
    lines = [*LINES]
    lines[bad] = lines[bad][:-9] + b"\n"
    stream = b"".join(lines) + b'{"v":1,"trace_id":"torn'
    whole, pieces = (backend.Scanner(judge="trace", max_line_bytes=220) for _ in range(2))
    edges = [0, *sorted(cuts), len(stream)]
    got = b"".join(pieces.feed(stream[a:b]) for a, b in zip(edges, edges[1:])) + pieces.finish()
    assert got == whole.feed(stream) + whole.finish()
    assert pieces.take_findings() == whole.take_findings()
    assert pieces.report() == whole.report()


def test_good_lines_behind_bad_ones_are_good(backend: ModuleType) -> None:
    """Readers go on at the next LF."""
    stream = b"\n\0\0\0\n{}\n" + STREAM + b"garbage\n" + b"".join(trace(2, trace=OTHER))
    assert passed(backend, stream) == STREAM + b"".join(trace(2, trace=OTHER))


def test_offsets_and_numbers_are_of_the_line(backend: ModuleType) -> None:
    """A finding says where its line begins, and what was stored and computed."""
    broken = LINES[2].replace(b"number 2", b"number 3")
    _, found = judged(backend, b"".join([*LINES[:2], broken, *LINES[3:]]), judge="lines")
    offset = len(LINES[0] + LINES[1])
    computed = f"{backend.crc32c(broken[:-22]):08x}"
    stored = LINES[2][-11:-3].decode()
    assert found == [("checksum_mismatch", None, None, 3, offset, stored, computed)]


def test_a_forged_trace_is_beyond_a_checksum(backend: ModuleType) -> None:
    """Whoever seals again is not caught: checksums find accidents, not enemies."""
    forged = [*LINES[:3], line(3, "log", b'{"message":"forged"}'), *LINES[4:-1]]
    assert judged(backend, b"".join([*forged, end(forged)])) == ("intact", [])
