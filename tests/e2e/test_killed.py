"""Killed (-9) at a random moment, again and again: the trace is whole, and holds all that the agent had acted on.

`AGENTTRACE_KILLS=200` runs it that often; as it stands a few times.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time

import pytest

from agenttrace.encoding import value_bytes
from tests.e2e.conftest import of_kind

KILLS = int(os.environ.get("AGENTTRACE_KILLS", "6"))

# Acts on each piece of each answer: what it got is in a file before it goes on.
AGENT = """
import http.client, json, os, sys
acted = os.open("acted", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
client = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
os.write(acted, b"%d\\n" % os.getpid())
for number in range(100000):
    body = {"model": "gpt-5", "stream": number % 2 == 1, "messages": [{"role": "user", "content": "n %d" % number}]}
    client.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
    answer = client.getresponse()
    while True:
        piece = answer.read1(65536)
        if not piece:
            break
        os.write(acted, json.dumps([number, piece.decode("latin-1")]).encode() + b"\\n")
    answer.read()
"""


def _acted(bench) -> tuple[int, list]:
    """(the agent's pid, what it acted on)."""
    path = bench.folder / "acted"
    deadline = time.monotonic() + 30
    while not path.exists() or not path.read_bytes().endswith(b"\n"):
        assert time.monotonic() < deadline, "the agent did not start"
        time.sleep(0.005)
    lines = path.read_bytes().split(b"\n")[:-1]
    return int(lines[0]), [json.loads(line) for line in lines[1:]]


def _recorded(events: list[dict]) -> dict[int, bytes]:
    """By the number of the request: what of its answer the trace holds; a JSON body in compact form."""
    by_span: dict[str, int] = {}
    bodies: dict[int, bytes] = {}
    for event in of_kind(events, "llm_request", "llm_chunk", "llm_response"):
        span, data = event["span_id"], event["data"]
        if event["kind"] == "llm_request":
            number = int(data["request"]["messages"][-1]["content"].split()[1])
            by_span[span], bodies[number] = number, b""
        elif event["kind"] == "llm_chunk":
            bodies[by_span[span]] += value_bytes(data["text"])
        elif "response" in data:
            bodies[by_span[span]] = _compact(data["response"])
        else:
            bodies[by_span[span]] += value_bytes(data.get("body"))
    return bodies


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _comparable(body: bytes) -> bytes:
    try:
        return _compact(json.loads(body))
    except ValueError:  # a stream, or cut
        return body


def _end(process: subprocess.Popen) -> None:
    process.wait(30)
    for stream in (process.stdout, process.stderr):
        stream.close()


def _ended_trace(bench) -> list[dict]:
    """The events, once the collector is done with them (it outlives a front that was killed)."""
    deadline = time.monotonic() + 30
    while True:
        raw = (bench.folder / "t.jsonl").read_bytes()
        if b'"kind":"trace_end"' in raw[-2000:] and raw.endswith(b"\n"):
            return bench.events()
        assert time.monotonic() < deadline, raw[-300:]
        time.sleep(0.01)


@pytest.mark.parametrize("victim", ["agent", "group", "front"])
def test_killed_at_a_random_moment(bench, server, sdk_python, victim):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    port = server.url.rpartition(":")[2]
    for _ in range(max(1, KILLS // 3)):
        for name in ("acted", "t.jsonl"):
            (bench.folder / name).unlink(missing_ok=True)
        record = bench.start(
            "record", "-o", "t.jsonl", "--", sdk_python, "-c", AGENT, port, start_new_session=True
        )
        agent, _ = _acted(bench)
        time.sleep(chance.uniform(0.0, 0.15))
        if victim == "agent":
            os.kill(agent, signal.SIGKILL)
        elif victim == "group":
            os.killpg(record.pid, signal.SIGKILL)
        else:
            record.kill()
            time.sleep(chance.uniform(0.0, 0.02))
            os.kill(agent, signal.SIGKILL)
        _end(record)
        events = _ended_trace(bench)
        report = bench.report()
        assert report["status"] == "intact", (seed, report)
        _, acted_on = _acted(bench)
        recorded = _recorded(events)
        bodies: dict[int, bytes] = {}
        for number, piece in acted_on:
            bodies[number] = bodies.get(number, b"") + piece.encode("latin-1")
        for number, body in bodies.items():
            assert recorded[number].startswith(_comparable(body)), (seed, number)
