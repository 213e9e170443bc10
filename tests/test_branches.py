"""Model calls of one conversation hang below its first call; what is not surely part of it is a branch of its own."""

from __future__ import annotations

import itertools
import json
import os
import random

import pytest

from agenttrace._backend import Writer
from agenttrace.intake.conversations import Conversations
from agenttrace.intake.frames_to_events import Intake
from agenttrace.providers import Asked, recognise
from agenttrace.recording import Recording
from agenttrace.redaction import NoRedactor

from .test_providers import EXCHANGES

SYSTEM = {"role": "system", "content": "You are terse."}


class Agent:
    """Asks models by frames, as hooks tell of them; the trace goes to a real file."""

    def __init__(self, path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._intake = Intake(Recording(Writer(self._file, "1" * 32), NoRedactor()))
        self._numbers = itertools.count(1)

    def begin(self, body: dict, path: str = "/v1/chat/completions", **more: str) -> str:
        """A request goes out; its span."""
        span_id = f"{next(self._numbers):016x}"
        head = {"id": span_id, "ts": 10**18, "method": "POST", "url": f"http://x{path}"}
        head.update(headers=[], **more)
        self._intake.take("request", head, json.dumps(body).encode())
        return span_id

    def end(self, span_id: str, answer: dict | None, status: int = 200) -> str:
        """Its answer comes; None: the connection breaks."""
        head = {"id": span_id, "at": 1}
        error = None if answer else {"type": "ReadError", "message": "gone"}
        if answer is not None:
            headers = [["content-type", "application/json"]]
            self._intake.take("response", {**head, "status": status, "headers": headers}, b"")
            self._intake.take("chunk", head, json.dumps(answer).encode())
        self._intake.take("end", {**head, "complete": answer is not None, "error": error}, b"")
        return span_id

    def chat(self, *messages: dict, says: str = "Yes.", **more: str) -> str:
        """A chat call, answered."""
        message = {"role": "assistant", "content": says}
        span_id = self.begin({"model": "m", "messages": [*messages]}, **more)
        return self.end(span_id, {"choices": [{"message": message, "finish_reason": "stop"}]})

    def parents(self) -> dict[str, str | None]:
        """Of each model call, its parent."""
        lines = [json.loads(line) for line in self._path.read_bytes().splitlines()]
        calls = [line for line in lines if line["kind"] == "llm_request"]
        return {line["span_id"]: line.get("parent_span_id") for line in calls}

    def close(self) -> None:
        os.close(self._file)


@pytest.fixture
def agent(tmp_path):
    """An agent with a trace of its own."""
    made = Agent(tmp_path / "t.jsonl")
    yield made
    made.close()


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def model(text: str) -> dict:
    return {"role": "assistant", "content": text}


def test_a_conversation_is_one_branch(agent):
    """Each later call hangs below the first, however many there are."""
    first = agent.chat(SYSTEM, user("a"))
    second = agent.chat(SYSTEM, user("a"), model("Yes."), user("b"))
    third = agent.chat(SYSTEM, user("a"), model("Yes."), user("b"), model("Yes."), user("c"))
    assert agent.parents() == {first: None, second: first, third: first}


def test_conversations_that_take_turns_are_two(agent):
    """The same system prompt is no conversation."""
    a1, b1 = agent.chat(SYSTEM, user("a")), agent.chat(SYSTEM, user("b"))
    b2 = agent.chat(SYSTEM, user("b"), model("Yes."), user("more"))
    a2 = agent.chat(SYSTEM, user("a"), model("Yes."), user("more"))
    assert agent.parents() == {a1: None, b1: None, b2: b1, a2: a1}


def test_two_continuations_of_one_history_are_one_branch(agent):
    """An agent that tries again from an earlier point goes on with the same conversation."""
    first = agent.chat(SYSTEM, user("a"))
    history = (SYSTEM, user("a"), model("Yes."))
    left, right = agent.chat(*history, user("left")), agent.chat(*history, user("right"))
    deeper = agent.chat(*history, user("left"), model("Yes."), user("on"))
    assert agent.parents() == {first: None, left: first, right: first, deeper: first}


def test_the_same_question_twice_is_two_conversations(agent):
    """Each goes on with its own answer; what could be either's is nobody's."""
    one, two = agent.chat(user("a"), says="One."), agent.chat(user("a"), says="Two.")
    on_two = agent.chat(user("a"), model("Two."), user("b"))
    on_one = agent.chat(user("a"), model("One."), user("b"))
    neither = agent.chat(user("a"), model("Three."), user("b"))
    assert agent.parents() == {one: None, two: None, on_two: two, on_one: one, neither: None}


@pytest.mark.parametrize("status", [500, None])
def test_another_try_is_the_same_conversation(agent, status):
    """After an error, or where no answer came: at its start, and later."""
    body = {"model": "m", "messages": [user("a")]}
    failure = {"error": {"type": "api_error", "message": "no"}} if status else None
    first = agent.end(agent.begin(body), failure, status or 0)
    again = agent.chat(user("a"))
    later = {"model": "m", "messages": [user("a"), model("Yes."), user("b")]}
    failed = agent.end(agent.begin(later), failure, status or 0)
    last = agent.chat(user("a"), model("Yes."), user("b"))
    assert agent.parents() == {first: None, again: first, failed: first, last: first}


def test_a_tool_result_leads_back_to_who_asked_for_it(agent):
    """By the call's id, also where the history before it was rewritten."""
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": "call_7", "type": "function", "function": function}]
    asks = {"role": "assistant", "content": None, "tool_calls": calls}
    first = agent.begin({"model": "m", "messages": [SYSTEM, user("a")]})
    agent.end(first, {"choices": [{"message": asks, "finish_reason": "tool_calls"}]})
    result = {"role": "tool", "tool_call_id": "call_7", "content": "4"}
    second = agent.chat({**SYSTEM, "content": "It is noon."}, user("a"), asks, result)
    assert agent.parents() == {first: None, second: first}


def test_responses_are_followed_by_their_ids(agent):
    """`previous_response_id` names the answer, `conversation` the whole of it."""

    def ask(span: str, **body: object) -> str:
        begun = agent.begin({"model": "m", "input": "x", **body}, "/v1/responses")
        return agent.end(begun, {"id": span, "object": "response", "output": []})

    one, other = ask("resp_1"), ask("resp_2", input="y")
    two = ask("resp_3", previous_response_id="resp_1", input="z")
    three = ask("resp_4", previous_response_id="resp_3", input="x")
    kept = ask("resp_5", conversation={"id": "conv_1"}, input="k")
    kept_on = ask("resp_6", conversation="conv_1", input="l")
    parents = {one: None, other: None, two: one, three: one, kept: None, kept_on: kept}
    assert agent.parents() == parents


def test_moving_marks_of_a_cache_change_nothing(agent):
    """Anthropic's clients mark the newest turn, and so write the one before it otherwise."""

    def ask(*messages: dict) -> str:
        body = {"model": "m", "max_tokens": 9, "system": "s", "messages": [*messages]}
        return agent.end(agent.begin(body, "/v1/messages"), {"content": [], "type": "message"})

    marked = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    first = ask({"role": "user", "content": [marked]})
    second = ask(user("a"), model("Yes."), user("b"))
    assert agent.parents() == {first: None, second: first}


def test_what_encloses_a_call_goes_first(agent):
    """A Tracer's span is the parent of what is done in it."""
    first = agent.chat(user("a"))
    second = agent.chat(user("a"), model("Yes."), user("b"), parent="f" * 16)
    third = agent.chat(user("a"), model("Yes."), user("b"), model("Yes."), user("c"))
    assert agent.parents() == {first: None, second: "f" * 16, third: first}


def test_what_is_remembered_is_bounded(monkeypatch):
    """The oldest calls are forgotten, with all that led to them."""
    monkeypatch.setattr("agenttrace.intake.conversations._MAX_CALLS", 5)
    monkeypatch.setattr("agenttrace.intake.conversations._MAX_NAMES", 5)
    found, chance = Conversations(), random.Random(1)
    for number in range(200):
        asked = Asked(turns=[user(str(chance.randrange(9)))], continues=f"name {number}")
        found.begun(f"{number:016x}", asked, None)
        sizes = [len(found._calls), sum(map(len, found._by_turns.values())), len(found._by_name)]
        assert max(sizes) <= 5
    asked = Asked(turns=["no", "turns"])
    assert found.begun("f" * 16, asked, None) is None


def test_the_turns_of_real_requests_are_found():
    """Under whatever name a protocol keeps them."""
    found = set()
    for exchange in EXCHANGES.values():
        request = exchange["request"]
        provider, operation = recognise(exchange["method"], exchange["url"], request) or (None, "")
        names = [name for name in ("messages", "contents", "input") if name in request]
        if provider is None or operation == "embeddings" or not names:
            continue
        sent = request[names[0]]
        turns = sent if isinstance(sent, list) else [user(sent)]
        assert provider.asked(operation, request).turns == turns
        found.add((provider.name, operation))
    assert len(found) >= 3
