"""Reads OpenAI's Responses API: the answer in a `response` object, and the fold of its stream.

Source: https://platform.openai.com/docs/api-reference/responses and …/responses-streaming
"""

from __future__ import annotations

from typing import Any, Optional

from .base import (
    Answer,
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

# Calls that the agent answers, and the member that holds what they ask; others the provider runs.
_CALLS = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "computer_call": "action",
    "local_shell_call": "action",
    "shell_call": "action",
    "apply_patch_call": "operation",
    "tool_search_call": "arguments",
}
# What the deltas of a kind add up to: a member of the element, or of a new part in that.
_DELTAS = {
    "response.output_text.delta": ("content", "text"),
    "response.refusal.delta": ("content", "refusal"),
    "response.reasoning_text.delta": ("content", "text"),
    "response.reasoning_summary_text.delta": ("summary", "text"),
    "response.function_call_arguments.delta": ("arguments", ""),
    "response.custom_tool_call_input.delta": ("input", ""),
}
# States of a response that are no end.
_UNFINISHED = ("", "queued", "in_progress")


def responses_results(facts: dict[str, Any]) -> list[ToolResult]:
    """The outputs of tools in a request's input."""
    results = []
    for element in mappings(facts.get("input")):
        kind = string(element.get("type"))
        call_id = string(element.get("call_id")) or string(element.get("id"))
        if kind.endswith("_output") and call_id and element.get("execution") != "server":
            output = element.get("tools" if kind == "tool_search_output" else "output")
            results.append(ToolResult(call_id, output, element.get("status") == "failed"))
    return results


def responses_turns(facts: dict[str, Any]) -> list[Any]:
    """The conversation as the request carries it; a text alone is a message of the user."""
    asked = facts.get("input")
    return [{"role": "user", "content": asked}] if isinstance(asked, str) else listing(asked)


def responses_continues(facts: dict[str, Any]) -> Optional[str]:
    """The conversation or the answer that the server is to go on from."""
    conversation = facts.get("conversation")
    named = string(conversation) or string(mapping(conversation).get("id"))
    return string(facts.get("previous_response_id")) or named or None


def responses_answer(response: dict[str, Any]) -> Answer:
    """What a `response` object says."""
    output = mappings(response.get("output"))
    parts = [part for element in output for part in _parts(element, "message", "content")]
    thoughts = [
        part for element in output for part in _parts(element, "reasoning", "content", "summary")
    ]
    status = string(response.get("status"))
    reason = string(mapping(response.get("incomplete_details")).get("reason"))
    return Answer(
        text=joined([string(part.get("text")) for part in parts])
        or joined([string(part.get("refusal")) for part in parts]),
        reasoning=paragraphs([string(part.get("text")) for part in thoughts]),
        tool_calls=[call for element in output for call in _calls(element)],
        finish_reason=reason or (None if status in _UNFINISHED else status),
        model=string(response.get("model")) or None,
        usage=_usage(mapping(response.get("usage"))),
        error=error_in(200, {"error": response.get("error")}),
        id=string(response.get("id")) or None,
    )


def _parts(element: dict[str, Any], kind: str, *members: str) -> list[dict[str, Any]]:
    """The parts of an element of this kind, in the first of the members that has some."""
    if element.get("type") != kind:
        return []
    return next((parts for name in members if (parts := mappings(element.get(name)))), [])


def _calls(element: dict[str, Any]) -> list[ToolCall]:
    kind = string(element.get("type"))
    if kind not in _CALLS or element.get("execution") == "server":
        return []
    asked = element.get(_CALLS[kind])
    return [
        ToolCall(
            id=string(element.get("call_id")) or string(element.get("id")) or None,
            # Tools that OpenAI defines have no name but their kind.
            name=string(element.get("name")) or kind[: -len("_call")],
            arguments=asked if kind == "custom_tool_call" else arguments(asked),
        )
    ]


def _usage(told: dict[str, Any]) -> Optional[dict[str, int]]:
    asked = mapping(told.get("input_tokens_details"))
    return known_counts(
        input_tokens=count(told.get("input_tokens")),
        output_tokens=count(told.get("output_tokens")),
        cached_input_tokens=count(asked.get("cached_tokens")),
        cache_write_input_tokens=count(asked.get("cache_write_tokens")),
        reasoning_tokens=count(mapping(told.get("output_tokens_details")).get("reasoning_tokens")),
    )


class ResponsesFold:
    """Folds response.* events into one answer.

    The last event carries the whole response. The deltas count only where it never came: they are
    put where they belong in the output, so that a cut stream is read like a whole one.
    """

    def __init__(self) -> None:
        self._response: dict[str, Any] = {}
        self._output: dict[int, dict[str, Any]] = {}
        self._pieces: dict[tuple[int, str, int], list[str]] = {}
        self._error: Optional[dict[str, str]] = None
        self._is_complete = False

    def feed(self, event: Optional[str], data: str) -> None:
        """Take one event; its type stands in its data, and in its name."""
        if data.strip() == "[DONE]":
            # OpenAI doesn't send it here, some that speak its protocol do.
            self._is_complete = True
            return
        facts = mapping(parsed(data))
        kind = string(facts.get("type")) or event or ""
        if kind == "error" or isinstance(facts.get("error"), dict):
            self._error = error_in(200, {"type": "error", **_error_facts(facts)})
            self._is_complete = True
        elif isinstance(facts.get("response"), dict):
            self._response = facts["response"]
            self._is_complete |= string(self._response.get("status")) not in _UNFINISHED
        else:
            self._place(kind, facts)

    def answer(self) -> Answer:
        """What has come so far."""
        whole = self._response
        if not mappings(whole.get("output")):
            whole = {**whole, "output": [self._element(at) for at in sorted(self._output)]}
        answer = responses_answer(whole)
        answer.error = self._error or answer.error
        answer.complete = self._is_complete
        return answer

    def _place(self, kind: str, facts: dict[str, Any]) -> None:
        at = index(facts.get("output_index"))
        if at is None:
            return
        if kind in ("response.output_item.added", "response.output_item.done"):
            self._output[at] = mapping(facts.get("item"))
        if kind == "response.output_item.done":
            # Done, it holds what its pieces add up to.
            self._pieces = {key: some for key, some in self._pieces.items() if key[0] != at}
        if kind in _DELTAS and isinstance(facts.get("delta"), str):
            part = index(facts.get("summary_index", facts.get("content_index")))
            self._pieces.setdefault((at, kind, part or 0), []).append(facts["delta"])

    def _element(self, at: int) -> dict[str, Any]:
        """An element of the output with its deltas filled in."""
        element = self._output[at]
        for (_, kind, _), pieces in sorted(
            (key, some) for key, some in self._pieces.items() if key[0] == at
        ):
            (member, inner), text = _DELTAS[kind], "".join(pieces)
            parts = mappings(element.get(member))
            element = {**element, member: [*parts, {inner: text}] if inner else text}
        return element


def _error_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """The event `error` says its code and message itself; the word `error` is then no type."""
    return facts if facts.get("error") else {"error": {**facts, "type": facts.get("code")}}
