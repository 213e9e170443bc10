"""`judge_file` says what `feed` says, however the file is cut into pieces and whoever takes them."""

from __future__ import annotations

import os
import random
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

import pytest
import zstandard

VECTORS = Path(__file__).parents[1] / "fixtures" / "vectors"
TRACES = sorted(path.name for path in VECTORS.iterdir() if ".jsonl" in path.name)


def said(scanner: Any) -> tuple[Any, Any]:
    """All that a scanner tells in the end."""
    scanner.finish()
    return scanner.report(), scanner.take_findings()


def in_place(
    scanner: Any, path: Path, beginning: int, piece_bytes: int, seconds: float, threads: int = 8
) -> tuple[Any, Any]:
    """The beginning is pushed, what follows judged in the file."""
    data = path.read_bytes()
    place = min(beginning, len(data))
    scanner.judge_only(data[:place])
    fd = os.open(path, os.O_RDONLY)
    try:
        while place < len(data):
            count = scanner.judge_file(
                fd, place, len(data), seconds=seconds, threads=threads, piece_bytes=piece_bytes
            )
            if not count:
                break
            place += count
        assert os.lseek(fd, 0, os.SEEK_CUR) == 0
    finally:
        os.close(fd)
    scanner.judge_only(data[place:])
    return said(scanner)


@pytest.mark.parametrize("name", TRACES)
def test_every_vector_is_judged_alike(backend: ModuleType, name: str) -> None:
    """By any number of threads, in pieces of any size."""
    data = (VECTORS / name).read_bytes()
    for settings in ({"judge": "trace"}, {"judge": "partial", "deep": True, "max_findings": 2}):
        pushed = backend.Scanner(**settings)
        pushed.feed(data)
        expected = said(pushed)
        for piece_bytes, beginning, seconds in ((1, 4, 9.0), (7, 100, 0.0), (300, 4, 9.0)):
            shared = backend.Scanner(**settings)
            assert in_place(shared, VECTORS / name, beginning, piece_bytes, seconds) == expected


def harmed(data: bytes, chance: random.Random) -> bytes:
    """`data` with a few bytes and lines flipped, gone, doubled, moved."""
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(data))
        if chance.random() < 0.5:
            middle: Optional[bytes] = chance.choice(
                [b"", b"\n", b"\r", b"\0", bytes([data[at] ^ 1])]
            )
            data = data[:at] + (middle or b"") + data[at + 1 :]
        else:
            lines = data.splitlines(keepends=True)
            line = chance.choice(lines)
            if chance.random() < 0.5:
                lines.remove(line)
            if chance.random() < 0.7:
                lines.insert(chance.randrange(len(lines) + 1), line)
            data = b"".join(lines) or b"\n"
    return data


@pytest.mark.parametrize("seed", range(30))
def test_harmed_traces_are_judged_alike(
    native: ModuleType, pure: ModuleType, tmp_path: Path, seed: int
) -> None:
    """By both backends, packed and not."""
    chance = random.Random(seed)
    whole = b"".join((VECTORS / name).read_bytes() for name in ("whole.jsonl", "whole.jsonl"))
    data = harmed(whole, chance)
    if seed % 3 == 0:
        pack = zstandard.ZstdCompressor(write_checksum=True).compress
        half = len(data) // 2
        data = pack(data[:half]) + pack(data[half:])
        if seed % 2:
            data = harmed(data, chance)
    path = tmp_path / "trace"
    path.write_bytes(data)
    by_each = []
    for backend in (native, pure):
        scanner = backend.Scanner(judge="trace")
        scanner.feed(data)
        by_each.append(said(scanner))
    expected, report = by_each[0], by_each[1]
    # Of what is malformed the sentences may differ.
    assert (expected[0], [finding[:7] for finding in expected[1]]) == (
        report[0],
        [finding[:7] for finding in report[1]],
    )
    for piece_bytes in (1, chance.randrange(2, 50), chance.randrange(50, 5000)):
        shared = native.Scanner(judge="trace")
        assert in_place(shared, path, chance.randrange(4, 500), piece_bytes, 9.0) == expected


def test_it_waits_until_it_is_known_whether_the_stream_is_packed(backend: ModuleType) -> None:
    """And takes nothing meanwhile."""
    scanner = backend.Scanner(judge="trace")
    fd = os.open(VECTORS / "whole.jsonl", os.O_RDONLY)
    try:
        assert scanner.judge_file(fd, 0, 1000) == 0
        scanner.judge_only(os.read(fd, 4))
        assert scanner.judge_file(fd, 4, 1000, piece_bytes=10, seconds=0) >= 10
    finally:
        os.close(fd)


def test_what_is_no_file_is_an_error(backend: ModuleType) -> None:
    """A number that is none, one that is closed, a time that is none."""
    scanner = backend.Scanner(judge="trace")
    scanner.judge_only(b'{"v":1')
    with pytest.raises(ValueError, match="descriptor"):
        scanner.judge_file(-1, 0, 10)
    with pytest.raises(ValueError, match="negative"):
        scanner.judge_file(0, 0, 10, seconds=-1.0)
    reading, writing = os.pipe()
    os.close(writing)
    try:
        with pytest.raises(OSError, match="seek"):
            scanner.judge_file(reading, 0, 10)
    finally:
        os.close(reading)
    with pytest.raises(OSError, match="descriptor"):
        scanner.judge_file(reading, 0, 10)
