"""What no hook reaches: it gets a network of its own where the system allows that, and is told of where not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

TRY = "from agenttrace.command import own_network; raise SystemExit(not own_network.enter())"
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def _allowed():
    if subprocess.run([sys.executable, "-c", TRY], check=False).returncode:
        pytest.skip("this system gives no network of its own")


def recorded(bench, server, script):
    """A script of the shell, recorded against the server."""
    bench.serve_from(server)
    (bench.folder / "agent.sh").write_text(script)
    ended = bench.run("record", "-q", "-o", "t.jsonl", "--", "sh", "agent.sh")
    assert ended.status == 0, ended.stderr
    return ended


@needs_curl
@pytest.mark.usefixtures("_allowed")
def test_nothing_that_is_not_covered_leaves(bench, server):
    """The gateway's answers come; a server beside it, which runs, hears nothing."""
    through = 'curl -sS "$OPENAI_BASE_URL/models"\n'
    beside = f"curl -s {server.url}/v1/models || echo refused\n"
    ended = recorded(bench, server, through + beside)
    assert "refused" not in ended.stdout
    before = len(server.requests)
    again = bench.run("replay", "--format", "jsonl", "t.jsonl", "--", "sh", "agent.sh")
    assert again.stdout == ended.stdout[: len(ended.stdout) // 2] + "refused\n"
    assert len(server.requests) == before
    assert json.loads(again.stderr.splitlines()[-1])["network"] == "own"


@needs_curl
def test_who_has_the_real_network_is_told(bench, server):
    """With --run-tools children run for real, and so does what they connect to."""
    ended = recorded(bench, server, f"curl -s {server.url}/v1/models\n")
    before = len(server.requests)
    again = bench.run("replay", "--run-tools", "t.jsonl", "--", "sh", "agent.sh")
    assert (again.status, again.stdout) == (0, ended.stdout)
    assert len(server.requests) == before + 1
    assert "not covered: connections of programs without hooks" in again.stderr


def test_a_python_without_hooks_is_told(bench, server):
    """As when it is recorded."""
    recorded(bench, server, f"env -i {sys.executable} -c 'import time; time.sleep(0.5)'\n")
    again = bench.run("replay", "t.jsonl", "--", "sh", "agent.sh")
    assert "not covered: " in again.stderr
    assert "its environment was cleared" in again.stderr
