"""Reads OpenAI's protocol, under whatever base URL a server speaks it.

Here stand the requests, and which file reads which answer.
Source: https://platform.openai.com/docs/api-reference. Others that speak it (Groq, DeepSeek, vLLM,
OpenRouter, Mistral, Azure, …) add members; those for reasoning and caches are read as well.
"""

from __future__ import annotations

from typing import Any, Optional

from .base import Answer, Asked, Fold, ToolResult, error_in, listing, mapping, mappings, string
from .openai_chat import ChatFold
from .openai_responses import (
    ResponsesFold,
    responses_answer,
    responses_continues,
    responses_results,
    responses_turns,
)
from .url import host_and_path, model_in_path

_HOST = "api.openai.com"
# By the end of the path: the operation, and the members of which a body of it has at least one.
_OPERATIONS = (
    ("/chat/completions", "chat", ("messages",)),
    ("/completions", "completions", ("prompt",)),
    ("/responses", "responses", ("input", "prompt", "conversation", "previous_response_id")),
    ("/embeddings", "embeddings", ("input",)),
)


class OpenAI:
    """The provider of the operations `chat`, `completions`, `responses` and `embeddings`."""

    name = "openai"

    def claims(self, method: str, url: str, body: object) -> Optional[str]:
        """The operation of a POST whose path ends like OpenAI's and whose body fits it."""
        host, path = host_and_path(url)
        if method != "POST":
            return None
        for ending, operation, members in _OPERATIONS:
            if not path.endswith(ending):
                continue
            facts = mapping(body)
            # Azure names the model in the path of its deployments.
            is_named = isinstance(facts.get("model"), str) or "/deployments/" in path
            # A chat says enough by itself; …/responses and …/completions are common words.
            fits = any(facts.get(member) is not None for member in members) and (
                is_named or operation == "chat"
            )
            is_theirs = host == _HOST and path == "/v1" + ending
            return operation if fits or is_theirs else None
        return None

    def resembles(self, body: object) -> Optional[str]:
        """`chat` for a model, and messages that all have a role."""
        facts = mapping(body)
        messages = facts.get("messages")
        if not isinstance(facts.get("model"), str) or not isinstance(messages, list):
            return None
        has_roles = all(string(mapping(message).get("role")) for message in messages)
        return "chat" if messages and has_roles else None

    def asked(self, operation: str, body: object, url: str = "") -> Asked:
        """The model, and the tools' outputs among the messages or the input."""
        facts = mapping(body)
        model = string(facts.get("model")) or model_in_path(url)
        asked = Asked(model=model, stream=facts.get("stream") is True)
        if operation == "responses":
            asked.tool_results = responses_results(facts)
            asked.system = facts.get("instructions")
            asked.turns = responses_turns(facts)
            asked.continues = responses_continues(facts)
        elif operation == "chat":
            asked.tool_results = _chat_results(facts)
            asked.turns = listing(facts.get("messages"))
        return asked

    def answer(self, operation: str, status: int, body: object) -> Answer:
        """A whole body, or an error body."""
        facts = mapping(body)
        error = error_in(status, body)
        if error is not None and "output" not in facts:
            return Answer(error=error)
        if operation == "responses":
            return responses_answer(facts)
        fold = ChatFold()
        fold.take(facts)
        answer = fold.answer()
        answer.complete = True
        return answer

    def fold(self, operation: str) -> Fold:
        """A fold of response.* events, or of chunks up to `[DONE]`."""
        return ResponsesFold() if operation == "responses" else ChatFold()


def _chat_results(facts: dict[str, Any]) -> list[ToolResult]:
    """The messages of tools; the protocol doesn't say of an output whether it is an error."""
    results = []
    for message in mappings(facts.get("messages")):
        # The form before tools has the role "function", and a name in place of the id.
        member = {"tool": "tool_call_id", "function": "name"}.get(string(message.get("role")))
        call_id = string(message.get(member)) if member else ""
        if call_id:
            results.append(ToolResult(call_id, message.get("content")))
    return results
