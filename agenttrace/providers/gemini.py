"""Reads Google's Gemini API, of AI Studio and of Vertex, plain and streamed.

Source: https://ai.google.dev/api/generate-content and https://ai.google.dev/api/embeddings
A stream is answers that add up: server-sent events with `alt=sse`, else one JSON array.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Optional

from .base import (
    Answer,
    Asked,
    ToolCall,
    ToolResult,
    count,
    error_in,
    index,
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

# Vertex has projects, locations and publishers before the model, or an endpoint instead of it.
_PATH = re.compile(r"/(?:models|tunedModels|endpoints)/([^/:]+):(\w+)$")
# By the method in the path: the operation, and the member that a body of it has.
_OPERATIONS = {
    "generateContent": ("generate_content", "contents"),
    "streamGenerateContent": ("stream_generate_content", "contents"),
    "embedContent": ("embed_content", "content"),
    "batchEmbedContents": ("batch_embed_contents", "requests"),
}


class Gemini:
    """The provider of `generate_content`, `stream_generate_content`, and both `embed` operations."""

    name = "gemini"

    def claims(self, method: str, url: str, body: object) -> Optional[str]:
        """The operation of a POST to …/models/MODEL:METHOD whose body fits it."""
        found = _PATH.search(host_and_path(url)[1])
        if method != "POST" or found is None or found[2] not in _OPERATIONS:
            return None
        operation, member = _OPERATIONS[found[2]]
        return operation if mapping(body).get(member) else None

    def resembles(self, body: object) -> Optional[str]:
        """`generate_content` for contents that all have parts."""
        contents = listing(mapping(body).get("contents"))
        has_parts = all(mappings(mapping(content).get("parts")) for content in contents)
        return "generate_content" if contents and has_parts else None

    def asked(self, operation: str, body: object, url: str = "") -> Asked:
        """The model in the path, and what tools answered since the model's last turn."""
        found = _PATH.search(host_and_path(url)[1])
        facts = mapping(body)
        contents = facts.get("contents")
        turns = [contents] if isinstance(contents, dict) else listing(contents)
        return Asked(
            model=found[1] if found else None,
            stream=operation == "stream_generate_content",
            tool_results=_results(mappings(turns)),
            system=facts.get("systemInstruction", facts.get("system_instruction")),
            turns=turns,
        )

    def answer(self, operation: str, status: int, body: object) -> Answer:
        """A whole body, an error body, or the array of a stream."""
        pieces = listing(body)
        error = error_in(status, pieces[0] if pieces else body)
        if error is not None:
            return Answer(error=error)
        fold = GeminiFold()
        for piece in pieces or [body]:
            fold.take(mapping(piece))
        answer = fold.answer()
        answer.complete = True
        return answer

    def fold(self, operation: str) -> GeminiFold:
        """A fold of whole answers that add up."""
        return GeminiFold()


class GeminiFold:
    """Folds the answers of a stream into one. There is no last event: a reason to finish is the end."""

    def __init__(self) -> None:
        self._text: dict[int, list[str]] = {}
        self._reasoning: list[str] = []
        self._usage: dict[str, Any] = {}
        self._told = Answer()

    def feed(self, event: Optional[str], data: str) -> None:
        """Take one event."""
        self.take(mapping(parsed(data)))

    def take(self, facts: dict[str, Any]) -> None:
        """Take one answer, whole or a part."""
        told = self._told
        told.error = told.error or error_in(200, facts)
        told.model = string(facts.get("modelVersion")) or told.model
        for at, candidate in enumerate(mappings(facts.get("candidates"))):
            number = index(candidate.get("index"))
            self._extend(at if number is None else number, candidate)
        blocked = string(mapping(facts.get("promptFeedback")).get("blockReason"))
        told.finish_reason = told.finish_reason or blocked or None
        # Each part of a stream counts the whole so far, some leave out what doesn't change.
        self._usage.update(mapping(facts.get("usageMetadata")))

    def answer(self) -> Answer:
        """What has come so far: the text of the first candidate that has one, the calls of all."""
        texts = (joined(self._text[number]) for number in sorted(self._text))
        return replace(
            self._told,
            text=next((text for text in texts if text), None),
            reasoning=joined(self._reasoning),
            tool_calls=list(self._told.tool_calls),
            usage=_usage(self._usage),
            complete=bool(self._told.finish_reason or self._told.error),
        )

    def _extend(self, number: int, candidate: dict[str, Any]) -> None:
        for part in mappings(mapping(candidate.get("content")).get("parts")):
            is_thought = part.get("thought") is True
            texts = self._reasoning if is_thought else self._text.setdefault(number, [])
            texts.append(string(part.get("text")))
            if isinstance(part.get("functionCall"), dict):
                self._extend_call(part["functionCall"])
        self._told.finish_reason = string(candidate.get("finishReason")) or self._told.finish_reason

    def _extend_call(self, told: dict[str, Any]) -> None:
        if string(told.get("name")):
            self._told.tool_calls.append(_call(told))
        for piece in mappings(told.get("partialArgs")) if self._told.tool_calls else ():
            call = self._told.tool_calls[-1]
            call.arguments = _with(mapping(call.arguments), piece)


def _with(whole: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    """A piece of an argument in its place; what is deeper within arguments is in the raw stream alone."""
    name = string(piece.get("jsonPath"))[len("$.") :]
    if not name.isidentifier():
        return whole
    value = next((piece[kind] for kind in piece if kind.endswith("Value")), None)
    is_text = isinstance(earlier := whole.get(name), str) and isinstance(value, str)
    return {**whole, name: f"{earlier}{value}" if is_text else value}


def _call(told: dict[str, Any]) -> ToolCall:
    """A call; often it has no id."""
    return ToolCall(string(told.get("id")) or None, string(told.get("name")), told.get("args"))


def _results(contents: list[dict[str, Any]]) -> list[ToolResult]:
    """What tools answered to the model's last turn, linked by id, else by name."""
    last = max((at for at, one in enumerate(contents) if one.get("role") == "model"), default=-1)
    asked = [_call(told) for told in _members(contents[last:][:1], "functionCall", "function_call")]
    results = []
    for told in _members(contents[last + 1 :], "functionResponse", "function_response"):
        id_, name = string(told.get("id")), string(told.get("name"))
        call, output = taken(asked, id_, name), told.get("response")
        is_error = set(mapping(output)) == {"error"}
        if id_ or name:
            results.append(ToolResult(id_ or name, output, is_error, call and call.arguments))
    return results


def _members(contents: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """The objects of these names (both spellings are taken) in the parts of contents."""
    parts = [part for content in contents for part in mappings(content.get("parts"))]
    return mappings([part[name] for part in parts for name in names if name in part])


def _usage(told: dict[str, Any]) -> Optional[dict[str, int]]:
    """The counts; what was thought is beside the candidates, what tools of Google read beside the prompt."""
    asked, output = count(told.get("promptTokenCount")), count(told.get("candidatesTokenCount"))
    thought = count(told.get("thoughtsTokenCount"))
    if asked is not None:
        asked += count(told.get("toolUsePromptTokenCount")) or 0
    # Some gateways count thoughts among the candidates, which shows in the total.
    is_within = output and asked and count(told.get("totalTokenCount")) == asked + output
    if thought and not is_within:
        output = (output or 0) + thought
    return known_counts(
        input_tokens=asked,
        output_tokens=output,
        cached_input_tokens=count(told.get("cachedContentTokenCount")),
        reasoning_tokens=thought,
    )
