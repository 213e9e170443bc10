"""A scripted model: what it says to a request, before any protocol words it.

No model thinks here: what is said follows from the request alone, so that the same request always
gets the same answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field

# What these models say, whatever they are asked: two million bytes; fifty pieces; one.
TEXTS = {
    "big": "All work and no play makes a dull model. " * 48_781,
    "never-ends": "and on, ",
    "slow-stream": "".join(f"{number:02d} of 50 " for number in range(1, 51)),
}
_CITY = re.compile(r"\b(?:in|and)\s+([^\W\d_a-z][\w'’-]*(?:\s[^\W\d_a-z][\w'’-]*)*)")
_LOOK_UP = re.compile(r"\b(weather|forecast|look up|search|find|temperature)\b", re.IGNORECASE)


@dataclass
class Said:
    """What the model says, before any protocol words it."""

    id: str
    model: str
    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, dict]] = field(default_factory=list)
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def call_id(self, prefix: str, at: int) -> str:
        return f"{prefix}{self.id}{at:02d}"


def decide(request: dict, prompt: str, results: list[str], tools: list[tuple[str, dict]]) -> Said:
    """Ask for a tool if the prompt wants something looked up, quote results, or echo the prompt."""
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    said = Said(id=digest[:20], model=str(request.get("model", "model")))
    if "reasoning" in request or "reasoning_effort" in request or "thinking" in request:
        said.reasoning = f"The user says: {prompt[:60]}. I decide what to do."
    tool = None if results else wanted_tool(prompt, tools)
    if said.model in TEXTS:
        said.text = TEXTS[said.model]
    elif tool:
        said.calls = [(tool[0], arguments) for arguments in arguments_from(prompt, tool[1])]
    elif results:
        said.text = "Here is what I found: " + "; ".join(results)
    else:
        said.text = f"You said “{prompt[:200]}”, and I agree."
    turns = request.get("messages", request.get("input", []))
    earlier = turns[:-1] if isinstance(turns, list) else []
    said.input_tokens = tokens([turns, request.get("tools"), request.get("system")])
    said.cached_tokens = tokens(earlier) if earlier else 0
    said.reasoning_tokens = tokens(said.reasoning) if said.reasoning else 0
    said.output_tokens = tokens([said.text, said.calls]) + said.reasoning_tokens
    return said


def tokens(value: object) -> int:
    """A token for every four characters, as a rule of thumb has it."""
    return len(json.dumps(value, ensure_ascii=False)) // 4 + 1


def wanted_tool(prompt: str, tools: list[tuple[str, dict]]) -> tuple[str, dict] | None:
    """The first tool with a word of its name in the prompt; any if it wants a look-up at all."""
    for name, schema in tools:
        words = re.findall(r"[a-z]{3,}", name.lower())
        if any(word in prompt.lower() for word in words if word not in ("get", "the", "run")):
            return name, schema
    return tools[0] if tools and _LOOK_UP.search(prompt) else None


def arguments_from(prompt: str, schema: dict) -> list[dict]:
    """The arguments of each call: one call for each place that is named, numbers in their order."""
    properties = schema.get("properties") or {}
    places = _CITY.findall(prompt) or re.findall(r"\bin\s+(\w+)", prompt)
    numbers = iter(re.findall(r"-?\d+", prompt))
    fixed: dict = {}
    for name, facts in properties.items():
        kind = facts.get("type") if isinstance(facts, dict) else None
        if kind in ("integer", "number"):
            fixed[name] = int(next(numbers, "0"))
        elif kind == "boolean":
            fixed[name] = True
    named = next((name for name in properties if name not in fixed), None)
    if named is None:
        return [fixed]
    return [{named: place, **fixed} for place in places or [prompt[:100]]]


def text_of(content: object) -> str:
    """The text of a content: a string, or parts that have texts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(str(part.get("text", "")) for part in parts if isinstance(part, dict)).strip()


def pieces(text: str, length: int = 0) -> list[str]:
    """The text in small pieces: words, a fiftieth each of a very long one."""
    length = length or max(8, len(text) // 50)
    return [text[at : at + length] for at in range(0, len(text), length)]
