"""Numbers and values of a trace as short words for a person."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any


def duration(nanoseconds: Any) -> str:
    """1500000 -> `1.5 ms`; "" for what is no duration."""
    if not isinstance(nanoseconds, (int, float)) or isinstance(nanoseconds, bool):
        return ""
    seconds = nanoseconds / 1e9
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def tokens(usage: Any) -> str:
    """`70 → 12 tokens`, or ""."""
    if not isinstance(usage, dict):
        return ""
    counts = [usage.get(name) for name in ("input_tokens", "output_tokens")]
    if not any(counts):
        return ""
    into, out = ("?" if not isinstance(count, int) else f"{count:,}" for count in counts)
    return f"{into} → {out} tokens"


def cost(dollars: Any) -> str:
    """`$0.0012`, or ""."""
    if not isinstance(dollars, (int, float)) or isinstance(dollars, bool):
        return ""
    return f"${dollars:.4f}" if abs(dollars) < 1 else f"${dollars:,.2f}"


def count(number: Any, noun: str) -> str:
    """`1 tool call`, `2 tool calls`, or "" for none."""
    if not isinstance(number, int) or not number:
        return ""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def brief(value: Any) -> str:
    """A value on one line: text as it is, bytes as text, all else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value.keys() == {"base64"}:
        return as_text(value)
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def as_text(value: Any) -> str:
    """The bytes members (`text`, `body`): a string, or base64 of what is no UTF-8."""
    if isinstance(value, str):
        return value
    encoded = value.get("base64") if isinstance(value, dict) else None
    if isinstance(encoded, str):
        try:
            return base64.b64decode(encoded, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return encoded
    return "" if value is None else brief(value)


def joined(*parts: str) -> str:
    """The parts that say something, with commas."""
    return ", ".join(part for part in parts if part)
