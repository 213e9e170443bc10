"""`pass_file` writes what `feed` returns and says the same, however the file is cut and whoever takes the pieces."""

from __future__ import annotations

import os
import random
import tempfile
import threading
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

import pytest
import zstandard

from tests.contract.test_sharing import harmed, said

VECTORS = Path(__file__).parents[1] / "fixtures" / "vectors"
TRACES = sorted(path.name for path in VECTORS.iterdir() if ".jsonl" in path.name)
CONDITIONS: list[Optional[dict[str, Any]]] = [
    None,
    {"kinds": ["llm_request", "tool_call"]},
    {"span_ids": ["00f067aa0ba902b7"]},
    {"since": "2026-11-22T06:40:04.000000000Z", "until": "2026-11-22T06:40:09.000000000Z"},
    {"errors": True},
    {"grep": "llm", "holding": [['"data"', "nowhere"]]},
]


def scanner_of(backend: ModuleType, condition: Optional[dict[str, Any]], invert: bool) -> Any:
    """One that selects."""
    selection = None if condition is None else backend.Selection(**condition)
    return backend.Scanner(judge="lines", selection=selection, invert=invert)


def fed(scanner: Any, data: bytes) -> tuple[bytes, int, Any]:
    """What comes out where all is fed; how many lines; all that is said."""
    out = scanner.feed(data) + scanner.finish()
    return out, scanner.passed, said(scanner)


def passed(
    scanner: Any, path: Path, beginning: int, piece_bytes: int, seconds: float = 9.0
) -> tuple[bytes, int, Any]:
    """As `fed`; the beginning is fed, what follows written by the scanner itself."""
    data = path.read_bytes()
    place = min(beginning, len(data))
    fd = os.open(path, os.O_RDONLY)
    out, name = tempfile.mkstemp()
    try:
        os.unlink(name)
        os.write(out, scanner.feed(data[:place]))
        while place < len(data):
            count = scanner.pass_file(
                fd, place, len(data), out, seconds=seconds, threads=8, piece_bytes=piece_bytes
            )
            if not count:
                break
            place += count
        os.write(out, scanner.feed(data[place:]) + scanner.finish())
        assert os.lseek(fd, 0, os.SEEK_CUR) == 0
        written = os.pread(out, 1 << 24, 0)
    finally:
        os.close(fd)
        os.close(out)
    return written, scanner.passed, said(scanner)


@pytest.mark.parametrize("name", TRACES)
def test_every_vector_passes_alike(backend: ModuleType, name: str) -> None:
    """By any number of threads, in pieces of any size, under any condition."""
    data = (VECTORS / name).read_bytes()
    for number, condition in enumerate(CONDITIONS):
        invert = number % 2 == 1
        expected = fed(scanner_of(backend, condition, invert), data)
        for piece_bytes, beginning, seconds in ((1, 4, 9.0), (300, 100, 0.0)):
            scanner = scanner_of(backend, condition, invert)
            assert passed(scanner, VECTORS / name, beginning, piece_bytes, seconds) == expected


@pytest.mark.parametrize("seed", range(40))
def test_harmed_traces_pass_alike(
    native: ModuleType, pure: ModuleType, tmp_path: Path, seed: int
) -> None:
    """By both backends, packed and not."""
    chance = random.Random(seed)
    whole = b"".join((VECTORS / name).read_bytes() for name in ("whole.jsonl", "whole.jsonl"))
    data = harmed(whole, chance)
    if seed % 4 == 0:
        data = zstandard.ZstdCompressor(write_checksum=True).compress(data)
        if seed % 8 == 0:
            data = harmed(data, chance)
    path = tmp_path / "trace"
    path.write_bytes(data)
    condition, invert = chance.choice(CONDITIONS), chance.random() < 0.4
    expected = fed(scanner_of(pure, condition, invert), data)
    for piece_bytes in (1, chance.randrange(2, 50), chance.randrange(50, 5000)):
        for backend in (native, pure):
            scanner = scanner_of(backend, condition, invert)
            found = passed(scanner, path, chance.randrange(4, 500), piece_bytes)
            # Of what is malformed the sentences may differ.
            assert found[:2] == expected[:2]
            assert found[2][0] == expected[2][0]
            assert [one[:7] for one in found[2][1]] == [one[:7] for one in expected[2][1]]


def test_the_error_names_the_descriptor_that_failed(backend: ModuleType, tmp_path: Path) -> None:
    """By its number, as functions of `os` do that are given one."""
    scanner = backend.Scanner()
    scanner.feed(b'{"v":1')
    with pytest.raises(ValueError, match="descriptor"):
        scanner.pass_file(-1, 0, 10, 1)
    with pytest.raises(ValueError, match="descriptor"):
        scanner.pass_file(0, 0, 10, -1)
    fd = os.open(VECTORS / "whole.jsonl", os.O_RDONLY)
    reading, writing = os.pipe()
    try:
        with pytest.raises(OSError, match="seek") as failed:
            scanner.pass_file(reading, 0, 10, writing)
        assert failed.value.filename == reading
        os.close(reading)
        with pytest.raises(BrokenPipeError) as gone:
            scanner.pass_file(fd, 6, os.fstat(fd).st_size, writing)
        assert gone.value.filename == writing
    finally:
        os.close(fd)
        os.close(writing)


def test_a_descriptor_that_does_not_wait_is_waited_for(backend: ModuleType) -> None:
    """It was made so by whoever shares it."""
    path = VECTORS / "whole.jsonl"
    data = path.read_bytes()
    fd = os.open(path, os.O_RDONLY)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            filled = os.write(writing, b"x" * 1000)
        except BlockingIOError:
            break
        assert filled
    parts: list[bytes] = []

    def read_all() -> None:
        while part := os.read(reading, 1000):
            parts.append(part)

    reader = threading.Thread(target=read_all)
    try:
        scanner = backend.Scanner()
        scanner.judge_only(data[:4])
        threading.Timer(0.1, reader.start).start()
        assert scanner.pass_file(fd, 4, len(data), writing, seconds=9) == len(data) - 4
    finally:
        os.close(fd)
        os.close(writing)
    reader.join(10)
    os.close(reading)
    assert b"".join(parts).lstrip(b"x") == data
