"""Reads Ollama's own protocol: chat, generate and embed, as one object or as lines of JSON.

Source: https://docs.ollama.com/api and …/api/streaming. Its servers speak OpenAI's protocol too,
under other paths; that is read by `openai`.
"""

from __future__ import annotations

from typing import Any, Optional

from .base import (
    Answer,
    Asked,
    ToolCall,
    ToolResult,
    arguments,
    count,
    error_in,
    joined,
    known_counts,
    listing,
    mapping,
    mappings,
    parsed,
    string,
    taken,
)
from .url import host_and_path

# By the end of the path: the operation, and the member that a body of it has besides the model.
_OPERATIONS = (
    ("/api/chat", "chat", "messages"),
    ("/api/generate", "generate", "prompt"),
    ("/api/embed", "embed", "input"),
    ("/api/embeddings", "embed", "prompt"),
)


class Ollama:
    """The provider of the operations `chat`, `generate` and `embed`."""

    name = "ollama"

    def claims(self, method: str, url: str, body: object) -> Optional[str]:
        """The operation of a POST to …/api/chat and its kin whose body fits it."""
        path = host_and_path(url)[1]
        facts = mapping(body)
        if method != "POST" or not string(facts.get("model")):
            return None
        for ending, operation, member in _OPERATIONS:
            # A model alone is loaded into memory: no call.
            if path.endswith(ending) and facts.get(member):
                return operation
        return None

    def resembles(self, body: object) -> Optional[str]:
        """`chat` or `generate` for a body with settings that only this protocol has."""
        facts = mapping(body)
        is_theirs = isinstance(facts.get("options"), dict) or "keep_alive" in facts
        if not is_theirs or not string(facts.get("model")):
            return None
        if mappings(facts.get("messages")):
            return "chat"
        return "generate" if string(facts.get("prompt")) else None

    def asked(self, operation: str, body: object, url: str = "") -> Asked:
        """The model, and what tools answered since the model's last turn. Streams unless told not to."""
        facts = mapping(body)
        return Asked(
            model=string(facts.get("model")) or None,
            stream=operation != "embed" and facts.get("stream") is not False,
            tool_results=_results(mappings(facts.get("messages"))),
            turns=listing(facts.get("messages")),
        )

    def answer(self, operation: str, status: int, body: object) -> Answer:
        """A whole body, an error body, or lines that came under another content type."""
        fold = OllamaFold()
        error = error_in(status, body)
        if error is not None:
            return Answer(error=error)
        if isinstance(body, str):
            for line in body.split("\n"):
                fold.feed(None, line)
            return fold.answer()
        fold.take(mapping(body))
        answer = fold.answer()
        answer.complete = True
        return answer

    def fold(self, operation: str) -> OllamaFold:
        """A fold of lines up to the one that is `done`."""
        return OllamaFold()


class OllamaFold:
    """Folds lines into one answer; a whole body is a stream of one line."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[ToolCall] = []
        self._finish_reason: Optional[str] = None
        self._model: Optional[str] = None
        self._usage: Optional[dict[str, int]] = None
        self._error: Optional[dict[str, str]] = None
        self._is_complete = False

    def feed(self, event: Optional[str], data: str) -> None:
        """Take one line."""
        self.take(mapping(parsed(data)))

    def take(self, facts: dict[str, Any]) -> None:
        """Take one object."""
        error = error_in(200, facts)
        if error is not None:
            self._error = error
            self._is_complete = True
        message = mapping(facts.get("message"))
        self._text += [string(message.get("content")), string(facts.get("response"))]
        self._reasoning += [string(message.get("thinking")), string(facts.get("thinking"))]
        self._calls += [_call(told) for told in mappings(message.get("tool_calls"))]
        self._model = self._model or string(facts.get("model")) or None
        self._finish_reason = string(facts.get("done_reason")) or self._finish_reason
        self._usage = _usage(facts) or self._usage
        self._is_complete = self._is_complete or facts.get("done") is True

    def answer(self) -> Answer:
        """What has come so far."""
        return Answer(
            text=joined(self._text),
            reasoning=joined(self._reasoning),
            tool_calls=list(self._calls),
            finish_reason=self._finish_reason,
            model=self._model,
            usage=self._usage,
            error=self._error,
            complete=self._is_complete,
        )


def _call(told: dict[str, Any]) -> ToolCall:
    """A call; older servers give it no id."""
    function = mapping(told.get("function"))
    return ToolCall(
        id=string(told.get("id")) or None,
        name=string(function.get("name")),
        arguments=arguments(function.get("arguments")),
    )


def _results(messages: list[dict[str, Any]]) -> list[ToolResult]:
    """What tools answered to the model's last turn, linked by id, by name, or else by position."""
    turns = [at for at, message in enumerate(messages) if message.get("role") == "assistant"]
    if not turns:
        return []
    asked = [_call(told) for told in mappings(messages[turns[-1]].get("tool_calls"))]
    results = []
    for message in messages[turns[-1] + 1 :]:
        if message.get("role") != "tool":
            continue
        id_ = string(message.get("tool_call_id"))
        name = string(message.get("tool_name")) or string(message.get("name"))
        call = taken(asked, id_, name or (asked[0].name if asked else ""))
        call_id = id_ or (call.id if call else None) or name or (call.name if call else "")
        if call_id:
            output = message.get("content")
            results.append(ToolResult(call_id, output, arguments=call and call.arguments))
    return results


def _usage(told: dict[str, Any]) -> Optional[dict[str, int]]:
    """The counts of the last line; what was thought is within the output."""
    return known_counts(
        input_tokens=count(told.get("prompt_eval_count")),
        output_tokens=count(told.get("eval_count")),
    )
