"""zstd: written so that others can read it, read whoever wrote it, damage told."""

from __future__ import annotations

import io
import os
import random
from pathlib import Path
from types import ModuleType

import pytest
import zstandard

from tests.contract.conftest import MODULES, load
from tests.contract.making import OTHER, TRACE, judged, kinds, line, passed, trace

PLAIN = b"".join(trace(60))
SKIPPABLE = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"


def pack(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def unpack(packed: bytes) -> bytes:
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed), read_across_frames=True)
    return reader.read()


def write(backend: ModuleType, path: Path, count: int, size: int = 20, **options: object) -> None:
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    writer = backend.Writer(fd, TRACE, compress=True, **options)
    writer.write("trace_start", b"{}", ts_ns=1)
    for _ in range(count):
        writer.write("log", b'{"a":"%b"}' % (b"x" * size), ts_ns=2)
    writer.end(b"{}", ts_ns=3)
    os.close(fd)


@pytest.mark.parametrize("flush", ["event", "batch", "sync"])
def test_others_can_read_what_is_written(backend: ModuleType, tmp_path: Path, flush: str) -> None:
    """The package `zstandard` unpacks the same lines that an unpacked trace has."""
    path = tmp_path / "t.zst"
    write(backend, path, 300, flush=flush)
    plain = unpack(path.read_bytes())
    assert judged(backend, plain, deep=True) == ("intact", [])
    assert plain.count(b"\n") == 302
    assert judged(backend, path.read_bytes()) == ("intact", [])
    assert zstandard.get_frame_parameters(path.read_bytes()).has_checksum


def test_what_was_written_before_a_kill_can_be_read(backend: ModuleType, tmp_path: Path) -> None:
    """Each line is a flushed block; the cut frame is a torn line, no damage."""
    path = tmp_path / "t.zst"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    writer = backend.Writer(fd, TRACE, compress=True)
    for index, kind in enumerate(("trace_start", "log", "log")):
        writer.write(kind, b"{}")
        assert passed(backend, path.read_bytes()).count(b"\n") == index + 1
    os.close(fd)
    status, found = judged(backend, path.read_bytes())
    assert status == "incomplete"
    assert [one[0] for one in found] == ["torn_line", "no_end"]
    assert found[0][3] == 4


def test_a_frame_holds_eight_mebibytes(backend: ModuleType, tmp_path: Path) -> None:
    """Damage costs a frame: 20 MB are at least three of them."""
    path = tmp_path / "t.zst"
    write(backend, path, 20, size=1_000_000)
    packed = path.read_bytes()
    assert packed.count(b"\x28\xb5\x2f\xfd") == 3
    assert judged(backend, packed) == ("intact", [])


def test_a_failed_write_leaves_a_readable_stream(backend: ModuleType, tmp_path: Path) -> None:
    """What the system refused is not in the frame's checksum either."""
    path = tmp_path / "t.zst"
    fd = os.open(path, os.O_CREAT | os.O_RDWR)
    full = os.open("/dev/full", os.O_WRONLY)
    keep = os.dup(fd)
    writer = backend.Writer(fd, TRACE, compress=True)
    writer.write("trace_start", b"{}")
    os.dup2(full, fd)
    with pytest.raises(OSError, match=r"."):
        writer.write("log", b'{"lost":true}')
    os.dup2(keep, fd)
    writer.write("log", b'{"kept":true}')
    writer.end(b"{}")
    for opened in (fd, full, keep):
        os.close(opened)
    assert judged(backend, path.read_bytes()) == ("intact", [])
    assert b"lost" not in unpack(path.read_bytes())


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_frames_may_be_joined_and_skipped(backend: ModuleType, step: int) -> None:
    """Frames end anywhere in a line, in pieces of any size; offsets are of the unpacked bytes."""
    packed = SKIPPABLE + pack(PLAIN[:1000]) + SKIPPABLE + pack(b"") + pack(PLAIN[1000:]) + SKIPPABLE
    scanner = backend.Scanner(judge="trace")
    got = b"".join(scanner.feed(packed[at : at + step]) for at in range(0, len(packed), step))
    assert got + scanner.finish() == PLAIN
    assert scanner.report() == ("intact", 1, 62, len(PLAIN), 62, 0)


def test_every_flip_is_found_and_no_wrong_line_passes(backend: ModuleType) -> None:
    """In headers, blocks, checksums of two joined frames."""
    lines = set(PLAIN.splitlines(keepends=True))
    half = PLAIN.index(b"\n", len(PLAIN) // 2) + 1
    packed = pack(PLAIN[:half]) + pack(PLAIN[half:])
    for place in range(0, len(packed) * 8, 3):
        broken = bytearray(packed)
        broken[place // 8] ^= 1 << place % 8
        got = passed(backend, bytes(broken))
        status, _ = judged(backend, bytes(broken))
        # A flip may hit what says nothing: then all the lines are there.
        assert status != "intact" or got == PLAIN
        assert set(got.splitlines(keepends=True)) <= lines


def test_every_cut_is_a_torn_line(backend: ModuleType) -> None:
    """Never damage; also between two frames, where a line goes on in the second."""
    packed = pack(PLAIN[:3000]) + pack(PLAIN[3000:])
    for length in range(4, len(packed)):
        found = kinds(backend, packed[:length], judge="lines")
        assert [kind for kind, _ in found] == ["torn_line"], length
        assert PLAIN.startswith(passed(backend, packed[:length]))


def test_damage_costs_a_frame(backend: ModuleType) -> None:
    """The next frame begins a line of its own and is read; the finding says where it was."""
    first, second = b"".join(trace(60)[:30]), b"".join(trace(60)[30:])
    broken = bytearray(pack(first))
    broken[-1] ^= 1
    status, found = judged(backend, bytes(broken) + pack(second), judge="lines")
    assert status == "corrupt"
    assert found == [("damaged_frame", None, None, 1, 0, None, None)]
    assert passed(backend, bytes(broken) + pack(second)) == first + second


def _flushed(lines: list[bytes]) -> bytes:
    """A frame as a writer makes it that flushes each line."""
    packer = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK
    return b"".join(packer.compress(one) + packer.flush(flush) for one in lines) + packer.flush()


@pytest.mark.parametrize("is_long", [False, True], ids=["short", "long"])
def test_a_frame_that_was_cut_anywhere_costs_no_other(backend: ModuleType, is_long: bool) -> None:
    """A writer was killed, another has added its trace: what both wrote is read, also where a block ended."""
    lines = trace(6)
    if is_long:  # blocks that are longer than all that follows
        noise = random.Random(5).randbytes(900).hex().encode()
        lines[3:3] = [line(3, data=b'{"noise":"%b"}' % noise)]
    first = _flushed(lines)
    second = b"".join(trace(3, trace=OTHER))
    behind = zstandard.ZstdCompressor(write_checksum=True).compress(second)
    for length in range(4, len(first)):
        out = passed(backend, first[:length] + behind)
        assert out.endswith(second), length
        assert b"".join(lines).startswith(out[: -len(second)]), length


def test_both_backends_say_the_same_of_frames_that_were_cut_or_hit() -> None:
    """Same findings at the same places, same lines, whatever stands behind."""
    lines = trace(6)
    first, behind = _flushed(lines), _flushed(trace(3, trace=OTHER))
    hit = [
        first[:at] + bytes([first[at] ^ flip]) + first[at + 1 :]
        for at in range(len(first))
        for flip in (1, 64)
    ]
    for stream in [*(first[:length] for length in range(len(first))), *hit]:
        packed = stream + behind
        said = []
        for name in ("native", "pure"):
            scanner = load(name).Scanner(judge="trace")
            out = scanner.feed(packed[:99]) + scanner.feed(packed[99:]) + scanner.finish()
            findings = [finding[:7] for finding in scanner.take_findings()]
            said.append((out, scanner.report(), findings))
        assert said[0] == said[1], packed.hex()


def test_garbage_between_frames_is_damage(backend: ModuleType) -> None:
    """Also behind the last one; the frames around it are read."""
    for packed in (pack(PLAIN) + b"garbage!" + pack(b""), pack(PLAIN) + b"garbage"):
        assert [kind for kind, _ in kinds(backend, packed)] == ["damaged_frame"]
        assert passed(backend, packed) == PLAIN


def test_a_window_beyond_128_mib_is_refused(backend: ModuleType) -> None:
    """Whoever asks for gigabytes of memory gets a finding."""
    parameters = zstandard.ZstdCompressionParameters(window_log=28, write_checksum=1)
    large = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = large.compress(PLAIN) + large.flush()
    assert kinds(backend, packed, judge="lines") == [("damaged_frame", 1)]


def test_a_bomb_unpacks_piece_by_piece(backend: ModuleType) -> None:
    """A gigabyte of one letter in 100 KB is one line over the limit, dropped as it streams by."""
    bomb = zstandard.ZstdCompressor(level=3).compressobj()
    piece = b"x" * (1 << 20)
    packed = (
        b"".join(bomb.compress(piece) for _ in range(256)) + bomb.compress(b"\n") + bomb.flush()
    )
    scanner = backend.Scanner(max_line_bytes=1000)
    scanner.judge_only(packed)
    scanner.finish()
    assert [found[0] for found in scanner.take_findings()] == ["malformed"]
    assert scanner.report()[3] == (256 << 20) + 1


def test_both_backends_say_the_same_of_damaged_frames() -> None:
    """Every third byte replaced, in two joined frames."""
    native, pure = (load(name) for name in MODULES)
    packed = pack(PLAIN[:2500]) + SKIPPABLE + pack(PLAIN[2500:])
    for at in range(0, len(packed), 3):
        broken = packed[:at] + bytes([packed[at] ^ 0x55]) + packed[at + 1 :]
        assert judged(native, broken) == judged(pure, broken), at
        assert passed(native, broken) == passed(pure, broken), at


def test_each_reads_what_the_other_wrote(tmp_path: Path) -> None:
    """A stream written by one backend and gone on with by the other."""
    native, pure = (load(name) for name in MODULES)
    for index, name in enumerate((native, pure, native)):
        fd = os.open(tmp_path / "t", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        writer = name.Writer(fd, f"{index + 1:032x}", compress=True)
        writer.write("trace_start", b"{}")
        writer.end(b"{}")
        os.close(fd)
    packed = (tmp_path / "t").read_bytes()
    assert judged(native, packed) == judged(pure, packed) == ("intact", [])
    assert len(passed(pure, packed)) == len(unpack(packed))


def test_plain_text_is_not_taken_for_zstd(backend: ModuleType) -> None:
    """A file that begins like a frame's first byte alone is text."""
    for stream in (b"(", b"\x28\xb5", b"P*M\n" + line(0)):
        assert kinds(backend, stream, judge="lines")[0][0] in ("torn_line", "malformed")


def test_a_body_packed_with_zstd_is_unpacked_piece_by_piece(backend):
    """Pieces of any size; no more than was asked for; what is no zstd is refused."""
    packed = zstandard.ZstdCompressor().compress(b"hello " * 1000)
    unpacker = backend.ZstdUnpacker()
    pieces = [packed[at : at + 3] for at in range(0, len(packed), 3)]
    assert b"".join(unpacker.decompress(piece, 1 << 20) for piece in pieces) == b"hello " * 1000
    assert backend.ZstdUnpacker().decompress(packed, 7) == b"hello h"
    with pytest.raises(ValueError, match="damaged"):
        backend.ZstdUnpacker().decompress(b"no zstd at all", 100)
