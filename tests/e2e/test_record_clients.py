"""Every client's exchanges are in the trace once, with their bodies, usage and text."""

from __future__ import annotations

import json
import time

import pytest

from .conftest import AGENTS, EXAMPLES, of_kind

CLIENTS = [
    "openai_plain",
    "openai_stream",
    "openai_responses",
    "openai_responses_stream",
    "openai_async",
    "openai_async_stream",
    "openai_gzip",
    "anthropic_plain",
    "anthropic_stream",
    "anthropic_async",
    "httpx_plain",
]


def recorded(bench, server, sdk_python, *command):
    """Records a command against the server; its events, after the trace was found intact."""
    bench.serve_from(server)
    ended = bench.run("record", "-o", "t.jsonl", "--", sdk_python, *command)
    assert ended.status == 0, ended.stderr
    assert bench.report()["status"] == "intact"
    return ended, bench.events()


@pytest.mark.parametrize("client", CLIENTS)
def test_an_exchange_is_recorded_once_with_its_body_and_answer(bench, server, sdk_python, client):
    """One request to the server is one llm_request, with the same JSON, and one complete llm_response."""
    ended, events = recorded(bench, server, sdk_python, AGENTS / "every_client.py", client)
    (request,) = of_kind(events, "llm_request")
    (response,) = of_kind(events, "llm_response")
    assert [request["data"]["request"]] == [asked["body"] for asked in server.requests]
    assert response["span_id"] == request["span_id"]
    assert response["data"]["complete"] is True
    assert response["data"]["text"] == ended.stdout.rstrip("\n")
    assert response["data"]["usage"]["input_tokens"] > 0


def test_an_exchange_that_no_provider_knows_is_http(bench, server, sdk_python):
    """Everything else stays http_request and http_response, its secrets out of the URL."""
    _, events = recorded(bench, server, sdk_python, AGENTS / "every_client.py", "httpx_other")
    request, response = of_kind(events, "http_request", "http_response")
    assert request["data"]["url"].endswith("/nothing/here?token=[redacted:url]")
    assert response["data"]["http"]["status"] == 404


def test_an_upload_in_pieces_is_recorded_whole(bench, server, sdk_python):
    """A body that is made as it is sent is in the trace as one."""
    _, events = recorded(bench, server, sdk_python, AGENTS / "every_client.py", "httpx_upload")
    (request,) = of_kind(events, "llm_request")
    assert request["data"]["request"] == server.requests[0]["body"]


def test_a_connection_that_fails_is_recorded_and_replayed(bench, server, sdk_python):
    """The agent gets the same error from the replay as from the world."""
    ended, events = recorded(bench, server, sdk_python, AGENTS / "every_client.py", "refused")
    (response,) = of_kind(events, "http_response")
    assert response["data"]["error"]["type"] == "ConnectError"
    again = bench.run("replay", "t.jsonl", "--", sdk_python, AGENTS / "every_client.py", "refused")
    assert (again.status, again.stdout) == (0, ended.stdout)


def test_answers_asked_for_at_once_are_not_mixed_up(bench, server, sdk_python):
    """Under gather each question gets its own answer, though they came in reverse order."""
    ended, events = recorded(bench, server, sdk_python, AGENTS / "gather.py")
    assert len(of_kind(events, "llm_request")) == 5
    again = bench.run("replay", "t.jsonl", "--", sdk_python, AGENTS / "gather.py")
    assert (again.status, again.stdout) == (0, ended.stdout)


@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
def test_events_of_several_processes_are_one_trace(bench, server, sdk_python, how):
    """Whatever way a process starts, one writer numbers what it tells."""
    ended, events = recorded(bench, server, sdk_python, AGENTS / "processes.py", how)
    assert len(of_kind(events, "llm_request")) == len(of_kind(events, "llm_response")) == 4
    again = bench.run("replay", "t.jsonl", "--", sdk_python, AGENTS / "processes.py", how)
    assert (again.status, again.stdout) == (0, ended.stdout)


def test_a_tool_call_is_read_off_the_wire(bench, server, sdk_python):
    """An answer that asks for a tool is the call, the request with its output the result; one
    span, its parent the asking call.
    """
    _, events = recorded(
        bench, server, sdk_python, EXAMPLES / "weather_agent.py", "What is the weather in Bern?"
    )
    first, _ = of_kind(events, "llm_request")
    (call,) = of_kind(events, "tool_call")
    (result,) = of_kind(events, "tool_result")
    assert call["data"]["arguments"] == {"city": "Bern"}
    assert call["parent_span_id"] == first["span_id"]
    assert call["span_id"] == result["span_id"]
    assert json.loads(result["data"]["output"])["city"] == "Bern"


def test_a_changed_word_is_123_and_its_place(bench, server, sdk_python):
    """The replay ends in 123; the diff names the word's path, what was recorded and what was asked."""
    recorded(
        bench, server, sdk_python, EXAMPLES / "weather_agent.py", "What is the weather in Bern?"
    )
    again = bench.run(
        "replay",
        "t.jsonl",
        "--",
        sdk_python,
        EXAMPLES / "weather_agent.py",
        "What is the weather in Chur?",
    )
    assert again.status == 123
    assert again.stdout == ""
    assert ".messages[0].content" in again.stderr
    assert '- "What is the weather in Bern?"' in again.stderr
    assert '+ "What is the weather in Chur?"' in again.stderr
    assert "Traceback" not in again.stderr


def test_no_secret_of_the_environment_is_in_the_trace(bench, server, sdk_python):
    """Keys in headers, and in what the agent prints."""
    bench.serve_from(server)
    script = "import os, openai; print(os.environ['OPENAI_API_KEY']); openai.OpenAI().models.list"
    bench.run("record", "-o", "t.jsonl", "--", sdk_python, "-c", script)
    bench.run(
        "record", "-o", "u.jsonl", "--", sdk_python, AGENTS / "every_client.py", "openai_plain"
    )
    for name in ("t.jsonl", "u.jsonl"):
        assert b"planted" not in (bench.folder / name).read_bytes()
    (output,) = of_kind(bench.events(), "stdout")
    assert output["data"]["text"] == "[redacted:OPENAI_API_KEY]\n"


def test_an_ignored_part_may_differ(bench, server, sdk_python):
    """`--ignore` leaves a path out of matching; a path that is none is wrong usage."""
    recorded(
        bench, server, sdk_python, EXAMPLES / "weather_agent.py", "What is the weather in Bern?"
    )
    agent = [sdk_python, EXAMPLES / "weather_agent.py", "What is the weather in Chur?"]
    again = bench.run("replay", "--ignore", "$.messages[0].content", "t.jsonl", "--", *agent)
    assert again.status == 0, again.stderr
    assert "Bern" in again.stdout
    assert bench.run("replay", "--ignore", "nonsense", "t.jsonl", "--", *agent).status == 2


def test_a_replay_can_take_its_time(bench, server, sdk_python):
    """`--speed 1` hands each piece on when it came; left out, all at once."""
    bench.serve_from(server)
    seen = bench.folder / "seen"
    agent = [sdk_python, AGENTS / "slow_reader.py", seen, "slow-stream"]
    bench.run("record", "-o", "t.jsonl", "--", *agent)
    first, last = [chunk["data"]["at_ns"] for chunk in of_kind(bench.events(), "llm_chunk")][::49][
        :2
    ]
    text = seen.read_text()
    began = time.monotonic()
    assert bench.run("replay", "--speed", "2", "t.jsonl", "--", *agent).status == 0
    assert time.monotonic() - began > (last - first) / 2e9
    assert seen.read_text() == text
