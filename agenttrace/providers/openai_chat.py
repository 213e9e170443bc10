"""Reads OpenAI's chat completions, the older completions and embeddings, streamed or not.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
A whole body is read as a stream of one chunk: the two differ only in `message` for `delta`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from .base import (
    Answer,
    ToolCall,
    arguments,
    count,
    error_in,
    first_count,
    index,
    joined,
    known_counts,
    mapping,
    mappings,
    parsed,
    string,
)


@dataclass
class _Call:
    """One call as its deltas make it."""

    id: str = ""
    name: str = ""
    is_free_text: bool = False
    pieces: list[str] = field(default_factory=list)
    whole: object = None

    def tool_call(self) -> ToolCall:
        text = joined(self.pieces) or ""
        read = text if self.is_free_text else arguments(text)
        return ToolCall(self.id or None, self.name, self.whole if self.whole is not None else read)


@dataclass
class _Choice:
    """One choice as its deltas make it."""

    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[_Call] = field(default_factory=list)
    by_index: dict[int, _Call] = field(default_factory=dict)
    finish_reason: str = ""


class ChatFold:
    """Folds chat.completion.chunk objects and `[DONE]` into one answer."""

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}
        self._model = ""
        self._usage: dict[str, Any] = {}
        self._error: Optional[dict[str, str]] = None
        self._is_complete = False

    def feed(self, event: Optional[str], data: str) -> None:
        """Take one event."""
        if data.strip() == "[DONE]":
            self._is_complete = True
            return
        facts = mapping(parsed(data))
        error = error_in(200, {"error": facts or data, **facts} if event == "error" else facts)
        if error is not None:
            self._error = error
            self._is_complete = True
        self.take(facts)

    def take(self, facts: dict[str, Any]) -> None:
        """Take one chunk, or a whole body."""
        self._model = self._model or string(facts.get("model"))
        for at, told in enumerate(mappings(facts.get("choices"))):
            number = index(told.get("index"))
            choice = self._choices.setdefault(at if number is None else number, _Choice())
            choice.finish_reason = string(told.get("finish_reason")) or choice.finish_reason
            choice.text.append(string(told.get("text")))
            delta = mapping(told.get("delta"))
            if not delta and not any(choice.text) and not choice.calls:
                delta = _as_delta(mapping(told.get("message")))
            _extend(choice, delta)
        # Usage comes in a last chunk without choices, and with some servers in each: cumulative.
        usage = mapping(facts.get("usage")) or mapping(mapping(facts.get("x_groq")).get("usage"))
        self._usage = usage or self._usage

    def answer(self) -> Answer:
        """What has come so far: the text of the first choice that has one, the calls of all."""
        choices = [self._choices[number] for number in sorted(self._choices)]
        return Answer(
            text=_first(choices, "text") or _first(choices, "refusal"),
            reasoning=_first(choices, "reasoning"),
            # Some gateways put the text into one choice and the calls into the next.
            tool_calls=[call.tool_call() for choice in choices for call in choice.calls],
            finish_reason=next((c.finish_reason for c in choices if c.finish_reason), None),
            model=self._model or None,
            usage=chat_usage(self._usage),
            error=self._error,
            complete=self._is_complete,
        )


def _first(choices: list[_Choice], member: str) -> Optional[str]:
    texts = (joined(getattr(choice, member)) for choice in choices)
    return next((text for text in texts if text), None)


def _as_delta(message: dict[str, Any]) -> dict[str, Any]:
    """A whole message as one delta, each call with an index of its own."""
    calls = [{**told, "index": at} for at, told in enumerate(mappings(message.get("tool_calls")))]
    return {**message, "tool_calls": calls}


def _extend(choice: _Choice, delta: dict[str, Any]) -> None:
    content = delta.get("content")
    choice.text += [string(content), *(string(part.get("text")) for part in mappings(content))]
    choice.refusal.append(string(delta.get("refusal")))
    # Two spellings of one thing; servers that send both send the same text twice.
    reasoning = string(delta.get("reasoning_content")) or string(delta.get("reasoning"))
    choice.reasoning.append(reasoning)
    for part in mappings(content):
        thoughts = mappings(part.get("thinking"))
        choice.reasoning += [string(thought.get("text")) for thought in thoughts]
    for told in mappings(delta.get("tool_calls")):
        _extend_call(_call_of(choice, told), told)
    if isinstance(delta.get("function_call"), dict):
        # The form before tools: one call, without id and index.
        _extend_call(_call_of(choice, {"index": 0}), {"function": delta["function_call"]})


def _call_of(choice: _Choice, told: dict[str, Any]) -> _Call:
    """The call that a delta goes on with: by its index; a new one where that can't be meant."""
    number, id_ = index(told.get("index")), string(told.get("id"))
    last = choice.calls[-1] if choice.calls else None
    known = last if number is None else choice.by_index.get(number)
    # Gemini's endpoint gives each of several calls the index 0, others give no index at all.
    is_other = known is not None and id_ and known.id and id_ != known.id and _name_in(told)
    if known is None or is_other or (number is None and not id_ and _name_in(told)):
        known = _Call()
        choice.calls.append(known)
    if number is not None:
        choice.by_index[number] = known
    return known


def _name_in(told: dict[str, Any]) -> str:
    return string((mapping(told.get("function")) or mapping(told.get("custom"))).get("name"))


def _extend_call(call: _Call, told: dict[str, Any]) -> None:
    function, custom = mapping(told.get("function")), mapping(told.get("custom"))
    call.id = call.id or string(told.get("id"))
    call.name = call.name or _name_in(told)
    call.is_free_text = call.is_free_text or bool(custom)
    value = custom.get("input") if custom else function.get("arguments")
    if isinstance(value, str):
        call.pieces.append(value)
    elif value is not None:
        # Some servers send the object itself.
        call.whole = value


def chat_usage(told: dict[str, Any]) -> Optional[dict[str, int]]:
    """The counts of chat completions, completions and embeddings."""
    asked = mapping(told.get("prompt_tokens_details"))
    answered = mapping(told.get("completion_tokens_details"))
    fresh, output = count(told.get("prompt_tokens")), count(told.get("completion_tokens"))
    reasoning = count(answered.get("reasoning_tokens"))
    if (
        fresh is not None
        and output is not None
        and reasoning
        and count(told.get("total_tokens")) == fresh + output + reasoning
    ):
        # xAI leaves reasoning out of the completion, which shows in the total.
        output += reasoning
    return known_counts(
        input_tokens=fresh,
        output_tokens=output,
        cached_input_tokens=first_count(
            asked.get("cached_tokens"),
            told.get("prompt_cache_hit_tokens"),  # DeepSeek
            told.get("cached_tokens"),  # Moonshot
        ),
        cache_write_input_tokens=count(asked.get("cache_write_tokens")),
        reasoning_tokens=reasoning,
    )
