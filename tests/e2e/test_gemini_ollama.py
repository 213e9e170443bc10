"""The packages google-genai and ollama: their exchanges are in the trace once."""

from __future__ import annotations

import pytest

from .conftest import AGENTS, of_kind
from .test_record_clients import recorded

AGENT = AGENTS / "gemini_ollama.py"
CLIENTS = [
    "gemini_plain",
    "gemini_stream",
    "gemini_async",
    "gemini_async_stream",
    "ollama_plain",
    "ollama_stream",
    "ollama_generate",
    "ollama_async",
    "ollama_async_stream",
]


@pytest.fixture(autouse=True)
def _ollama_host(bench, server):
    bench.environment["OLLAMA_HOST"] = server.url


@pytest.mark.parametrize("client", CLIENTS)
def test_an_exchange_is_a_model_call(bench, server, sdk_python, client):
    """One request to the server is one llm_request and one complete llm_response."""
    ended, events = recorded(bench, server, sdk_python, AGENT, client)
    (request,) = of_kind(events, "llm_request")
    (response,) = of_kind(events, "llm_response")
    told = request["data"]
    assert told["provider"] == client.partition("_")[0]
    assert told["model"] == ("gemini-2.5-flash" if told["provider"] == "gemini" else "m")
    assert told["stream"] is ("stream" in client)
    assert [told["request"]] == [asked["body"] for asked in server.requests]
    assert response["data"]["complete"] is True
    assert response["data"]["text"] == ended.stdout.rstrip("\n")
    assert response["data"]["usage"]["input_tokens"] > 0
    assert bool(of_kind(events, "llm_chunk")) is told["stream"]


@pytest.mark.parametrize("client", ["gemini_tools", "ollama_tools"])
def test_calls_without_ids_have_their_own_results(bench, server, sdk_python, client):
    """Two calls of one tool in one answer: each result is in the span of its call, with the call's id."""
    _, events = recorded(bench, server, sdk_python, AGENT, client)
    calls = {event["span_id"]: event["data"] for event in of_kind(events, "tool_call")}
    results = {event["span_id"]: event["data"] for event in of_kind(events, "tool_result")}
    assert [call["arguments"] for call in calls.values()] == [{"city": "Bern"}, {"city": "Chur"}]
    assert list(calls) == list(results)
    for span_id, call in calls.items():
        assert call["arguments"]["city"] in str(results[span_id]["output"])
        assert call["call_id"] == results[span_id]["call_id"]
    assert b"planted" not in (bench.folder / "t.jsonl").read_bytes()
