"""`cat` and `filter` over files, which the core passes on by itself: what comes out, what is told, how it ends."""

from __future__ import annotations

import fcntl
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import pytest
import zstandard

from tests.cli.conftest import command, sealed

Run = Callable[..., Any]
KINDS = ["log", "llm_request", "tool_call", "llm_response"]


def lines_of(trace_id: str, count: int, *, pad: int = 300) -> list[bytes]:
    """Sealed lines of all kinds in turn, some long."""
    return [
        sealed(
            seq % 60, KINDS[seq % 4],
            {"n": seq, "text": "ü" * (pad if seq % 50 else 40 * pad)},
            trace_id=trace_id,
        )
        for seq in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that take several pieces: whole ones, damaged ones, two traces in one, a packed one."""
    folder = tmp_path_factory.mktemp("inputs")
    one, other = lines_of("1" * 32, 3000), lines_of("2" * 32, 1500)
    (folder / "whole.jsonl").write_bytes(b"".join(one))
    mixed = [line for pair in zip(one[::2], other) for line in pair]
    (folder / "mixed.jsonl").write_bytes(b"".join(mixed))
    chance = random.Random(7)
    damaged = bytearray(b"".join(mixed))
    for _ in range(140):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    damaged[:100] = one[0][:100]
    unsealed = b'{ "v": 1, "trace_id": "%s", "ts": "2026-11-22T06:40:00.000000000Z",' % (b"3" * 32)
    unsealed += b' "seq": 4, "kind": "tool_call", "data": {} }\n'
    damaged[len(damaged) // 2 :] = b"\n" + unsealed * 3 + damaged[len(damaged) // 2 :]
    (folder / "damaged.jsonl").write_bytes(damaged[:-40])
    (folder / "packed.jsonl.zst").write_bytes(
        zstandard.ZstdCompressor(write_checksum=True).compress(b"".join(one))
    )
    (folder / "small.jsonl").write_bytes(one[0])
    return folder


NAMES = [
    "whole.jsonl", "damaged.jsonl", "missing.jsonl", "packed.jsonl.zst", "mixed.jsonl", "small.jsonl",
]  # fmt: skip


@pytest.mark.parametrize(
    "args",
    [
        ["cat"],
        ["filter", "-k", "llm_request,tool_call"],
        ["filter", '.kind == "llm_response"'],
        ["filter", "--trace-id", "2" * 32, "-v"],
        ["filter", "--since", "2026-11-22T06:40:30Z", "-e"],
    ],
)
def test_files_pass_as_pipes_do(inputs: Path, env: dict[str, str], args: list[str]) -> None:
    """The same lines, the same findings, the same status; a pipe is read piece by piece."""
    for name in NAMES:
        given = b"" if name == "missing.jsonl" else (inputs / name).read_bytes()
        results = []
        for argument in (name, "-"):
            done = subprocess.run(
                [*command(), *args, argument], cwd=inputs, env=env, check=False, timeout=60,
                capture_output=True, **({"input": given} if argument == "-" else {}),
            )  # fmt: skip
            told = done.stderr.replace(b"agenttrace: -:", b"agenttrace: %s:" % name.encode())
            results.append((done.returncode, done.stdout, told))
        if name == "missing.jsonl":
            assert (results[0][0], results[0][1]) == (2, b"")
        else:
            assert results[0] == results[1]


@pytest.mark.parametrize("target", ["pipe", "file"])
def test_both_backends_write_the_same(
    inputs: Path, tmp_path: Path, env: dict[str, str], target: str
) -> None:
    """All inputs joined, one that is missing and one that is damaged among them; the pure one may lack a zstd."""
    names = [name for name in NAMES if not name.endswith(".zst")]
    written = []
    for backend in ("native", "pure"):
        out = tmp_path / f"{backend}.jsonl"
        with out.open("wb") as file:
            done = subprocess.run(
                [*command(), "filter", "-k", "llm_request", *names], cwd=inputs,
                env={**env, "AGENTTRACE_BACKEND": backend}, check=False, timeout=60,
                stdout=file if target == "file" else subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        assert done.returncode == 2
        # Of what is malformed the sentences may differ.
        told = re.sub(rb"(:\d+): .*(\(at byte)", rb"\1 \2", done.stderr)
        written.append((out.read_bytes() if target == "file" else done.stdout, told))
    assert written[0][1] == written[1][1]
    assert written[0][0] == written[1][0]
    assert written[0][0].count(b"\n") > 1000
    assert b"missing.jsonl: No such file" in written[0][1]
    assert b"damaged.jsonl: \xe2\x80\xa6 and " in written[0][1]


def test_a_slow_reader_that_does_not_block_gets_all(inputs: Path, env: dict[str, str]) -> None:
    """Short writes and writes that would wait are gone on with."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    got = []
    with subprocess.Popen(
        [*command(), "cat", "whole.jsonl"], stdout=writing, cwd=inputs, env=env
    ) as process:
        os.close(writing)
        while part := os.read(reading, 70_000):
            got.append(part)
            time.sleep(0.002)
        os.close(reading)
        assert process.wait(20) == 0
    assert b"".join(got) == (inputs / "whole.jsonl").read_bytes()


def blocked(inputs: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """A `cat` of more than its pipe holds, which nobody reads."""
    process = subprocess.Popen(
        [*command(), "cat", "whole.jsonl", "mixed.jsonl"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, cwd=inputs, env=env, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    size = fcntl.fcntl(process.stdout, fcntl.F_GETPIPE_SZ)
    assert size < (inputs / "whole.jsonl").stat().st_size
    wait_channel = Path(f"/proc/{process.pid}/wchan")
    for _ in range(400):
        time.sleep(0.02)
        if "pipe" in wait_channel.read_text():
            break
    return process


@pytest.mark.skipif(
    not Path("/proc/self/wchan").exists(), reason="where it waits is Linux's to say"
)
def test_control_c_ends_a_write_that_waits(inputs: Path, env: dict[str, str]) -> None:
    """With 130 and without a word."""
    with blocked(inputs, env) as process:
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.skipif(
    not Path("/proc/self/wchan").exists(), reason="where it waits is Linux's to say"
)
def test_a_reader_that_goes_away_ends_it(inputs: Path, env: dict[str, str]) -> None:
    """By SIGPIPE, as it ends `cat`, while it waits in a write."""
    with blocked(inputs, env) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(10) == -signal.SIGPIPE
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize("name", ["whole.jsonl", "packed.jsonl.zst"])
def test_a_full_disk_is_told(inputs: Path, env: dict[str, str], name: str) -> None:
    """Once, with the output's name, and the next input is not tried."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*command(), "filter", "-k", "llm_request", name, "missing.jsonl"], cwd=inputs,
            env=env, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == b"agenttrace: standard output: No space left on device\n"


def test_whether_any_passed_is_known(inputs: Path, run: Run) -> None:
    """-e counts what the core has written, too."""
    assert run("filter", "-e", "-k", "nothing", inputs / "whole.jsonl").status == 1
    # The first line that passes lies behind what is read at first.
    done = run("filter", "-e", "--grep", '"n":2999', inputs / "whole.jsonl")
    assert (done.status, done.out.count(b"\n")) == (0, 1)
    assert run("filter", "-m", "700", "-k", "log", inputs / "whole.jsonl").out.count(b"\n") == 700


def test_memory_does_not_grow_with_the_file(tmp_path: Path, env: dict[str, str]) -> None:
    """Below 64 MB for 200 MB, of which nobody takes a byte as fast as it comes."""
    block = b"".join(lines_of("1" * 32, 2000))
    path = tmp_path / "large.jsonl"
    with path.open("wb") as file:
        for _ in range(200_000_000 // len(block)):
            file.write(block)
    script = (
        "import os, resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)\n"
        "print(done.returncode, len(done.stdout), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command(), "cat", path.name], cwd=tmp_path, env=env,
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    status, length, peak_kb = map(int, done.stdout.split())
    assert (status, length) == (0, path.stat().st_size)
    assert peak_kb < 64_000
