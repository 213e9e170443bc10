"""Gemini and Ollama: parts and lines folded, calls without ids linked to their results, counts that mean the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from agenttrace.intake.tools import ToolLedger
from agenttrace.providers import Answer, JsonLines, Provider, ToolCall, ToolResult, provider_named
from tests.test_providers import JSON

URL = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent"
LINES = [
    {"model": "m", "message": {"role": "assistant", "thinking": "Hm."}, "done": False},
    {"model": "m", "message": {"role": "assistant", "content": "Ri"}, "done": False},
    {"model": "m", "message": {"role": "assistant", "content": "vers"}, "done": False},
    {
        "model": "m",
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 7,
        "eval_count": 3,
    },
]


def part(
    *parts: dict[str, Any], usage: dict[str, int] | None = None, **more: Any
) -> dict[str, Any]:
    """One answer of a Gemini stream."""
    candidate = {"index": 0, "content": {"role": "model", "parts": list(parts)}, **more}
    answer: dict[str, Any] = {"candidates": [candidate], "modelVersion": "gemini-2.5-flash-001"}
    return {**answer, "usageMetadata": usage} if usage else answer


STREAM = [
    part({"text": "Hm.", "thought": True}, usage={"promptTokenCount": 9}),
    part({"text": "Ri"}, usage={"promptTokenCount": 9, "candidatesTokenCount": 1}),
    part(
        {"text": "vers"},
        finishReason="STOP",
        usage={"promptTokenCount": 9, "candidatesTokenCount": 2, "thoughtsTokenCount": 4},
    ),
]


def provider(name: str) -> Provider:
    found = provider_named(name)
    assert found is not None
    return found


def folded(name: str, events: list[Any]) -> Answer:
    fold = provider(name).fold("chat")
    for event in events:
        fold.feed(None, json.dumps(event))
    return fold.answer()


def gemini(*parts: dict[str, Any]) -> Answer:
    return provider("gemini").answer("generate_content", 200, part(*parts))


# Streams


def test_parts_of_a_gemini_stream_add_up_and_the_last_counts_hold() -> None:
    """Thoughts are reasoning, counts are replaced, thoughts are within the output."""
    answer = folded("gemini", STREAM)
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("Rivers", "Hm.", "STOP")
    assert answer.model == "gemini-2.5-flash-001"
    assert answer.usage == {"input_tokens": 9, "output_tokens": 6, "reasoning_tokens": 4}


def test_an_array_of_answers_says_what_the_stream_says() -> None:
    """Without `alt=sse` a stream is one JSON array."""
    whole = provider("gemini").answer("stream_generate_content", 200, STREAM)
    assert whole == folded("gemini", STREAM)


def test_lines_of_ollama_add_up() -> None:
    """Thinking is reasoning; the last line has the reason to end and the counts."""
    answer = folded("ollama", LINES)
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("Rivers", "Hm.", "stop")
    assert answer.usage == {"input_tokens": 7, "output_tokens": 3}


def test_lines_under_another_content_type_are_read() -> None:
    """Some servers call their lines application/json: a body that is no JSON."""
    text = "\n".join(map(json.dumps, LINES))
    assert provider("ollama").answer("chat", 200, text) == folded("ollama", LINES)


@pytest.mark.parametrize(("name", "events"), [("gemini", STREAM), ("ollama", LINES)])
def test_a_stream_cut_anywhere_is_incomplete(name: str, events: list[Any]) -> None:
    """Before its end it is never complete, and its text is the start of the whole."""
    for length in range(len(events)):
        answer = folded(name, events[:length])
        assert not answer.complete
        assert "Rivers".startswith(answer.text or "")
    assert folded(name, events).complete


def test_lines_are_the_same_wherever_the_bytes_are_cut() -> None:
    """Within characters too; blank lines and a missing last LF change nothing."""
    text = '{"a":"ü"}\r\n\n{"b":"\u2028"}\n{"c":1}'.encode()
    expected = [(None, '{"a":"ü"}'), (None, '{"b":"\u2028"}'), (None, '{"c":1}')]
    for length in range(1, len(text)):
        lines = JsonLines()
        found = [
            e for at in range(0, len(text), length) for e in lines.feed(text[at : at + length])
        ]
        assert found + lines.close() == expected


@pytest.mark.parametrize("name", ["gemini", "ollama"])
def test_an_error_ends_the_stream(name: str) -> None:
    """It is told, and nothing was cut off."""
    answer = folded(name, [{"error": {"code": 500, "message": "no", "status": "INTERNAL"}}])
    assert answer.error == {"type": "INTERNAL", "message": "no"}
    assert answer.complete


def test_an_error_in_an_array_is_told() -> None:
    """As Gemini answers a stream without `alt=sse` that it refuses."""
    body = [{"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}]
    error = provider("gemini").answer("stream_generate_content", 429, body).error
    assert error == {"type": "RESOURCE_EXHAUSTED", "message": "slow down"}


def test_a_blocked_prompt_has_its_reason() -> None:
    """There is no candidate then."""
    answer = folded("gemini", [{"promptFeedback": {"blockReason": "SAFETY"}}])
    assert (answer.finish_reason, answer.complete) == ("SAFETY", True)


# Requests


def test_gemini_names_the_model_in_the_path() -> None:
    """The body has none; the method says whether it streams."""
    asked = provider("gemini").asked("stream_generate_content", {}, URL)
    assert (asked.model, asked.stream) == ("gemini-2.5-flash", True)


@pytest.mark.parametrize(
    ("operation", "told", "is_stream"),
    [("chat", {}, True), ("chat", {"stream": False}, False), ("embed", {}, False)],
)
def test_ollama_streams_unless_told_not_to(
    operation: str, told: dict[str, Any], is_stream: bool
) -> None:
    """`stream` is true where it is absent; embeddings never stream."""
    assert provider("ollama").asked(operation, {"model": "m", **told}).stream is is_stream


# Tools


def test_calls_of_gemini_have_their_arguments() -> None:
    """As an object; the id where there is one."""
    calls = gemini(
        {"functionCall": {"name": "f", "args": {"x": 1}}},
        {"functionCall": {"id": "a", "name": "g"}},
    ).tool_calls
    assert calls == [ToolCall(None, "f", {"x": 1}), ToolCall("a", "g", None)]


def test_arguments_in_pieces_are_put_together() -> None:
    """Vertex streams them by their place, if asked to."""
    pieces = [
        {"name": "f", "willContinue": True},
        {"partialArgs": [{"jsonPath": "$.city", "stringValue": "Zü", "willContinue": True}]},
        {"partialArgs": [{"jsonPath": "$.city", "stringValue": "rich"}], "willContinue": True},
        {"partialArgs": [{"jsonPath": "$.days", "numberValue": 2}, {"jsonPath": "$.a[0].b"}]},
        {},
    ]
    answer = folded("gemini", [part({"functionCall": piece}) for piece in pieces])
    assert answer.tool_calls == [ToolCall(None, "f", {"city": "Zürich", "days": 2})]


def test_calls_of_ollama_have_an_id_where_the_server_gives_one() -> None:
    """Older servers give none."""
    calls = [{"function": {"name": "f", "arguments": {"x": 1}}}, {"id": "a", "function": {}}]
    answer = folded("ollama", [{"message": {"tool_calls": calls}}])
    assert answer.tool_calls == [ToolCall(None, "f", {"x": 1}), ToolCall("a", "", None)]


def test_only_results_since_the_last_turn_are_told() -> None:
    """Names come again in a history: earlier results belong to earlier calls."""
    call = {"functionCall": {"name": "f", "args": {"x": 1}}}
    earlier = {"functionResponse": {"name": "f", "response": {"result": "old"}}}
    result = {"function_response": {"name": "f", "response": {"error": "no"}}}
    contents = [
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [earlier]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [result]},
    ]
    found = provider("gemini").asked("generate_content", {"contents": contents}).tool_results
    assert found == [ToolResult("f", {"error": "no"}, True, {"x": 1})]


@pytest.mark.parametrize("link", [{"tool_name": "f"}, {"name": "f"}, {}])
def test_results_of_ollama_are_linked_by_name_or_place(link: dict[str, str]) -> None:
    """`tool_name`, its older spelling, or the order of the calls."""
    calls = [{"function": {"name": "f", "arguments": {"x": x}}} for x in (1, 2)]
    results = [{"role": "tool", "content": str(x), **link} for x in (1, 2)]
    messages = [{"role": "assistant", "tool_calls": calls}, *results]
    found = provider("ollama").asked("chat", {"model": "m", "messages": messages}).tool_results
    assert found == [ToolResult("f", str(x), arguments={"x": x}) for x in (1, 2)]


class Notes:
    """Stands where the recording stands."""

    def __init__(self) -> None:
        self.results: list[tuple[Any, Any]] = []

    def write(self, kind: str, facts: dict[str, Any], *more: Any) -> None:
        if kind == "tool_result":
            self.results.append((facts["output"], more[0]))
        else:
            self.results.append((facts["arguments"], more[0]))


def test_results_go_to_the_call_with_their_arguments() -> None:
    """Two agents that call one tool at once get their own results, also the other way round."""
    notes = Notes()
    ledger = ToolLedger(notes)  # type: ignore[arg-type]
    for x in (1, 2):
        ledger.called([ToolCall(None, "f", {"x": x})], "0" * 16, 1)
    ledger.answered([ToolResult("f", "two", arguments={"x": 2})], 2)
    ledger.answered([ToolResult("f", "one", arguments={"x": 1})], 2)
    ledger.answered([ToolResult("f", "again", arguments={"x": 1})], 2)
    one, two = (span for _, span in notes.results[:2])
    assert notes.results[2:] == [("two", two), ("one", one)]


def test_results_of_alike_calls_keep_their_order() -> None:
    """The same call twice in one answer."""
    notes = Notes()
    ledger = ToolLedger(notes)  # type: ignore[arg-type]
    ledger.called([ToolCall(None, "f", {})] * 2, "0" * 16, 1)
    ledger.answered([ToolResult("f", name, arguments={}) for name in ("old", "a", "b")], 2)
    first, second = (span for _, span in notes.results[:2])
    assert notes.results[2:] == [("a", first), ("b", second)]


def test_calls_of_one_id_are_calls_of_their_own() -> None:
    """Some servers count from 0 in each answer; only the same call again is the same."""
    notes = Notes()
    ledger = ToolLedger(notes)  # type: ignore[arg-type]
    ledger.called([ToolCall("0", "f", {"x": 1}), ToolCall("0", "f", {"x": 2})], "a" * 16, 1)
    ledger.called([ToolCall("0", "f", {"x": 1})], "b" * 16, 1)
    assert [told for told, _ in notes.results] == [{"x": 1}, {"x": 2}]
    one, two = (span for _, span in notes.results)
    ledger.answered([ToolResult("0", "one"), ToolResult("0", "two")], 2)
    assert notes.results[2:] == [("one", one), ("two", two)]
    ledger.answered([ToolResult("0", "again")], 3)
    assert len(notes.results) == 4
    ledger.called([ToolCall("0", "g", {})], "c" * 16, 4)
    ledger.answered([ToolResult("0", "three")], 5)
    assert notes.results[5] == ("three", notes.results[4][1])


# Usage, and whatever comes


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (
            {"promptTokenCount": 220, "candidatesTokenCount": 5, "thoughtsTokenCount": 185},
            {"input_tokens": 220, "output_tokens": 190, "reasoning_tokens": 185},
        ),
        (
            {
                "promptTokenCount": 10,
                "candidatesTokenCount": 8,
                "thoughtsTokenCount": 5,
                "totalTokenCount": 18,
            },
            {"input_tokens": 10, "output_tokens": 8, "reasoning_tokens": 5},
        ),
        (
            {"promptTokenCount": 10, "toolUsePromptTokenCount": 4, "cachedContentTokenCount": 6},
            {"input_tokens": 14, "cached_input_tokens": 6},
        ),
    ],
    ids=["thoughts beside", "thoughts within, by the total", "read by Google's tools; cached"],
)
def test_counts_of_gemini_mean_the_same(told: dict[str, int], usage: dict[str, int]) -> None:
    """All input, all output."""
    answer = provider("gemini").answer("generate_content", 200, {"usageMetadata": told})
    assert answer.usage == usage


@given(JSON, JSON)
def test_arbitrary_bodies_never_raise(body: Any, other: Any) -> None:
    """Any JSON, in the places where something is read too."""
    content = {"role": "model", "parts": [{"functionCall": body, "functionResponse": other}, body]}
    for facts in (body, {"contents": [content, other, content]}, {"messages": [body, other]}):
        for one in (provider("gemini"), provider("ollama")):
            one.claims("POST", URL, facts)
            one.resembles(facts)
            one.asked("chat", facts, str(other))
            one.answer("chat", 200, facts)
    folded("gemini", [body, {"candidates": [{"content": content, "index": other}]}])
    folded("ollama", [body, {"message": {"tool_calls": [other]}, "thinking": body}])
