"""Conversations in full: what was sent comes back; a request that is lost is told once, whatever became of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agenttrace import Tracer, TraceReader
from agenttrace.reseal import Resealer
from tests.contract.making import OTHER, line

TURNS = 30


def requests_of(turns: int) -> list[dict[str, Any]]:
    """A conversation that grows by two messages a turn, with what JSON makes hard in it."""
    said: list[dict[str, Any]] = [{"role": "system", "content": "Be brief. " * 60}]
    found = []
    for turn in range(turns):
        said.append({"role": "user", "content": f'{turn}: [\\"{{é\u2028 ' + "why " * 70})
        found.append({"model": "m", "messages": list(said), "tools": [{"n": "x" * 300}], "t": 1.0})
        said.append({"role": "assistant", "content": None, "tool_calls": [{"id": turn}] * 9})
    return found


def conversation(path: Path, turns: int = TURNS) -> list[bytes]:
    """A trace of it; its lines."""
    with Tracer(path) as tracer:
        for request in requests_of(turns):
            with tracer.llm_request(provider="openai", model="m", request=request) as call:
                call.response(text="so", usage={})
    return path.read_bytes().splitlines(keepends=True)


def based(lines: list[bytes]) -> list[int]:
    """The places of the requests that have a base."""
    return [at for at, one in enumerate(lines) if b'"base":{' in one]


def test_what_was_sent_comes_back(tmp_path: Path) -> None:
    """As JSON, from a trace that is a fifth of it."""
    lines = conversation(tmp_path / "t")
    assert len(based(lines)) > TURNS // 2
    reader = TraceReader(tmp_path / "t", full=True)
    events = [event for event in reader if event.kind == "llm_request"]
    assert [event.data["request"] for event in events] == requests_of(TURNS)
    assert not any("base" in event.data for event in events)
    assert sum(len(event.raw) for event in events) > 4 * sum(map(len, lines))
    assert reader.findings == []


def rebased(one: bytes, **base: Any) -> bytes:
    """The line with another base, sealed anew."""
    event = json.loads(one)
    data = event["data"]
    data["base"] = {**data["base"], **base}
    spelled = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    more = f'"span_id":"{event["span_id"]}",'
    return line(event["seq"], event["kind"], spelled, trace=event["trace_id"], more=more)


@pytest.mark.parametrize("harm", ["gone", "damaged", "itself", "later", "other trace", "too long"])
def test_a_lost_base_is_one_finding(tmp_path: Path, harm: str) -> None:
    """What goes on with it is left out; what doesn't is handed on; nothing goes round in circles."""
    lines = conversation(tmp_path / "t")
    victim = based(lines)[5]
    seq = json.loads(lines[victim])["seq"]
    if harm == "gone":
        del lines[victim]
    elif harm == "damaged":
        lines[victim] = lines[victim].replace(b"why", b"who", 1)
    elif harm in ("itself", "later"):
        lines[victim] = rebased(lines[victim], seq=seq + (4 if harm == "later" else 0))
    elif harm == "other trace":
        other = lines[victim - 2].replace(lines[0][20:52], OTHER.encode(), 1)
        base = json.loads(lines[victim])["data"]["base"]["seq"]
        assert json.loads(lines[victim - 2])["seq"] == base
        lines[victim - 2] = other
    else:
        lines[victim] = rebased(lines[victim], prefix={"messages": 10_000})
    (tmp_path / "h").write_bytes(b"".join(lines))
    reader = TraceReader(tmp_path / "h", full=True, judge="lines")
    whole = [event.seq for event in reader if event.kind == "llm_request"]
    found = [one for one in reader.findings if one.kind in ("missing_base", "bad_base")]
    assert len(found) == 1
    assert seq - 4 <= found[0].seq <= seq + 4
    assert len(whole) < len(requests_of(TURNS))
    sent = {event.seq: event.data["request"] for event in TraceReader(tmp_path / "t", full=True)
            if event.kind == "llm_request"}  # fmt: skip
    again = TraceReader(tmp_path / "h", full=True, judge="lines")
    trace_id = json.loads(lines[0])["trace_id"]
    for event in again:
        if event.kind == "llm_request" and event.trace_id == trace_id:
            assert event.data["request"] == sent[event.seq]


def test_few_bytes_that_become_many_come_out_in_pieces(tmp_path: Path) -> None:
    """Memory is not that of all that one read of the file expands to."""
    lines = conversation(tmp_path / "t", 150)
    resealer = Resealer(full=True, on_error=lambda *told: pytest.fail(str(told)))
    pieces = list(resealer.pieces(b"".join(lines)))
    assert sum(map(len, pieces)) > 5_000_000
    assert max(map(len, pieces)) < 1_200_000
    assert resealer.built_on_lost == 0
