"""`agenttrace replay TRACE`: the events themselves, at their pace, as a Unix tool writes them."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import command, sealed

SLOW = b"".join(
    sealed(seq, kind, {"n": seq}, ts=f"2026-11-22T06:40:0{seq * 2}.000000000Z")
    for seq, kind in enumerate(["trace_start", "log", "log", "log"])
)


@pytest.fixture
def slow(tmp_path: Path) -> str:
    """Four events, two seconds apart."""
    (tmp_path / "slow.jsonl").write_bytes(SLOW)
    return "slow.jsonl"


def timed(run, *arguments):
    """How it ended, in how many seconds."""
    began = time.monotonic()
    ended = run("replay", *arguments)
    return ended, time.monotonic() - began


def test_events_come_at_their_pace(run, slow):
    """Byte for byte: six seconds at ten times the speed; no wait is longer than `--max-idle`."""
    ended, took_s = timed(run, slow, "--speed", "10")
    assert (ended.out, ended.err.count("\n")) == (SLOW, ended.status)
    assert took_s >= 0.6
    ended, took_s = timed(run, "--max-idle", "0.1", slow)
    assert ended.out == SLOW
    assert 0.3 <= took_s < 5.5


def test_a_reader_that_goes_away_ends_it_as_it_ends_cat(slow, tmp_path, env):
    """`replay | head -1`: by SIGPIPE, without a word."""
    process = subprocess.Popen(
        [*command(), "replay", "--speed", "10", slow],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=env,
    )
    assert process.stdout.readline() == SLOW.splitlines(keepends=True)[0]
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(20) == -signal.SIGPIPE
    process.stderr.close()


def test_ctrl_c_ends_a_wait(slow, tmp_path, env):
    """130, at once, without a word."""
    process = subprocess.Popen(
        [*command(), "replay", slow],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=env,
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, told = process.communicate(timeout=20)
    assert (process.returncode, told) == (130, b"")
    assert rest.count(b"\n") < 3


def test_what_is_no_trace_is_told_in_a_line(run, tmp_path):
    """A name that is wrong, a file that is none, an empty one, a packed one that was cut."""
    (tmp_path / "code.py").write_text("import time\n")
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "cut.jsonl.zst").write_bytes(b"\x28\xb5\x2f\xfd\x04")
    for name, status, words in (
        ("nosuch.jsonl", 2, "nosuch.jsonl: No such file"),
        ("code.py", 1, "code.py:1: the line is not closed"),
        ("empty.jsonl", 0, ""),
        ("cut.jsonl.zst", 1, "cut.jsonl.zst:1: "),
    ):
        ended = run("replay", name)
        assert (ended.status, ended.out) == (status, b""), name
        assert ended.err.startswith(f"agenttrace: {words}" if words else ""), ended.err
        assert ended.err.count("\n") == bool(words)
        if "nosuch" not in name:
            assert run("replay", name, "--", "touch", "ran").status == 125
    assert not (tmp_path / "ran").exists()


def test_standard_output_may_be_closed(slow, tmp_path, env):
    """That is told; it is no fault of ours."""
    line = 'exec "$@" >&-'
    ended = subprocess.run(
        ["sh", "-c", line, "sh", *command(), "replay", slow],
        cwd=tmp_path,
        env=env,
        stderr=subprocess.PIPE,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("agenttrace: standard output: ")


def test_a_terminal_gets_no_control_characters(tmp_path, env):
    """C1 controls and marks of direction stand in JSON as they are."""
    (tmp_path / "t.jsonl").write_bytes(sealed(0, "trace_start", {"name": "a\x9b31m\u202eb"}))
    ours, theirs = pty.openpty()
    subprocess.run(
        [*command(), "replay", "t.jsonl"],
        cwd=tmp_path,
        env=env,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        timeout=20,
        check=False,
    )
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    os.close(theirs)
    assert "31m" in shown
    assert not {"\x9b", "\u202e"}.intersection(shown)


def test_a_very_long_pause_is_waited_for(slow, tmp_path, env):
    """However slow it is asked to be: no fault of the system's clock."""
    process = subprocess.Popen(
        [*command(), "replay", "--speed", "1e-300", slow],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=env,
    )
    process.stdout.readline()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.kill()
    assert process.communicate()[1] == b""


def test_a_replays_own_trace_does_not_go_to_standard_output(run, slow, tmp_path):
    """That is the command's."""
    ended = run("replay", "-o", "-", slow, "--", "true")
    assert (ended.status, "-o names a file" in ended.err) == (2, True)
    assert not (tmp_path / "-").exists()
