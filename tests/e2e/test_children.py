"""What children say is recorded as it passes, and a replay answers for them: none of them runs."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import AGENTS, of_kind

AGENT = AGENTS / "children.py"
WAYS = [
    "statuses",
    "kinds",
    "interactive",
    "killed",
    "early",
    "unbuffered",
    "threads",
    "in_asyncio",
]
PYENV = Path.home() / ".pyenv" / "versions"
PYTHONS = [sys.executable, *(str(path / "bin" / "python") for path in PYENV.glob("3.8.*"))]
PYTHONS += [str(path / "bin" / "python") for path in PYENV.glob("3.13.*")]


def marks(bench) -> list[str]:
    """What the children that ran have left."""
    file = bench.folder / "marks"
    return file.read_text().split() if file.exists() else []


def record(bench, *ways: str, python: str = sys.executable, **variables: str):
    """Records the agent; what it printed."""
    bench.environment["MARKS"] = str(bench.folder / "marks")
    ended = bench.run("record", "-o", "t.jsonl", "--", python, AGENT, *ways)
    assert ended.status == 0, ended.stderr
    (bench.folder / "marks").unlink(missing_ok=True)
    return ended.stdout


def pieces(bench, stream: str) -> list[bytes]:
    """What passed these pipes of all children."""
    texts = [
        event["data"]["text"]
        for event in of_kind(bench.events(), "process_chunk")
        if event["data"]["stream"] == stream
    ]
    return [
        base64.b64decode(text["base64"]) if isinstance(text, dict) else text.encode()
        for text in texts
    ]


@pytest.mark.parametrize("python", PYTHONS, ids=range(len(PYTHONS)))
@pytest.mark.parametrize("way", WAYS)
def test_children_are_answered_for(bench, way, python):
    """The same output and end, no child ran, and nothing is missing or left over."""
    printed = record(bench, way, python=python)
    assert bench.report()["status"] == "intact"
    assert not of_kind(bench.events(), "gap")
    ended = bench.run("replay", "--check", "t.jsonl", "--", python, AGENT, way)
    assert (ended.status, ended.stdout) == (0, printed), ended.stderr
    assert marks(bench) == []
    assert " not run\n" in ended.stderr


def test_the_agent_sees_what_it_would_without_us(bench):
    """The same output as when nobody records."""
    bench.environment["MARKS"] = str(bench.folder / "marks")
    ways = [way for way in WAYS if way != "early"]
    plain = subprocess.run(
        [sys.executable, AGENT, *ways], env=bench.environment, stdout=-1, text=True, check=True
    )
    assert record(bench, *ways) == plain.stdout


def test_every_byte_is_recorded_in_its_order(bench):
    """Input before what comes of it; the end of the input; the status."""
    record(bench, "interactive")
    events = of_kind(bench.events(), "process_start", "process_chunk", "process_end")
    assert len({event["span_id"] for event in events}) == 1
    said = [(event["data"]["stream"], event["data"]["text"]) for event in events[1:-1]]
    assert said == [
        ("stdin", "one\n"),
        ("stdout", "got one\n"),
        ("stdin", "two\n"),
        ("stdout", "got two\n"),
        ("stdin", "three\n"),
        ("stdout", "got three\n"),
        ("stdin", ""),
    ]
    assert events[-1]["data"]["exit_code"] == 4


def test_bytes_are_bytes(bench):
    """Five megabytes that are no UTF-8."""
    record(bench, "kinds")
    assert b"\xff\0\xc3" in pieces(bench, "stdout")
    assert sum(map(len, pieces(bench, "stdout"))) > 5_300_000
    assert b"".join(pieces(bench, "stdin")) == b"\xff" * 300000 + b"b\r\na\n"


def test_what_could_not_be_started_says_why(bench):
    """Its end has the error."""
    record(bench, "kinds")
    (error,) = [
        event["data"]["error"]
        for event in of_kind(bench.events(), "process_end")
        if "error" in event["data"]
    ]
    assert (error["type"], error["filename"]) == ("FileNotFoundError", "/nowhere/at/all")


def test_signals_of_the_parent_are_events(bench):
    """So a replay knows who ended it."""
    record(bench, "killed")
    names = [event["data"]["signal"] for event in of_kind(bench.events(), "process_signal")]
    assert names == ["SIGTERM", "SIGTERM", "SIGKILL"]


def test_a_killed_agent_loses_nothing(bench):
    """What had passed is there."""
    script = bench.folder / "agent.py"
    script.write_text(
        "import os, subprocess\n"
        "child = subprocess.Popen(['sh', '-c', 'echo here; exec sleep 5'], stdout=-1)\n"
        "child.stdout.read1(100) if hasattr(child.stdout, 'read1') else child.stdout.readline()\n"
        "child.kill()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    bench.run("record", "-o", "t.jsonl", "--", sys.executable, script)
    assert pieces(bench, "stdout") == [b"here\n"]


def test_a_secret_in_a_pipe_is_kept_out(bench):
    """Also where it comes in two pieces."""
    script = bench.folder / "agent.py"
    script.write_text(
        "import os, subprocess\n"
        "child = subprocess.Popen(['cat'], stdin=-1, stdout=-1, bufsize=0)\n"
        "for part in (os.environ['OPENAI_API_KEY'][:20], os.environ['OPENAI_API_KEY'][20:]):\n"
        "    child.stdin.write(part.encode())\n"
        "    os.read(child.stdout.fileno(), 100)\n"
        "child.communicate()\n"
    )
    bench.run("record", "-o", "t.jsonl", "--", sys.executable, script)
    text = (bench.folder / "t.jsonl").read_text()
    key = bench.environment["OPENAI_API_KEY"]
    assert "process_chunk" in text
    assert key not in text
    assert key[20:] not in text


def test_own_pythons_run(bench):
    """They are the agent's own code."""
    printed = record(bench, "own_code")
    ended = bench.run("replay", "--check", "t.jsonl", "--", sys.executable, AGENT, "own_code")
    assert (ended.status, ended.stdout) == (0, printed), ended.stderr
    assert marks(bench) == ["own"]


def test_another_child_diverges(bench):
    """With the nearest that was recorded, and it does not run."""
    record(bench, "other")
    bench.environment["WORD"] = "other"
    ended = bench.run("replay", "t.jsonl", "--", sys.executable, AGENT, "other")
    assert ended.status == 123
    assert "DIVERGED at the process sh -c" in ended.stderr
    assert ".argv[2]" in ended.stderr
    assert marks(bench) == []


def test_other_input_diverges(bench):
    """What is written to a child is compared."""
    record(bench, "other_input")
    bench.environment["WORD"] = "other"
    ended = bench.run("replay", "t.jsonl", "--", sys.executable, AGENT, "other_input")
    assert ended.status == 123
    assert "DIVERGED at the input of sh -c" in ended.stderr
    assert marks(bench) == []


def test_children_that_were_not_started_are_missed(bench):
    """As requests that were not asked."""
    record(bench, "other", "other_input")
    ended = bench.run("replay", "--check", "t.jsonl", "--", sys.executable, AGENT, "other")
    assert ended.status == 123
    assert "recorded but not started: 1 process" in ended.stderr


def test_run_tools_runs_them(bench):
    """For real, and it is told."""
    record(bench, "other")
    ended = bench.run("replay", "--run-tools", "t.jsonl", "--", sys.executable, AGENT, "other")
    assert ended.status == 0, ended.stderr
    assert "ran for real: sh -c" in ended.stderr
    assert marks(bench) == ["ran"]


def test_what_was_not_piped_is_told(bench):
    """A child that wrote to the agent's own output is not run, so its output is missing."""
    record(bench, "printing")
    ended = bench.run("replay", "t.jsonl", "--", sys.executable, AGENT, "printing")
    assert marks(bench) == []
    assert "what it may have printed is not known: sh -c" in ended.stderr


def test_folders_and_temporary_names_may_differ(bench):
    """They are the run's own."""
    script = bench.folder / "agent.py"
    script.write_text(
        "import subprocess, tempfile\n"
        "with tempfile.NamedTemporaryFile(mode='w') as file:\n"
        "    file.write('text')\n"
        "    file.flush()\n"
        "    print(subprocess.check_output(['cat', file.name]))\n"
    )
    for options in (["--no-entropy"],):
        ended = bench.run("record", *options, "-o", "t.jsonl", "--", sys.executable, script)
    again = bench.run("replay", "t.jsonl", "--", sys.executable, script)
    assert (again.status, again.stdout) == (0, ended.stdout), again.stderr
    assert " is now cat " in again.stderr


WORKERS = """
import multiprocessing, os, subprocess

def work(times):
    for _ in range(times):
        subprocess.check_output(["echo", "the same"])

for times in map(int, os.environ["WORKERS"].split()):
    worker = multiprocessing.get_context("fork").Process(target=work, args=(times,))
    worker.start(); worker.join()
"""


@pytest.mark.parametrize(
    ("workers", "status", "told"),
    [
        ("1 1", 0, "2 processes not run"),
        ("1 1 1", 0, "echo 'the same' was started by more processes than was recorded"),
        ("1", 0, "1 process not run"),
        ("2 2", 123, "the process echo 'the same'"),
    ],
)
def test_it_is_open_which_worker_starts_what(bench, workers, status, told):
    """In a pool it depends on the moment: a library's own child once a worker; more of it in one is a divergence."""
    (bench.folder / "workers.py").write_text(WORKERS)
    bench.environment["WORKERS"] = "1 1"
    command = (sys.executable, "workers.py")
    assert bench.run("record", "-q", "-o", "t.jsonl", "--", *command).status == 0
    bench.environment["WORKERS"] = workers
    ended = bench.run("replay", "t.jsonl", "--", *command)
    assert ended.status == status, ended.stderr
    assert told in ended.stderr


def test_a_trace_that_ends_within_a_child_ends_the_replay_there(bench):
    """Nothing says how it went on: 123, not a wait for ever."""
    code = "import subprocess; print(subprocess.check_output(['echo', 'x']))"
    bench.run("record", "-q", "-o", "t.jsonl", "--", sys.executable, "-c", code)
    lines = (bench.folder / "t.jsonl").read_bytes().splitlines(keepends=True)
    place = next(at for at, line in enumerate(lines) if b'"kind":"process_start"' in line)
    (bench.folder / "t.jsonl").write_bytes(b"".join(lines[: place + 1]))
    ended = bench.run("replay", "t.jsonl", "--", sys.executable, "-c", code)
    assert ended.status == 123
    assert "DIVERGED at the end of echo x" in ended.stderr
    assert "the trace is not whole" in ended.stderr
