"""A trace that was harmed, or whose recording was killed, replays as far as it goes, and says where that is."""

from __future__ import annotations

import random
import sys
import time

import pytest

from examples.model_server import ModelServer

from .conftest import Bench, clean_bench

AGENT = """
import http.client, json, os, subprocess, time, uuid
host = os.environ["MODEL_SERVER"].partition("//")[2]
for number in range(3):
    question = {"model": "gpt-5", "stream": number == 1, "messages": [{"role": "user", "content": "Say %d" % number}]}
    connection = http.client.HTTPConnection(host)
    connection.request("POST", "/v1/chat/completions", json.dumps(question), {"content-type": "application/json"})
    print(len(connection.getresponse().read()), uuid.uuid4(), time.time(), flush=True)
    print(subprocess.check_output(["echo", "x"]), flush=True)
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> tuple[Bench, bytes]:
    """A bench with the agent, and its trace."""
    bench = clean_bench(tmp_path_factory.mktemp("harmed"))
    (bench.folder / "agent.py").write_text(AGENT)
    with ModelServer() as server:
        bench.serve_from(server)
        ended = bench.run("record", "-q", "-o", "t.jsonl", "--", sys.executable, "agent.py")
    assert ended.status == 0, ended.stderr
    return bench, (bench.folder / "t.jsonl").read_bytes()


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _line_gone(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def _bit_flipped(data: bytes, chance: random.Random) -> bytes:
    harmed = bytearray(data)
    harmed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(harmed)


def _lines_swapped(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    place = chance.randrange(len(lines) - 1)
    lines[place : place + 2] = reversed(lines[place : place + 2])
    return b"".join(lines)


def _lines_cut(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join(lines[: chance.randrange(1, len(lines))])


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("harm", [_cut, _line_gone, _bit_flipped, _lines_swapped, _lines_cut])
def test_a_harmed_trace_says_how_far_it_goes(recorded, harm, seed):
    """No fault of ours, no wait; what its last event is, or that it can't be used."""
    bench, data = recorded
    (bench.folder / "h.jsonl").write_bytes(harm(data, random.Random(seed)))
    began = time.monotonic()
    ended = bench.run("replay", "h.jsonl", "--", sys.executable, "agent.py")
    assert time.monotonic() - began < 20
    assert "a fault in agenttrace" not in ended.stderr
    assert "agenttrace/replay/" not in ended.stderr
    if ended.status == 125:
        assert "h.jsonl: holds no trace" in ended.stderr
        return
    assert "the trace is not whole (" in ended.stderr
    assert "its last event is " in ended.stderr


def test_what_the_trace_ends_before_was_not_recorded(recorded):
    """An answer that is lost is a divergence like any other: the agent's clients are not told an error of ours."""
    bench, data = recorded
    lines = data.splitlines(keepends=True)
    asked = next(number for number, line in enumerate(lines) if b'"kind":"llm_request"' in line)
    (bench.folder / "h.jsonl").write_bytes(b"".join(lines[: asked + 1]))
    ended = bench.run("replay", "h.jsonl", "--", sys.executable, "agent.py")
    assert (ended.status, ended.stdout, ended.stderr.count("DIVERGED")) == (123, "", 1)
    assert "Traceback" not in ended.stderr
    end = f"not whole (no_end): it was replayed as far as it is; its last event is {asked}\n"
    assert end in ended.stderr


def test_a_killed_recording_says_that_it_was_interrupted(bench):
    """Its collector ended the trace; what the command did behind that is not in it."""
    script = "import time\nfor n in range(4): print(n, flush=True); time.sleep(0.3)"
    process = bench.start("record", "-q", "-o", "k.jsonl", "--", sys.executable, "-c", script)
    process.stdout.readline()
    process.kill()
    process.communicate()
    path, limit = bench.folder / "k.jsonl", time.monotonic() + 20
    while b"trace_end" not in path.read_bytes() and time.monotonic() < limit:
        time.sleep(0.02)
    ended = bench.run("replay", "k.jsonl", "--", sys.executable, "-c", script)
    last = bench.events("k.jsonl")[-1]["seq"]
    assert "the trace is not whole (recording it was interrupted)" in ended.stderr
    assert f"its last event is {last}\n" in ended.stderr


def test_that_it_is_not_whole_is_told_with_q_too(recorded):
    """All that is there matched: whether it is all, nobody knows."""
    bench, data = recorded
    (bench.folder / "h.jsonl").write_bytes(b"".join(data.splitlines(keepends=True)[:-1]))
    ended = bench.run("replay", "-q", "--check", "h.jsonl", "--", sys.executable, "agent.py")
    assert (ended.status, "the trace is not whole (no_end)" in ended.stderr) == (0, True)


def test_further_traces_of_a_file_are_told(recorded):
    """The first is the one that is replayed."""
    bench, data = recorded
    (bench.folder / "h.jsonl").write_bytes(data)
    command = ("--", sys.executable, "-c", "pass")
    assert bench.run("record", "-q", "--append", "-o", "h.jsonl", *command).status == 0
    ended = bench.run("replay", "h.jsonl", "--", sys.executable, "agent.py")
    assert (ended.status, "not the 1 behind it" in ended.stderr) == (0, True), ended.stderr


def test_a_rotated_recording_goes_on_elsewhere(bench):
    """A request that its file ends within was not recorded: no error is made up for the agent."""
    agent = AGENT.replace("range(3)", "range(40)").replace(
        '"Say %d" % number', '"Say %d " % number + "x" * 400'
    )
    (bench.folder / "agent.py").write_text(agent)
    with ModelServer() as server:
        bench.serve_from(server)
        options = ("-q", "--rotate", "20000", "-o", "t.jsonl")
        bench.run("record", *options, "--", sys.executable, "agent.py")
    ended = bench.run("replay", "t.jsonl", "--", sys.executable, "agent.py")
    assert (ended.status, "Traceback" in ended.stderr) == (123, False)
    assert "not whole (it goes on in another file)" in ended.stderr
