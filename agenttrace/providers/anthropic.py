"""Reads Anthropic's Messages API, plain and streamed.

Source: https://docs.claude.com/en/api/messages and https://docs.claude.com/en/docs/build-with-claude/streaming
Bedrock and Vertex take the same body under other paths, told by its `anthropic_version`.
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
from .url import host_and_path, model_in_path

_HOST = "api.anthropic.com"
# What the deltas of a block add up to, by the block's type.
_STREAMED_MEMBER = {"text": "text", "thinking": "thinking", "tool_use": "input"}


class Anthropic:
    """The provider of the operation `messages`."""

    name = "anthropic"

    def claims(self, method: str, url: str, body: object) -> Optional[str]:
        """`messages` for a POST to …/messages whose body is such a request."""
        host, path = host_and_path(url)
        if method != "POST" or not path.endswith("/messages"):
            return None
        facts = mapping(body)
        is_request = isinstance(facts.get("messages"), list) and (
            isinstance(facts.get("model"), str) or "anthropic_version" in facts
        )
        # Other APIs have rooms with …/messages: only the known host goes without a body.
        is_theirs = host == _HOST and path == "/v1/messages"
        return "messages" if is_request or is_theirs else None

    def resembles(self, body: object) -> Optional[str]:
        """`messages` for a body with marks that only this protocol has."""
        facts = mapping(body)
        if not mappings(facts.get("messages")):
            return None
        if isinstance(facts.get("anthropic_version"), str):
            return "messages"
        is_limited = (
            isinstance(facts.get("model"), str) and count(facts.get("max_tokens")) is not None
        )
        has_schemas = any("input_schema" in tool for tool in mappings(facts.get("tools")))
        return "messages" if is_limited and ("system" in facts or has_schemas) else None

    def asked(self, operation: str, body: object, url: str = "") -> Asked:
        """The model, and the `tool_result` blocks of all messages."""
        facts = mapping(body)
        blocks = [
            block
            for message in mappings(facts.get("messages"))
            for block in mappings(message.get("content"))
        ]
        return Asked(
            model=string(facts.get("model")) or model_in_path(url),
            # Bedrock streams by another path.
            stream=facts.get("stream") is True or url.endswith("/invoke-with-response-stream"),
            tool_results=[
                ToolResult(
                    call_id=block["tool_use_id"],
                    output=block.get("content"),
                    is_error=block.get("is_error") is True,
                )
                for block in blocks
                if block.get("type") == "tool_result" and isinstance(block.get("tool_use_id"), str)
            ],
            system=facts.get("system"),
            turns=listing(facts.get("messages")),
        )

    def answer(self, operation: str, status: int, body: object) -> Answer:
        """A whole message, or an error body."""
        error = error_in(status, body)
        return Answer(error=error) if error is not None else _read(mapping(body))

    def fold(self, operation: str) -> MessageFold:
        """A fold of message_start … message_stop."""
        return MessageFold()


class MessageFold:
    """Puts the events of a stream together to the message that a whole body would be."""

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._error: Optional[dict[str, str]] = None
        self._is_complete = False
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._pieces: dict[int, list[str]] = {}

    def feed(self, event: Optional[str], data: str) -> None:
        """Take one event; its type stands in its data, and in its name."""
        facts = mapping(parsed(data))
        kind = string(facts.get("type")) or event
        if kind == "message_start":
            message = mapping(facts.get("message"))
            self._message["model"] = message.get("model")
            self._count(message.get("usage"))
        elif kind == "content_block_start":
            self._start(index(facts.get("index")), mapping(facts.get("content_block")))
        elif kind == "content_block_delta":
            self._extend(index(facts.get("index")), mapping(facts.get("delta")))
        elif kind == "message_delta":
            self._message.update(mapping(facts.get("delta")))
            self._count(facts.get("usage"))
        elif kind == "message_stop":
            self._is_complete = True
        elif kind == "error":
            self._error = error_in(200, {"type": "error", **facts})

    def answer(self) -> Answer:
        """What has come so far."""
        blocks = [self._block(number) for number in sorted(self._blocks)]
        answer = _read({**self._message, "content": blocks, "usage": self._usage})
        answer.error, answer.complete = self._error, self._is_complete or bool(self._error)
        return answer

    def _block(self, number: int) -> dict[str, Any]:
        block, text = self._blocks[number], "".join(self._pieces[number])
        member = _STREAMED_MEMBER.get(string(block.get("type")))
        if member is None or not text:
            return block
        return {**block, member: arguments(text) if member == "input" else text}

    def _start(self, number: Optional[int], block: dict[str, Any]) -> None:
        if number is not None:
            self._blocks[number] = block
            self._pieces[number] = [string(block.get("text")), string(block.get("thinking"))]

    def _extend(self, number: Optional[int], delta: dict[str, Any]) -> None:
        if number in self._pieces:
            members = ("text", "thinking", "partial_json")
            self._pieces[number] += [string(delta.get(member)) for member in members]

    def _count(self, usage: object) -> None:
        # The counts are of the whole answer so far: they replace earlier ones, don't add to them.
        # Some gateways say the input only at the end and 0 at the start, others the other way.
        for name, value in mapping(usage).items():
            if value or name not in self._usage:
                self._usage[name] = value


def _read(message: dict[str, Any]) -> Answer:
    """The answer in a message, without what the provider's own tools did."""
    blocks = mappings(message.get("content"))
    return Answer(
        text=joined([string(b.get("text")) for b in blocks if b.get("type") == "text"]),
        reasoning=paragraphs(
            [string(b.get("thinking")) for b in blocks if b.get("type") == "thinking"]
        ),
        tool_calls=[
            ToolCall(string(b.get("id")) or None, string(b.get("name")), b.get("input"))
            for b in blocks
            if b.get("type") == "tool_use"
        ],
        finish_reason=string(message.get("stop_reason")) or None,
        model=string(message.get("model")) or None,
        usage=_usage(mapping(message.get("usage"))),
    )


def _usage(told: dict[str, Any]) -> Optional[dict[str, int]]:
    """The counts; Anthropic's `input_tokens` leaves out what the cache was read and written for."""
    fresh = count(told.get("input_tokens"))
    read = count(told.get("cache_read_input_tokens"))
    written = count(told.get("cache_creation_input_tokens"))
    by_ttl = mapping(told.get("cache_creation"))
    details = mapping(told.get("output_tokens_details"))
    return known_counts(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=count(told.get("output_tokens")),
        cached_input_tokens=read,
        cache_write_input_tokens=written,
        cache_write_1h_input_tokens=count(by_ttl.get("ephemeral_1h_input_tokens")) or None,
        reasoning_tokens=count(details.get("thinking_tokens")),
    )
