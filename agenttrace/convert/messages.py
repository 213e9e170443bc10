"""What a person said in a model's request, whichever protocol it is in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

# What else stands in a request (the model's own answers, results of tools) has events of its own.
_SPOKEN_BY = {"system": "system", "developer": "system", "user": "user"}
_LISTS = ("messages", "input", "contents")
_SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction")


class Message(NamedTuple):
    """place: where in the whole conversation it stands, so that it is known again."""

    place: tuple[str, int]
    role: str
    text: str


def spoken(data: dict[str, Any]) -> Iterator[Message]:
    """The messages of system and user that an `llm_request` stores, in order. Never raises."""
    request = data.get("request")
    if not isinstance(request, dict):
        return
    for name in _SYSTEM:
        text = text_of(request.get(name))
        if text:
            yield Message((name, 0), "system", text)
    base = data.get("base")
    prefix = base.get("prefix") if isinstance(base, dict) else None
    for name in _LISTS:
        before = prefix.get(name) if isinstance(prefix, dict) else 0
        yield from _in_list(name, request.get(name), before if isinstance(before, int) else 0)
    if isinstance(request.get("prompt"), str):
        yield Message(("prompt", 0), "user", request["prompt"])


def _in_list(name: str, messages: Any, before: int) -> Iterator[Message]:
    if isinstance(messages, str):
        yield Message((name, 0), "user", messages)
    if not isinstance(messages, list):
        return
    for place, message in enumerate(messages, before):
        if not isinstance(message, dict):
            continue
        role = _SPOKEN_BY.get(str(message.get("role", "user" if name == "contents" else "")))
        text = text_of(message.get("content", message.get("parts")))
        if role and text:
            yield Message((name, place), role, text)


def text_of(content: Any) -> str:
    """The text in a string, a part, or a list of parts; images and such are named, not shown."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(text for text in map(text_of, content) if text)
    if not isinstance(content, dict):
        return ""
    text = content.get("text")
    if isinstance(text, str):
        return text
    if "parts" in content:
        return text_of(content["parts"])
    sort = content.get("type")
    return f"[{sort}]" if isinstance(sort, str) and sort not in ("tool_result", "tool_use") else ""
