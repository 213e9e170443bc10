"""A trace is data from anywhere: what is odd in it is left out of a replay, never a fault."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agenttrace import _backend
from agenttrace.replay import recorded
from agenttrace.replay.matching import Matcher

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
URL = "http://127.0.0.1/v1/chat/completions"
ODD = [None, "x", [], {}, -1, 1.5, "200", 99999, True, 10**30]


def trace_of(path: Path, *events: tuple[str, Any]) -> str:
    """A sealed trace of these events in one span."""
    with path.open("wb") as file:
        for seq, (kind, data) in enumerate([("trace_start", {"name": None}), *events]):
            text = data if isinstance(data, str) else json.dumps(data)
            line = (
                f'{{"v":1,"trace_id":"{TRACE}","ts":"2026-11-22T06:40:00.000000000Z","seq":{seq},'
                f'"kind":"{kind}","span_id":"{SPAN}","data":{text}}}'
            )
            file.write(_backend.seal(line.encode("utf-8", "surrogatepass")))
    return str(path)


def request(**changes: Any) -> tuple[str, dict[str, Any]]:
    """A model call, with these members in place of good ones."""
    return "llm_request", {
        "request": {"model": "m"},
        "http": {"method": "POST", "url": URL},
        **changes,
    }


@pytest.mark.parametrize("odd", ODD)
def test_odd_values_are_read_as_nothing(tmp_path: Path, odd: Any) -> None:
    """Times, status, headers, bodies, signals of any type."""
    answer = {
        "complete": True,
        "http": {"status": odd, "headers": {"a": odd}},
        "duration_ns": odd,
        "body": odd,
    }
    chunk = {"text": odd, "at_ns": odd, "http": odd}
    end = {"status": "ok", "signal": odd, "exit_code": odd, "events": 0, "chain": "00000000"}
    path = trace_of(
        tmp_path / "t",
        request(),
        ("llm_chunk", chunk),
        ("llm_response", answer),
        ("trace_end", end),
    )
    (exchange,) = recorded.load(path).exchanges
    assert exchange.status is None
    assert all(isinstance(at, int) and at >= 0 for at in exchange.at_ns)


@pytest.mark.parametrize("http", [None, "x", [], {"url": "http://[::1", "method": 5}, {"url": [1]}])
def test_odd_requests_match_nothing_and_harm_nothing(tmp_path: Path, http: Any) -> None:
    """A good request finds its answer beside them."""
    path = trace_of(
        tmp_path / "t", request(http=http), request(), ("llm_response", {"complete": True})
    )
    matcher = Matcher(recorded.load(path))
    assert isinstance(matcher.ask("POST", URL, b'{"model": "m"}'), recorded.Recorded)
    matcher.ask("POST", "http://[::1", b"{}")
    assert matcher.report.diverged == 1


def test_headers_that_http_can_not_carry_are_left_out(tmp_path: Path) -> None:
    """Line breaks, characters beyond Latin-1, names that are none."""
    headers = {
        "good": "yes",
        "bad": "a\r\nb: c",
        "b\nad": "x",
        "caf\u00e9": "x",
        "wide": "\u20ac",
        "": "x",
    }
    answer = {"complete": True, "http": {"status": 200, "headers": headers}}
    path = trace_of(tmp_path / "t", request(), ("llm_response", answer))
    assert recorded.load(path).exchanges[0].headers == {"good": "yes"}


def test_an_event_that_is_no_json_is_told_and_passed_over(tmp_path: Path) -> None:
    """Its seal fits; the rest of the trace replays."""
    path = trace_of(
        tmp_path / "t",
        ("log", "{nonsense}"),
        ("trace_end", "{nonsense}"),
        request(),
        ("llm_response", {}),
    )
    run = recorded.load(path)
    assert len(run.exchanges) == 1
    assert run.findings


@pytest.mark.parametrize("odd", ODD)
def test_odd_draws_are_left_out(tmp_path: Path, odd: Any) -> None:
    """Times and random bytes of any type: none reaches a program but what it could have drawn."""
    path = trace_of(
        tmp_path / "t",
        ("clock", {"process": "a.0", "thread": "MainThread", "after_ns": odd}),
        ("clock", {"process": "a.0", "thread": "MainThread", "after_ns": [odd]}),
        ("entropy", {"process": odd, "thread": odd, "source": "urandom", "hex": odd}),
        ("entropy", {"process": "a.0", "thread": "MainThread", "source": "uuid1", "hex": "00"}),
        ("trace_end", {"status": "ok", "events": 0, "chain": "00000000"}),
    )
    draws = recorded.load(path).draws
    head = {"command": "a", "root": "r", "forks": [], "thread": "MainThread", "from": 0}
    clock, body = draws.answer({**head, "stream": "clock"})
    assert len(body) == sum(clock["lengths"])
    assert len(body) % 8 == 0
    assert draws.answer({**head, "stream": "uuid1"})[0]["lengths"] == []


def test_no_text_of_a_trace_steers_the_terminal_or_names_a_file(tmp_path: Path) -> None:
    """Output, URLs, command lines and a name with control characters; what a trace says is no path and no command."""
    odd = "\x1b]0;x\x07\x1b[2J\u202e\x9b31m\rev\nil"
    start = {"argv": ["/bin/sh", "-c", f"touch {tmp_path}/ran; {odd}"], "cwd": odd, "pid": 1}
    path = trace_of(
        tmp_path / "t",
        ("trace_start", {"name": odd, "command": [odd], "cwd": odd, "replay": {"hash_seed": odd}}),
        ("process_start", start),
        request(http={"method": odd, "url": f"http://h/{odd}", "headers": {odd: odd}}),
        ("stdout", {"text": odd + "\n"}),
        ("trace_end", {"status": "ok", "exit_code": 0, "events": 0, "chain": "00000000"}),
    )
    before = sorted(tmp_path.iterdir())
    for options in ([], ["--format", "jsonl"], ["-o", str(tmp_path / "out.jsonl")]):
        ended = subprocess.run(
            [sys.executable, "-m", "agenttrace", "replay", *options, path, "--", "echo", odd[:3]],
            capture_output=True,
            timeout=60,
            check=False,
        )
        told = ended.stderr.decode()
        assert ended.returncode == 123, told
        assert "Traceback" not in told
        assert not set("\x1b\x07\x9b\r\u202e") & set(told)
        assert all(line.startswith(("agenttrace: ", "  ", "{")) for line in told.splitlines())
    assert sorted({*tmp_path.iterdir()} - {tmp_path / "out.jsonl"}) == before
