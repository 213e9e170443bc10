"""What recording costs: an agent's calls, its start, and a long conversation."""

from __future__ import annotations

import functools
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import orjson

from agenttrace import Tracer, TraceReader, _backend
from agenttrace.encoding import RawJson
from agenttrace.recording import Recording
from agenttrace.redaction import Redactor
from benches.measuring import AGENTTRACE, ROOT, Figure, Scale, Section, best_of, seconds_of
from examples.model_server import ModelServer
from tools.agent_environment import agent_python

CALLS = """
import statistics, sys, time, httpx
url, calls = sys.argv[1] + "/v1/chat/completions", int(sys.argv[2])
plain, first, start = [], [], time.perf_counter()
body = {"model": "gpt-5", "messages": [{"role": "user", "content": "Say something about rivers."}]}
with httpx.Client() as client:
    for number in range(calls):
        began = time.perf_counter()
        client.post(url, json=body).json()
        plain.append(time.perf_counter() - began)
    for number in range(calls // 4):
        began = time.perf_counter()
        with client.stream("POST", url, json={**body, "stream": True}) as answer:
            for piece in answer.iter_bytes():
                first.append(time.perf_counter() - began)
                break
print(statistics.median(plain) * 1e3, statistics.median(first) * 1e3)
"""
CALLING = """\
Medians of 200 calls in an agent that calls a model server on loopback through httpx, with `agenttrace \
record` and without."""
STARTING = """Whole commands. The Typer program has one command that does nothing."""
CONVERSING = """\
A conversation in which each of {turns} requests holds all messages before it, two of 300 words more \
each time. Bodies are read, cleaned and written as `record` does it; the time is this process's own. \
Then the trace is read back, and each request compared with what was sent."""


def calling(folder: Path) -> Section:
    """What an agent waits longer for."""
    python = agent_python()
    with ModelServer() as server:
        agent = [python, "-c", CALLS, server.url, "200"]
        out = ["-q", "--force", "-o", str(folder / "calls.jsonl")]
        recorded = [*AGENTTRACE, "record", *out, "--", *agent]
        runs: list[list[list[float]]] = [[], []]
        for _ in range(5):
            for run, command in zip(runs, (agent, recorded)):
                ended = subprocess.run(
                    command, check=True, capture_output=True, text=True, cwd=ROOT
                )
                run.append([float(figure) for figure in ended.stdout.split()])
    bare, ours = ([statistics.median(column) for column in zip(*run)] for run in runs)
    names = ("a plain call, recorded", "first piece of a stream, recorded")
    figures = [
        Figure(name, with_us, "ms", "not recorded", without)
        for name, with_us, without in zip(names, ours, bare)
    ]
    return Section("Recorded calls", CALLING, figures)


def starting(folder: Path, scale: Scale) -> Section:
    """What commands take that have nothing to do."""
    path = folder / "small.jsonl"
    with Tracer(path) as tracer:
        tracer.log("x")
    program = folder / "typer_program.py"
    program.write_text(
        "import typer\napp = typer.Typer(add_completion=False, rich_markup_mode=None)\n"
        "@app.command()\ndef main(path: str): pass\napp()\n"
    )
    record = [*AGENTTRACE, "record", "-q", "--force", "-o", str(folder / "r.jsonl"), "--", "true"]
    commands = [
        [*AGENTTRACE, "verify", str(path)],
        [*AGENTTRACE, "cat", str(path)],
        record,
        [sys.executable, str(program), "x"],
        [sys.executable, "-c", "pass"],
    ]
    verify, cat, recording, typer, nothing = (
        1e3 * seconds
        for seconds in best_of(
            *(functools.partial(seconds_of, command) for command in commands),
            rounds=2 * scale.rounds + 1,
        )
    )
    figures = [
        Figure("verify, start", verify, "ms", "a Typer program", typer, bar=1.25),
        Figure("cat, start", cat, "ms", "a Typer program", typer, bar=1.25),
        Figure("record -- true", recording, "ms", "a Typer program", typer),
        Figure("a Typer program", typer, "ms", "python -c pass", nothing),
    ]
    return Section("Starting", STARTING, figures)


def conversing(folder: Path, scale: Scale) -> Section:
    """A conversation of many turns: its size, its cost, and that nothing of it is lost."""
    path = folder / "conversation.jsonl"
    messages = _messages(2 * scale.turns)
    sent, seconds = _record_conversation(path, messages)
    size = path.stat().st_size
    _compare(path, messages)
    figures = [
        Figure("a conversation, on disk", size / 1e6, "MB", "sent", sent / 1e6),
        Figure("recording 1 MB that is sent", seconds / sent * 1e9, "ms", bar=round(1000 / 300, 2)),
    ]
    if not scale.is_quick:
        figures[0:1] = [
            figures[0],
            Figure("a conversation, on disk, by itself", size / 1e6, "MB", bar=10),
        ]
    return Section("A long conversation", CONVERSING.format(turns=scale.turns), figures)


def _messages(count: int) -> list[bytes]:
    chance = random.Random(2)
    words = [f"w{number}" for number in range(5000)]
    roles = ("user", "assistant")
    texts = (" ".join(chance.choices(words, k=300)) for _ in range(count))
    return [
        orjson.dumps({"role": roles[number % 2], "content": text})
        for number, text in enumerate(texts)
    ]


def _record_conversation(path: Path, messages: list[bytes]) -> tuple[int, float]:
    fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600)
    redactor = Redactor({"X_API_KEY": "sk-abcdefghijklmnopqrstuvwx"})
    recording = Recording(_backend.Writer(fd, "0" * 31 + "1", redactor=redactor.engine), redactor)
    recording.start({"name": "conversation"})
    sent, seconds = 0, 0.0
    for turn in range(1, len(messages) // 2 + 1):
        body = b'{"model":"gpt-5","messages":[%s]}' % b",".join(messages[: 2 * turn])
        span = f"{turn:016x}"
        sent += len(body)
        began = time.process_time()
        asked = {
            "provider": "openai",
            "operation": "chat",
            "model": "gpt-5",
            "stream": False,
            "request": RawJson(_backend.compact_json(body)),
        }
        recording.write("llm_request", asked, span)
        seconds += time.process_time() - began
        recording.write("llm_response", {"complete": True, "text": "x" * 500}, span)
    recording.end({"status": "ok"})
    os.close(fd)
    return sent, seconds


def _compare(path: Path, messages: list[bytes]) -> None:
    wanted = [orjson.loads(message) for message in messages]
    turn = 0
    with TraceReader(path, full=True, strict=True) as reader:
        for event in reader:
            if event.kind == "llm_request":
                turn += 1
                read = event.data["request"]
                if read != {"model": "gpt-5", "messages": wanted[: 2 * turn]}:
                    sys.exit(f"turn {turn} was not read back as it was sent")
    if 2 * turn != len(messages):
        sys.exit(f"{turn} requests were read back of {len(messages) // 2}")
