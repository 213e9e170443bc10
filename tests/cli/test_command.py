"""All commands alike: statuses, pipes, signals, messages, start-up."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.cli.conftest import REPOSITORY, VECTORS, command

Run = Callable[..., Any]
WHOLE = (VECTORS / "whole.jsonl").read_bytes()
COMMANDS = ("record", "cat", "verify", "filter", "replay", "tui")
HEAVY = {"textual", "aiohttp", "jq", "rich", "asyncio", "pydantic"}


def test_the_version_is_told(run: Run) -> None:
    """On standard output."""
    from agenttrace import __version__

    assert run("--version") == (0, f"agenttrace {__version__}\n".encode(), "")


def test_help_names_every_command(run: Run) -> None:
    """-h and --help are the same; nothing at all is help on standard error, and wrong usage."""
    result = run("--help")
    assert result == run("-h")
    assert result.status == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z]", result.out.decode(), re.MULTILINE)
    assert "..." not in result.out.decode().split("Commands:")[1]
    bare = run()
    assert (bare.status, bare.out) == (2, b"")
    assert bare.err.strip() == result.out.decode().strip()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_fits_a_screen_and_has_an_example(run: Run, name: str) -> None:
    """No colour, no boxes."""
    result = run(name, "--help")
    assert (result.status, result.err) == (0, "")
    assert f"Try: agenttrace {name}" in result.out.decode()
    assert result.out.count(b"\n") < 50
    assert b"\x1b" not in result.out
    assert "╭" not in result.out.decode()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["ct"], "no such command 'ct'. Did you mean 'cat'?"),
        (["cat", "--nope"], "no such option: --nope"),
        (["cat", "--from", "nope"], "'nope' is not"),
        (["cat", "--to", "sqlite"], "'sqlite' is not one of"),
        (["cat", "--stable"], "--stable goes with --to text"),
        (["record"], "give a command to record"),
        (["replay"], "missing argument 'TRACE'"),
        (["replay", "x", "y"], "put -- before the command"),
        (["replay", "x", "--"], "give a command behind --"),
        (["verify", "--max-findings", "-1"], "invalid value for '--max-findings'"),
    ],
)
def test_wrong_usage_is_2_and_says_where_help_is(run: Run, args: list[str], message: str) -> None:
    """One line for the person, one for help."""
    result = run(*args)
    assert (result.status, result.out) == (2, b"")
    assert result.err.startswith("agenttrace: ")
    assert message.lower() in result.err.lower()
    assert "--help'\n" in result.err


@pytest.mark.parametrize("name", ["cat", "verify", "filter"])
def test_a_terminal_as_standard_input_is_wrong_usage_not_a_hang(
    env: dict[str, str], name: str
) -> None:
    """Nobody types a trace."""
    ours, theirs = pty.openpty()
    args = [name, *(["."] if name == "filter" else [])]
    done = subprocess.run(
        [*command(), *args], stdin=theirs, capture_output=True, env=env, timeout=20, check=False
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 2
    assert done.stderr.startswith(b"agenttrace: give a FILE")


def shell(script: str, folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    """A script that says `agenttrace` as a user does."""
    name = " ".join(command())
    script = f'agenttrace() {{ {name} "$@"; }}\n{script}'
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, cwd=folder, env=env, timeout=60, check=False
    )


def test_a_trace_survives_the_tools_of_the_shell(tmp_path: Path, env: dict[str, str]) -> None:
    """grep, sort, tee; what is left is intact as far as it goes."""
    (tmp_path / "t.jsonl").write_bytes(WHOLE)
    script = (
        "agenttrace cat t.jsonl | grep llm | sort | tee copy | agenttrace verify --partial && "
        "agenttrace filter -k llm_response copy | wc -l"
    )
    done = shell(script, tmp_path, env)
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[-1].strip() == "2"
    assert done.stderr == b""


@pytest.mark.parametrize(
    "args", [["cat", "big"], ["filter", ".", "big"], ["filter", "-v", "--errors", "big"],
             ["cat", "--to", "text", "big"]],
)  # fmt: skip
def test_a_reader_that_goes_away_ends_it_as_it_ends_cat(
    tmp_path: Path, env: dict[str, str], args: list[str]
) -> None:
    """By SIGPIPE, without a word."""
    (tmp_path / "big").write_bytes(WHOLE * 3000)
    with subprocess.Popen(
        [*command(), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=env
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(20) == -signal.SIGPIPE
        assert process.stderr.read() == b""


def test_help_into_a_closed_pipe_is_quiet(tmp_path: Path, env: dict[str, str]) -> None:
    """No traceback, no "Exception ignored"."""
    done = shell("agenttrace --help | true; echo ${PIPESTATUS[0]}", tmp_path, env)
    assert done.stderr == b""
    assert done.stdout.strip() in (b"0", b"141")


@pytest.mark.parametrize(
    "args", [["cat"], ["verify"], ["filter", "."], ["filter", "[range(1e12)]"]]
)
def test_control_c_is_130(tmp_path: Path, env: dict[str, str], args: list[str]) -> None:
    """Also while jq is at work, and nothing is left behind."""
    with subprocess.Popen(
        [*command(), *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=env, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(WHOLE)
        process.stdin.flush()
        time.sleep(0.6)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == b""
        process.stdin.close()


def test_a_full_disk_is_told(run: Run, tmp_path: Path, env: dict[str, str]) -> None:
    """With the system's words and status 2."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "t.jsonl").write_bytes(WHOLE)
    done = shell("agenttrace cat t.jsonl >/dev/full", tmp_path, env)
    assert done.returncode == 2
    assert done.stderr == b"agenttrace: standard output: No space left on device\n"


def test_json_on_a_terminal_is_cleaned_and_stays_json(tmp_path: Path, env: dict[str, str]) -> None:
    """C1, DEL and overrides become escapes; on a pipe the bytes stay."""
    from tests.cli.conftest import sealed

    (tmp_path / "t.jsonl").write_bytes(sealed(0, "user_input", {"text": "a\x9bb\x7f\u202e"}))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*command(), "cat", "t.jsonl"], stdout=theirs, cwd=tmp_path, env=env
    ) as process:
        assert process.wait(20) == 0
    shown = os.read(ours, 10000)
    os.close(ours)
    os.close(theirs)
    assert b'"a\\u009bb\\u007f\\u202e"' in shown


def test_a_traceback_is_shown_only_on_demand(run: Run) -> None:
    """AGENTTRACE_DEBUG=1."""
    assert "Traceback" not in run("record").err
    assert "Traceback" in run("record", env={"AGENTTRACE_DEBUG": "1"}).err


def loaded_by(tmp_path: Path, env: dict[str, str], *args: str) -> set[str]:
    """The modules that stand in memory when a command has ended."""
    (tmp_path / "t.jsonl").write_bytes(WHOLE)
    script = (
        "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
        "sys.argv[0] = 'agenttrace'; from agenttrace.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *args],
        capture_output=True,
        cwd=tmp_path,
        env={**env, "PYTHONPATH": str(REPOSITORY)},
        timeout=60,
        check=True,
    )
    return set(done.stderr.decode().split())


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["--version"],
        ["cat", "t.jsonl"],
        ["verify", "t.jsonl"],
        ["filter", "-k", "log", "t.jsonl"],
        ["filter", ".", "t.jsonl"],
        ["cat", "--to", "text", "t.jsonl"],
    ],
)
def test_nothing_heavy_is_loaded(tmp_path: Path, env: dict[str, str], args: list[str]) -> None:
    """Start-up counts: not even Typer, where the command line is plain; jq lives in a process of its own."""
    loaded = loaded_by(tmp_path, env, *args)
    assert ("typer" in loaded) == (args == ["--help"])
    assert not {name.split(".")[0] for name in loaded} & HEAVY


def test_other_commands_are_not_loaded(tmp_path: Path, env: dict[str, str]) -> None:
    """Each file is imported when its command runs."""
    loaded = loaded_by(tmp_path, env, "cat", "t.jsonl")
    assert "agenttrace.cli.cat" in loaded
    assert not {f"agenttrace.cli.{name}" for name in COMMANDS if name != "cat"} & loaded
