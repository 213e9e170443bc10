"""Reads Amazon Bedrock's Converse API, plain and streamed.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and
…/API_runtime_ConverseStream.html. Bedrock's InvokeModel carries each model's own protocol: Anthropic's
is read by `anthropic`, the others' are none that we know.
"""

from __future__ import annotations

import re
from typing import Any, Optional
from urllib.parse import unquote

from .base import (
    Answer,
    Asked,
    ToolCall,
    ToolResult,
    arguments,
    count,
    error_in,
    index,
    joined,
    known_counts,
    listing,
    mapping,
    mappings,
    paragraphs,
    parsed,
    string,
)
from .url import host_and_path

# A model is a name, percent-encoded, or an ARN, whose slashes not every client encodes.
_PATH = re.compile(r"/model/(.+)/(converse|converse-stream)$")


class Bedrock:
    """The provider of the operations `converse` and `converse_stream`."""

    name = "bedrock"

    def claims(self, method: str, url: str, body: object) -> Optional[str]:
        """The operation of a POST to …/model/MODEL/converse and its kin whose body fits it."""
        host, path = host_and_path(url)
        found = _PATH.search(path)
        # A prompt that Bedrock keeps, named in the model's place, goes without messages.
        is_theirs = host.startswith("bedrock-runtime") or _has_blocks(body)
        if method != "POST" or found is None or not is_theirs:
            return None
        return found[2].replace("-", "_")

    def resembles(self, body: object) -> Optional[str]:
        """`converse` for messages in blocks beside settings that only this protocol has."""
        facts = mapping(body)
        has_settings = any(
            isinstance(facts.get(name), dict) for name in ("inferenceConfig", "toolConfig")
        )
        return "converse" if has_settings and _has_blocks(body) else None

    def asked(self, operation: str, body: object, url: str = "") -> Asked:
        """The model in the path, and the `toolResult` blocks of all messages."""
        found = _PATH.search(host_and_path(url)[1])
        facts = mapping(body)
        results = [
            mapping(block.get("toolResult"))
            for message in mappings(facts.get("messages"))
            for block in mappings(message.get("content"))
        ]
        return Asked(
            model=unquote(found[1]) if found else None,
            stream=operation == "converse_stream",
            tool_results=[
                ToolResult(told["toolUseId"], told.get("content"), told.get("status") == "error")
                for told in results
                if isinstance(told.get("toolUseId"), str)
            ],
            system=facts.get("system"),
            turns=listing(facts.get("messages")),
        )

    def answer(self, operation: str, status: int, body: object) -> Answer:
        """A whole body, or an error body."""
        error = error_in(status, body)
        return Answer(error=error) if error is not None else _read(mapping(body))

    def fold(self, operation: str) -> ConverseFold:
        """A fold of messageStart … messageStop and the metadata behind it."""
        return ConverseFold()


class ConverseFold:
    """Puts the events of a stream together to the body that a whole answer is."""

    def __init__(self) -> None:
        self._body: dict[str, Any] = {}
        self._starts: dict[int, dict[str, Any]] = {}
        self._deltas: dict[int, list[dict[str, Any]]] = {}
        self._error: Optional[dict[str, str]] = None

    def feed(self, event: Optional[str], data: str) -> None:
        """Take one event; what it is stands in its name alone."""
        facts = mapping(parsed(data))
        number = index(facts.get("contentBlockIndex")) or 0
        if event == "contentBlockStart":
            self._starts[number] = mapping(facts.get("start"))
        elif event == "contentBlockDelta":
            self._deltas.setdefault(number, []).append(mapping(facts.get("delta")))
        elif event in ("messageStop", "metadata"):
            self._body.update(facts)
        elif event == "error":
            self._error = error_in(200, facts)

    def answer(self) -> Answer:
        """What has come so far."""
        numbers = sorted({*self._starts, *self._deltas})
        content = [block for number in numbers for block in self._blocks(number)]
        answer = _read({**self._body, "output": {"message": {"content": content}}})
        answer.error = self._error
        answer.complete = answer.finish_reason is not None or answer.error is not None
        return answer

    def _blocks(self, number: int) -> list[dict[str, Any]]:
        """A block as its deltas make it: the call that was begun, or text, or a thought."""
        deltas = self._deltas.get(number, [])
        call = mapping(self._starts.get(number, {}).get("toolUse"))
        if call:
            text = "".join(string(mapping(one.get("toolUse")).get("input")) for one in deltas)
            return [{"toolUse": {**call, "input": arguments(text) if text else {}}}]
        thought = "".join(
            string(mapping(one.get("reasoningContent")).get("text")) for one in deltas
        )
        text = "".join(string(one.get("text")) for one in deltas)
        return [{"text": text}, {"reasoningContent": {"reasoningText": {"text": thought}}}]


def _has_blocks(body: object) -> bool:
    """Whether messages are there, and each one's content is blocks."""
    messages = mappings(mapping(body).get("messages"))
    return bool(messages) and all(mappings(message.get("content")) for message in messages)


def _read(body: dict[str, Any]) -> Answer:
    """The answer in a body, without what the provider's own tools did."""
    content = mappings(mapping(mapping(body.get("output")).get("message")).get("content"))
    # An answer with citations has its text in blocks below.
    cited = [mapping(block.get("citationsContent")).get("content") for block in content]
    texts = [*content, *(part for parts in cited for part in mappings(parts))]
    thoughts = [mapping(block.get("reasoningContent")).get("reasoningText") for block in content]
    calls = [mapping(block.get("toolUse")) for block in content]
    return Answer(
        text=joined([string(block.get("text")) for block in texts]),
        reasoning=paragraphs([string(mapping(thought).get("text")) for thought in thoughts]),
        tool_calls=[
            ToolCall(
                string(call.get("toolUseId")) or None, string(call.get("name")), call.get("input")
            )
            for call in calls
            if call and call.get("type") != "server_tool_use"
        ],
        finish_reason=string(body.get("stopReason")) or None,
        usage=_usage(mapping(body.get("usage"))),
    )


def _usage(told: dict[str, Any]) -> Optional[dict[str, int]]:
    """The counts; Bedrock's `inputTokens` leaves out what the cache was read and written for."""
    fresh = count(told.get("inputTokens"))
    read, written = (
        count(told.get("cacheReadInputTokens")),
        count(told.get("cacheWriteInputTokens")),
    )
    long = [one for one in mappings(told.get("cacheDetails")) if one.get("ttl") == "1h"]
    return known_counts(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=count(told.get("outputTokens")),
        cached_input_tokens=read,
        cache_write_input_tokens=written,
        cache_write_1h_input_tokens=count(long[0].get("inputTokens")) if long else None,
    )
