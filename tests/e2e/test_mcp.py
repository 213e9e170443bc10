"""Tool calls over MCP are tool calls, wherever they are seen; a server that is a child is not run in a replay."""

from __future__ import annotations

import json

import pytest

from .conftest import AGENTS, of_kind

AGENT = AGENTS / "mcp_calls.py"


def check_calls(bench) -> None:
    """Three calls, each with its result in one span."""
    calls, results = (of_kind(bench.events(), kind) for kind in ("tool_call", "tool_result"))
    assert [call["data"]["arguments"]["city"] for call in calls] == ["Bern", "Nowhere", "Oslo"]
    by_span = {result["span_id"]: result["data"] for result in results}
    assert len(by_span) == 3
    for call in calls:
        result = by_span[call["span_id"]]
        city = call["data"]["arguments"]["city"]
        assert call["data"]["seen_by"] == result["seen_by"] == "mcp"
        assert call["data"]["name"] == result["name"] == "forecast"
        assert call["data"]["call_id"] == result["call_id"]
        assert result["is_error"] is (city == "Nowhere")
        assert city == "Nowhere" or city in result["output"][0]["text"]
        assert result["duration_ns"] > 0


@pytest.mark.parametrize("how", ["stdio", "shell", "http", "sse"])
def test_calls_over_every_transport(bench, sdk_python, how):
    """A server that is a child, hooked or not, and one behind HTTP, that answers there or on another stream."""
    ended = bench.run("record", "-o", "t.jsonl", "--", sdk_python, AGENT, how)
    assert ended.status == 0, ended.stderr
    assert ended.stdout.startswith("4 degrees in Bern\n")
    assert ended.stdout.endswith("\n4 degrees in Oslo\n")
    check_calls(bench)
    kind = "http_request" if how in ("http", "sse") else "process_start"
    spans = {event["span_id"] for event in of_kind(bench.events(), kind)}
    assert {call["parent_span_id"] for call in of_kind(bench.events(), "tool_call")} <= spans
    assert bench.report()["status"] == "intact"


def test_the_server_itself_is_recorded(bench, sdk_python):
    """Its calls are seen from the other side."""
    asked = [
        {"id": 0, "method": "initialize", "params": _initialize()},
        {"method": "notifications/initialized"},
        *(
            {
                "id": number,
                "method": "tools/call",
                "params": {"name": "forecast", "arguments": {"city": city}},
            }
            for number, city in enumerate(["Bern", "Nowhere", "Oslo"], 1)
        ),
    ]
    process = bench.start("record", "-o", "t.jsonl", "--", sdk_python, AGENT, "server", stdin=-1)
    for message in asked:
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        process.stdin.flush()
        if "id" in message:
            assert json.loads(process.stdout.readline())["id"] == message["id"]
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    check_calls(bench)


def _initialize() -> dict:
    client = {"name": "test", "version": "1"}
    return {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}


def test_a_server_is_answered_for(bench, sdk_python):
    """Started by a shell it is no code of the agent's: it is not run, and the agent gets the same."""
    bench.environment["MARKS"] = str(bench.folder / "marks")
    recorded = bench.run("record", "-o", "t.jsonl", "--", sdk_python, AGENT, "shell")
    (bench.folder / "marks").unlink()
    ended = bench.run("replay", "--check", "t.jsonl", "--", sdk_python, AGENT, "shell")
    assert (ended.status, ended.stdout) == (0, recorded.stdout), ended.stderr
    assert not (bench.folder / "marks").exists()


def test_a_call_that_the_model_asked_for_is_one_call(bench, server, sdk_python):
    """Seen in the model's answer, in the message to the server and in the next request: one call, one result."""
    bench.serve_from(server)
    ended = bench.run("record", "-o", "t.jsonl", "--", sdk_python, AGENT, "model")
    assert ended.status == 0, ended.stderr
    (call,) = of_kind(bench.events(), "tool_call")
    (result,) = of_kind(bench.events(), "tool_result")
    assert call["span_id"] == result["span_id"]
    assert (call["data"]["seen_by"], result["data"]["seen_by"]) == ("wire", "mcp")
    assert call["data"]["call_id"] == result["data"]["call_id"]
    (asked, _) = of_kind(bench.events(), "llm_request")
    assert call["parent_span_id"] == asked["span_id"]
