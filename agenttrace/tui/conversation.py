"""The conversation of a model call: who said what, read out of any provider's request body.

Reads what is there and guesses nothing: a part of unknown shape is shown as its JSON.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

# Where the providers keep what was said before the last word, in the order that it is read.
_ARRAYS = ("messages", "input", "contents")
_INSTRUCTIONS = ("system", "instructions", "systemInstruction", "system_instruction")


class Message(NamedTuple):
    """One turn: its role as the provider calls it, and its text."""

    role: str
    text: str


def messages(request: Any) -> list[Message]:
    """The turns of a request body, instructions first. Empty for a body that holds none."""
    if not isinstance(request, dict):
        return []
    said = []
    for name in _INSTRUCTIONS:
        if request.get(name):
            said.append(Message("system", _text(request[name])))
    for name in _ARRAYS:
        turns = request.get(name)
        if isinstance(turns, str):
            said.append(Message("user", turns))
        elif isinstance(turns, list):
            said.extend(_message(turn) for turn in turns)
    if isinstance(request.get("prompt"), str):
        said.append(Message("user", request["prompt"]))
    return said


def _message(turn: Any) -> Message:
    if not isinstance(turn, dict):
        return Message("user", _text(turn))
    role = turn.get("role") or turn.get("type") or "?"
    parts = [_text(turn[name]) for name in ("content", "parts", "output") if turn.get(name)]
    parts += [_part(call) for call in turn.get("tool_calls") or [] if isinstance(call, dict)]
    if not parts:
        parts = [_part(turn)]
    return Message(str(role), "\n".join(parts))


def _text(content: Any) -> str:
    """A string, a list of parts, or one part."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_text(part) for part in content)
    if isinstance(content, dict):
        return _text(content["parts"]) if "parts" in content else _part(content)
    return json.dumps(content)


def _part(part: dict[str, Any]) -> str:
    call = part.get("function") or part.get("functionCall") or part
    if isinstance(call, dict) and isinstance(call.get("name"), str):
        for name in ("arguments", "input", "args"):
            if name in call:
                return f"→ {call['name']}({_json(call[name])})"
    for name in ("text", "thinking", "content", "output", "response"):
        if isinstance(part.get(name), (str, list)):
            return _text(part[name])
    result = part.get("functionResponse")
    if isinstance(result, dict):
        return f"{result.get('name')}: {_json(result.get('response'))}"
    return _json(part)


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
