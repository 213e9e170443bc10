"""`run`: the command as a user meets it, in a clean folder and a clean environment."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, NamedTuple

import pytest

from agenttrace import _backend

VECTORS = Path(__file__).parent.parent / "fixtures" / "vectors"
REPOSITORY = Path(__file__).parent.parent.parent


class Result(NamedTuple):
    """How a command ended: status (or -N for the signal N), and all that it wrote."""

    status: int
    out: bytes
    err: str


def command() -> list[str]:
    """AGENTTRACE_TEST_COMMAND, so that an installed wheel can be tested, else this tree."""
    given = os.environ.get("AGENTTRACE_TEST_COMMAND")
    return shlex.split(given) if given else [sys.executable, "-m", "agenttrace"]


def clean_environment(folder: Path) -> dict[str, str]:
    """What every test runs in: nothing of the caller's but the backend under test."""
    environment = {
        "HOME": str(folder / "home"),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "AGENTTRACE_DIR": str(folder / "traces"),
    }
    if not os.environ.get("AGENTTRACE_TEST_COMMAND"):
        environment["PYTHONPATH"] = str(REPOSITORY)
    if "AGENTTRACE_BACKEND" in os.environ:
        environment["AGENTTRACE_BACKEND"] = os.environ["AGENTTRACE_BACKEND"]
    return environment


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The clean environment, to be changed by a test."""
    (tmp_path / "home").mkdir()
    return clean_environment(tmp_path)


@pytest.fixture
def run(tmp_path: Path, env: dict[str, str]) -> Callable[..., Result]:
    """run("cat", "x.jsonl", stdin=b"…", env={…}) in tmp_path."""

    def call(*args: object, stdin: bytes = b"", **settings: Any) -> Result:
        done = subprocess.run(
            [*command(), *map(str, args)],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env={**env, **settings.get("env", {})},
            timeout=60,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode("utf-8"))

    return call


@pytest.fixture
def vector(tmp_path: Path) -> Callable[[str], str]:
    """Copies a vector to the test's folder; its name there."""

    def copy(name: str) -> str:
        (tmp_path / name).write_bytes((VECTORS / name).read_bytes())
        return name

    return copy


def sealed(seq: int, kind: str, data: dict[str, Any], **frame: Any) -> bytes:
    """A sealed line. frame: trace_id, ts, span_id."""
    trace_id = frame.get("trace_id", "1" * 32)
    ts = frame.get("ts", f"2026-11-22T06:40:{seq:02d}.000000000Z")
    span = f',"span_id":"{frame["span_id"]}"' if "span_id" in frame else ""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    head = f'{{"v":1,"trace_id":"{trace_id}","ts":"{ts}","seq":{seq},"kind":"{kind}"{span},"data":'
    return _backend.seal(f"{head}{text}}}\n".encode())
