"""Agents made with frameworks: each exchange once, with body, usage and tools; replayed; a changed word is told."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

import pytest

from agenttrace import TraceReader
from tools.agent_environment import agent_python

from .conftest import AGENTS, Bench, Ended, ModelServer, clean_bench, of_kind

AGENT = AGENTS / "frameworks.py"
PROMPTS = ("What is the weather in Bern?", "What is the weather in Chur?")
# By the framework: its requests, and those of its tool calls whose results go back by their id (smolagents tells
# results in words of its own).
CALLS = {
    "litellm": (4, 0),
    "langgraph": (2, 1),
    "pydantic_ai_openai": (2, 1),
    "pydantic_ai_anthropic": (2, 1),
    "openai_agents": (2, 1),
    "openai_agents_stream": (2, 1),
    "smolagents": (2, 0),
    "huggingface_hub": (1, 0),
    "openai_parse": (1, 0),
    "uvloop": (2, 0),
    "mcp_stdio": (1, 0),
}
WORD_AT = {"openai_agents": ".input[0].content", "openai_agents_stream": ".input[0].content"}


@pytest.fixture(scope="session")
def framework_python() -> str:
    """A Python that has the frameworks too."""
    return agent_python("frameworks")


@dataclass
class Runs:
    """A framework's agent: recorded, and replayed with a question more."""

    name: str
    recorded: Ended
    replayed: Ended
    events: list[dict]
    asked: list[dict]
    asked_by_replay: int


def run_both(bench: Bench, server: ModelServer, python: str, name: str) -> Runs:
    """Records it with one prompt; replays it with that, and then another one, in one process: most start slowly."""
    bench.serve_from(server)
    recorded = bench.run("record", "-o", "t.jsonl", "--", python, AGENT, name, *PROMPTS[:1])
    asked = list(server.requests)
    replayed = bench.run("replay", "t.jsonl", "--", python, AGENT, name, *PROMPTS)
    assert recorded.status == 0, recorded.stderr
    assert "recording failed" not in recorded.stderr
    with TraceReader(bench.folder / "t.jsonl", full=True) as reader:
        events = [json.loads(event.raw) for event in reader]
    return Runs(name, recorded, replayed, events, asked, len(server.requests) - len(asked))


@pytest.fixture(scope="module", params=CALLS)
def runs(request, tmp_path_factory, framework_python):
    """One framework."""
    bench = clean_bench(tmp_path_factory.mktemp(request.param))
    with ModelServer() as server:
        return run_both(bench, server, framework_python, request.param)


def test_each_exchange_is_recorded_once(runs):
    """What the server saw, in order, with its body; usage as the server sent it; each to its end."""
    requests = of_kind(runs.events, "llm_request")
    assert [one["data"]["request"] for one in requests] == [one["body"] for one in runs.asked]
    assert len(requests) == CALLS[runs.name][0]
    responses = of_kind(runs.events, "llm_response")
    assert [one["span_id"] for one in responses] == [one["span_id"] for one in requests]
    for response in responses:
        data = response["data"]
        assert data["complete"], data
        sent = data.get("response", {}).get("usage")
        if sent:
            counts = [sent.get("prompt_tokens", sent.get("input_tokens"))]
            counts.append(sent.get("completion_tokens", sent.get("output_tokens")))
            cached = sent.get("cache_read_input_tokens", 0)  # which Anthropic doesn't count in
            counts[0] += cached + sent.get("cache_creation_input_tokens", 0)
            usage = data["usage"]
            assert [usage["input_tokens"], usage["output_tokens"]] == counts


def test_tool_calls_and_results_are_linked(runs):
    """By id and span, the call's parent the model call that asked for it; one conversation is one branch."""
    found = of_kind(runs.events, "tool_result")
    results = [one for one in found if one["data"]["seen_by"] == "wire"]  # nobody asked for MCP's
    assert len(results) == CALLS[runs.name][1]
    calls = {one["span_id"]: one for one in of_kind(runs.events, "tool_call")}
    asking = {one["span_id"]: one["data"] for one in of_kind(runs.events, "llm_response")}
    for result in results:
        call = calls[result["span_id"]]
        assert call["data"]["call_id"] == result["data"]["call_id"]
        told = asking[call["parent_span_id"]]["tool_calls"]
        assert call["data"]["call_id"] in [one["id"] for one in told]
        assert "Bern" in str(result["data"]["output"])
        first, second = of_kind(runs.events, "llm_request")
        assert second["parent_span_id"] == first["span_id"]


def test_a_replay_says_what_the_recorded_run_said(runs):
    """Every answer is asked for again, the output is the same, no server hears of it."""
    count = CALLS[runs.name][0]
    # What it says before the second question's answer is missed: the tool of a server of its own, at most.
    assert runs.replayed.stdout.startswith(runs.recorded.stdout), runs.replayed.stderr
    assert runs.name == "mcp_stdio" or runs.replayed.stdout == runs.recorded.stdout
    assert "recorded but not asked" not in runs.replayed.stderr
    assert f"of {len(of_kind(runs.events, 'llm_request', 'http_request'))} recorded" in (
        runs.replayed.stderr
    )
    assert (len(runs.asked), runs.asked_by_replay) == (count, 0)


def test_a_changed_word_is_123_and_its_place(runs):
    """The path of the word in the request's JSON; what was recorded, what was asked."""
    assert runs.replayed.status == 123
    assert WORD_AT.get(runs.name, ".messages[") in runs.replayed.stderr
    for sign, city in (("-", "Bern"), ("+", "Chur")):
        told = [one for one in runs.replayed.stderr.splitlines() if one.startswith(f"    {sign} ")]
        assert any(city in one for one in told), runs.replayed.stderr


def test_botocore_is_recorded_and_replayed(bench, server, framework_python):
    """Also where all that Bedrock says is an error; it comes back as botocore's."""
    bench.environment["AWS_SECRET_ACCESS_KEY"] = "planted-aws-key-0123456789"
    runs = run_both(bench, server, framework_python, "botocore")
    requests = of_kind(runs.events, "llm_request")
    assert [one["data"]["request"] for one in requests] == [one["body"] for one in runs.asked]
    assert (runs.replayed.status, runs.replayed.stdout) == (123, runs.recorded.stdout)
    assert ".messages[0].content[0].text" in runs.replayed.stderr
    assert runs.asked_by_replay == 0
    assert b"planted" not in (bench.folder / "t.jsonl").read_bytes()


def test_mcp_over_http_is_recorded_and_replayed(bench, server, framework_python):
    """Its streams end when the client goes, one of them never by itself; the session goes on without a server."""
    command = [framework_python, str(AGENT), "mcp_server", "http"]
    serving = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=bench.environment
    )
    with serving:
        try:
            port = serving.stdout.readline().strip()
            bench.environment["MCP_SERVER"] = f"http://127.0.0.1:{port}/mcp"
            bench.serve_from(server)
            agent = (framework_python, AGENT, "mcp_http")
            recorded = bench.run("record", "-o", "t.jsonl", "--", *agent, "Bern")
        finally:
            serving.kill()
    assert (recorded.status, recorded.stdout) == (0, "forecast\nBern: 1 degrees\n"), recorded.stderr
    requests = of_kind(bench.events(), "http_request")
    asked = [one["data"].get("request", {}).get("method") for one in requests]
    assert sorted(asked, key=str) == sorted(
        [None, "initialize", "notifications/initialized", "tools/list", "tools/call", None], key=str
    )
    replayed = bench.run("replay", "t.jsonl", "--", *agent, "Bern")
    assert (replayed.status, replayed.stdout) == (0, recorded.stdout), replayed.stderr
    changed = bench.run("replay", "t.jsonl", "--", *agent, "Chur")
    assert changed.status == 123
    assert ".params.arguments.city" in changed.stderr
