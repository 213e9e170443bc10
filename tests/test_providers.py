"""Providers: what an exchange with a model says, in real exchanges, odd ones and broken ones."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agenttrace.providers import PROVIDERS, Answer, EventStream, provider_named, recognise

FIXTURES = Path(__file__).parent / "fixtures" / "http"
EXCHANGES = {
    exchange["name"]: exchange
    for line in (FIXTURES / "exchanges.jsonl").read_text(encoding="utf-8").split("\n")
    if line
    for exchange in [json.loads(line)]
}
READINGS = json.loads((FIXTURES / "readings.json").read_text(encoding="utf-8"))
CASES = json.loads((FIXTURES / "cases.json").read_text(encoding="utf-8"))
STREAMS = [name for name in EXCHANGES if "stream" in EXCHANGES[name]["content_type"]]
OPERATIONS = [
    (provider_named("anthropic"), "messages"),
    *(
        (provider_named("openai"), name)
        for name in ("chat", "responses", "embeddings", "completions")
    ),
]


def events_in(text: str) -> list[tuple[str | None, str]]:
    stream = EventStream()
    return stream.feed(text.encode()) + stream.close()


def folded(provider_name: str, operation: str, events: list[Any]) -> Answer:
    """The answer in these events: data alone, as JSON or as text, or a name with it."""
    provider = next(provider for provider in PROVIDERS if provider.name == provider_name)
    fold = provider.fold(operation)
    for told in events:
        name, data = told if isinstance(told, tuple) else (None, told)
        fold.feed(name, data if isinstance(data, str) else json.dumps(data))
    return fold.answer()


def answered(provider_name: str, operation: str, body: object, status: int = 200) -> Answer:
    provider = next(provider for provider in PROVIDERS if provider.name == provider_name)
    return provider.answer(operation, status, body)


def chunk(delta: dict[str, Any], index: int = 0, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta, **more}]}


# Real exchanges


@pytest.mark.parametrize("name", EXCHANGES)
def test_a_real_exchange_is_read(name: str) -> None:
    """Who is asked, with which results, and what the answer is: as checked by hand."""
    exchange = EXCHANGES[name]
    found = recognise(exchange["method"], exchange["url"], exchange["request"])
    if found is None:
        assert READINGS[name] is None
        return
    provider, operation = found
    if name in STREAMS:
        answer = folded(provider.name, operation, events_in(exchange["response"]))
    else:
        body = json.loads(exchange["response"])
        answer = provider.answer(operation, exchange["status"], body)
    reading = READINGS[name]
    assert (provider.name, operation) == (reading["provider"], reading["operation"])
    # Readings leave out what the exchange itself says: the turns, ids.
    asked = asdict(provider.asked(operation, exchange["request"]))
    assert {member: asked[member] for member in reading["asked"]} == reading["asked"]
    assert {member: asdict(answer)[member] for member in reading["answer"]} == reading["answer"]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_cut_anywhere_is_incomplete_and_a_part_of_the_whole(name: str) -> None:
    """Before its end a stream is never complete, and its text is the start of the whole text."""
    exchange, reading = EXCHANGES[name], READINGS[name]
    events = events_in(exchange["response"])
    provider = provider_named(reading["provider"])
    assert provider is not None
    fold = provider.fold(reading["operation"])
    for event in events:
        answer = fold.answer()
        assert not answer.complete
        assert (reading["answer"]["text"] or "").startswith(answer.text or "")
        assert (reading["answer"]["reasoning"] or "").startswith(answer.reasoning or "")
        assert len(answer.tool_calls) <= len(reading["answer"]["tool_calls"])
        fold.feed(*event)
    assert fold.answer().complete


@pytest.mark.parametrize("name", [n for n in STREAMS if READINGS[n]["operation"] == "responses"])
def test_a_response_without_its_last_event_is_read_from_its_deltas(name: str) -> None:
    """The deltas tell all but the usage and how it ended."""
    events = events_in(EXCHANGES[name]["response"])[:-1]
    answer = asdict(folded("openai", "responses", events))
    whole = READINGS[name]["answer"]
    cut = {"usage": None, "finish_reason": None, "complete": False, "id": answer["id"]}
    assert answer == {**whole, **cut}


# Who is asked


@pytest.mark.parametrize("case", CASES["model_calls"], ids=lambda case: case["url"])
def test_a_model_call_is_recognised(case: dict[str, Any]) -> None:
    """By host and path under any base URL, else by the shape of the body."""
    found = recognise("POST", case["url"], case["body"])
    assert found is not None
    assert [found[0].name, found[1]] == case["is"]


@pytest.mark.parametrize("case", CASES["other_requests"], ids=lambda case: case["url"])
def test_other_requests_are_nobodys(case: dict[str, Any]) -> None:
    """Other methods, other endpoints of the same APIs, and what only looks alike."""
    assert recognise(case["method"], case["url"], case["body"]) is None


def test_results_of_tools_are_read_in_order() -> None:
    """All of a conversation's results, in each protocol's form; an id names the call."""
    chat = {"messages": [
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "user", "content": "go on"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "2"}]},
        {"role": "function", "name": "old", "content": "3"},
        {"role": "tool", "content": "no id"},
    ]}  # fmt: skip
    anthropic, openai = provider_named("anthropic"), provider_named("openai")
    results = openai.asked("chat", chat).tool_results
    assert [result.call_id for result in results] == ["a", "b", "old"]
    assert results[1].output == [{"type": "text", "text": "2"}]
    blocks = [
        {"type": "tool_result", "tool_use_id": "a", "content": "1", "is_error": True},
        {"type": "text", "text": "and"},
        {"type": "tool_result", "tool_use_id": "b"},
    ]
    results = anthropic.asked(
        "messages", {"messages": [{"role": "user", "content": blocks}]}
    ).tool_results
    assert [asdict(result) for result in results] == [
        {"call_id": "a", "output": "1", "is_error": True, "arguments": None},
        {"call_id": "b", "output": None, "is_error": False, "arguments": None},
    ]


def test_results_in_a_responses_input_are_read() -> None:
    """Any kind of `…_output`, save those of tools that the provider ran itself."""
    given_input = [
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "custom_tool_call_output", "call_id": "b", "output": [{"text": "2"}]},
        {"type": "apply_patch_call_output", "call_id": "c", "status": "failed", "output": "no"},
        {"type": "tool_search_output", "call_id": "d", "execution": "server", "tools": []},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
    ]
    *_, openai = PROVIDERS
    results = openai.asked("responses", {"input": given_input}).tool_results
    assert [(result.call_id, result.is_error) for result in results] == [
        ("a", False), ("b", False), ("c", True),
    ]  # fmt: skip


# Streams of chat completions


def test_interleaved_calls_are_put_together_by_index() -> None:
    """The first id and name hold, the arguments add up."""
    deltas = [
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}},
        {"index": 1, "id": "b", "function": {"name": "g", "arguments": '{"y"'}},
        {"index": 0, "function": {"arguments": '{"x": 1}'}},
        {"index": 1, "id": "b", "function": {"name": "g", "arguments": ": 2}"}},
    ]
    chunks = [chunk({"tool_calls": [delta]}) for delta in deltas]
    answer = folded("openai", "chat", [*chunks, chunk({}, finish_reason="tool_calls"), "[DONE]"])
    assert [(call.id, call.name, call.arguments) for call in answer.tool_calls] == [
        ("a", "f", {"x": 1}), ("b", "g", {"y": 2}),
    ]  # fmt: skip
    assert answer.finish_reason == "tool_calls"


@pytest.mark.parametrize("index", [{"index": 0}, {}])
def test_whole_calls_with_the_same_index_or_none_stay_apart(index: dict[str, int]) -> None:
    """Gemini's endpoint for OpenAI's clients counts each call as 0; others don't count."""
    calls = [
        {**index, "id": name, "function": {"name": "f", "arguments": f'"{name}"'}} for name in "ab"
    ]
    answer = folded("openai", "chat", [chunk({"tool_calls": [call]}) for call in calls])
    assert [(call.id, call.arguments) for call in answer.tool_calls] == [("a", "a"), ("b", "b")]


def test_half_characters_in_two_pieces_are_joined() -> None:
    """An emoji can be two JSON escapes in two deltas; a half that stays alone becomes U+FFFD."""
    halves = [json.dumps(chunk({"content": half})) for half in "\ud83c\udf26"]
    assert folded("openai", "chat", halves).text == "🌦"
    assert folded("openai", "chat", halves[:1]).text == "\ufffd"


def test_text_and_calls_in_separate_choices_are_both_read() -> None:
    """Some gateways put the calls of an answer into a second choice."""
    call = {"id": "a", "function": {"name": "f", "arguments": "{}"}}
    choices = [{"message": {"content": "I look."}}, {"message": {"tool_calls": [call]}}]
    answer = answered("openai", "chat", {"choices": choices})
    assert (answer.text, [call.name for call in answer.tool_calls]) == ("I look.", ["f"])


def test_free_text_for_a_custom_tool_is_not_parsed() -> None:
    """What looks like JSON is text where the tool takes text."""
    call = {"id": "a", "type": "custom", "custom": {"name": "shell", "input": "42"}}
    answer = answered("openai", "chat", {"choices": [{"message": {"tool_calls": [call]}}]})
    assert answer.tool_calls[0].arguments == "42"


def test_arguments_that_do_not_parse_stay_text() -> None:
    """Cut off, or with NaN, which JSON doesn't have."""
    for text in ('{"city": "Par', '{"x": NaN}', ""):
        call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": text}}
        answer = folded("openai", "chat", [chunk({"tool_calls": [call]})])
        assert answer.tool_calls[0].arguments == text


def test_usage_comes_in_a_last_chunk_without_choices() -> None:
    """Also where `choices` is null, as some servers send it."""
    usage = {"prompt_tokens": 5, "completion_tokens": 2}
    for choices in ([], None):
        events = [chunk({"content": "hi"}), {"choices": choices, "usage": usage}, "[DONE]"]
        assert folded("openai", "chat", events).usage == {"input_tokens": 5, "output_tokens": 2}


def test_a_refusal_is_the_text_where_there_is_no_other() -> None:
    """A model that refuses says so in a member of its own."""
    message = {"role": "assistant", "content": None, "refusal": "I can't."}
    assert answered("openai", "chat", {"choices": [{"message": message}]}).text == "I can't."


def test_older_completions_have_their_text_in_the_choice() -> None:
    """Without a message or a delta around it."""
    events = [{"choices": [{"text": "a", "index": 0}]}, {"choices": [{"text": "b", "index": 0}]}]
    assert folded("openai", "completions", [*events, "[DONE]"]).text == "ab"


# Streams of messages


def anthropic_events(*usages: dict[str, Any]) -> list[dict[str, Any]]:
    first, *others = usages
    return [
        {"type": "message_start", "message": {"model": "c", "usage": first}},
        *({"type": "message_delta", "delta": {}, "usage": usage} for usage in others),
    ]


def test_anthropic_usage_is_replaced_not_added() -> None:
    """The counts of message_delta are of the whole answer so far."""
    events = anthropic_events(
        {"input_tokens": 10, "output_tokens": 1}, {"output_tokens": 5}, {"output_tokens": 9}
    )
    usage = folded("anthropic", "messages", events).usage
    assert usage == {"input_tokens": 10, "output_tokens": 9}


@pytest.mark.parametrize("counts", [(0, 25), (25, 0), (None, 25)])
def test_input_told_only_at_one_end_is_kept(counts: tuple[Any, Any]) -> None:
    """Gateways say 0 where they don't know yet, or don't know any more."""
    events = anthropic_events(*({"input_tokens": count, "output_tokens": 1} for count in counts))
    usage = folded("anthropic", "messages", events).usage
    assert usage is not None
    assert usage["input_tokens"] == 25


def test_a_cut_message_keeps_its_calls_text_so_far() -> None:
    """Arguments that are cut off stay text; without any the block's own input holds."""
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    start = {"type": "content_block_start", "index": 0, "content_block": block}
    delta = {"type": "input_json_delta", "partial_json": '{"ci'}
    events = [start, {"type": "content_block_delta", "index": 0, "delta": delta}]
    assert folded("anthropic", "messages", events[:1]).tool_calls[0].arguments == {}
    answer = folded("anthropic", "messages", events)
    assert (answer.tool_calls[0].arguments, answer.complete) == ('{"ci', False)


# Usage and errors


@pytest.mark.parametrize("case", CASES["usages"], ids=lambda case: case["of"])
def test_counts_mean_the_same_with_every_provider(case: dict[str, Any]) -> None:
    """Input with what came from caches, output with reasoning, whatever the provider's own say."""
    body = {"content": [], "output": [], "usage": case["told"]}
    assert answered(case["provider"], case["operation"], body).usage == case["usage"]


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "7", None, [], 2**60, float("nan"), float("inf")])
def test_counts_that_are_none_are_left_out(wrong: object) -> None:
    """Only whole numbers that can be a count are one."""
    usage = {"prompt_tokens": wrong, "completion_tokens": 4.0}
    assert answered("openai", "chat", {"usage": usage}).usage == {"output_tokens": 4}


@pytest.mark.parametrize("case", CASES["error_bodies"], ids=lambda case: str(case["status"]))
@pytest.mark.parametrize(("provider", "operation"), [("openai", "chat"), ("anthropic", "messages")])
def test_an_error_body_is_told(provider: str, operation: str, case: dict[str, Any]) -> None:
    """In all the forms that servers use, and with a status alone."""
    assert answered(provider, operation, case["body"], case["status"]).error == case["error"]


@pytest.mark.parametrize("case", CASES["error_events"], ids=lambda case: case["operation"])
def test_an_error_in_a_stream_ends_it(case: dict[str, Any]) -> None:
    """It is the protocol's own end: nothing was cut off."""
    event = (case["event"], json.dumps(case["data"]))
    answer = folded(case["provider"], case["operation"], [event])
    assert answer.error == {"type": "t", "message": "m"}
    assert answer.complete


def test_an_incomplete_response_says_why() -> None:
    """The provider's own word: the reason if there is one, else the status."""
    response = {
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [],
    }
    event = {"type": "response.incomplete", "response": response}
    answer = folded("openai", "responses", [event])
    assert (answer.finish_reason, answer.complete) == ("max_output_tokens", True)


# Whatever comes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


def damaged(value: Any, data: st.DataObject) -> Any:
    """The value with parts left out, or with anything in their place."""
    action = data.draw(st.sampled_from(["keep", "keep", "keep", "keep", "into", "into", "replace"]))
    if action == "replace":
        return data.draw(JSON)
    if action == "into" and isinstance(value, dict):
        return {name: damaged(part, data) for name, part in value.items()}
    if action == "into" and isinstance(value, list):
        return [damaged(part, data) for part in value]
    return value


@given(JSON, JSON)
def test_arbitrary_bodies_never_raise(body: Any, other: Any) -> None:
    """Any JSON as request, as answer and as event is read as nothing, not as a failure."""
    recognise("POST", "https://x/v1/chat/completions", body)
    recognise(body, other, body)
    for provider, operation in OPERATIONS:
        assert provider is not None
        provider.asked(operation, body)
        provider.answer(operation, 200, body)
        provider.answer(operation, 500, body)
        fold = provider.fold(operation)
        fold.feed("error", json.dumps(body))
        fold.feed(None, str(body))
        fold.answer()


@settings(max_examples=60)
@given(st.data(), st.sampled_from(sorted(EXCHANGES)))
def test_damaged_real_bodies_never_raise(data: st.DataObject, name: str) -> None:
    """Real requests and answers with anything in place of anything, events left out or doubled."""
    exchange = EXCHANGES[name]
    request = damaged(exchange["request"], data)
    recognise("POST", exchange["url"], request)
    for provider, operation in OPERATIONS:
        assert provider is not None
        provider.asked(operation, request)
        fold = provider.fold(operation)
        if name not in STREAMS:
            body = damaged(json.loads(exchange["response"]), data)
            provider.answer(operation, exchange["status"], body)
            continue
        for event, text in events_in(exchange["response"])[::3][:12]:
            if text != "[DONE]":
                text = json.dumps(damaged(json.loads(text), data))
            fold.feed(event, text)
            fold.answer()


def test_a_name_in_a_trace_leads_back_to_its_provider() -> None:
    """Names are not shared, and a foreign one is nobody's."""
    assert [provider_named(provider.name) for provider in PROVIDERS] == list(PROVIDERS)
    assert provider_named("nobody") is None
