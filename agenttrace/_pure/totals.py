"""What a trace adds up to: the `totals` of `trace_end`."""

from __future__ import annotations

import json
from typing import Any

from agenttrace._pure.selection import data_is_error

_USAGE = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "reasoning_tokens",
)


class Totals:
    """Counts events as they are written. Only kinds that add to something are parsed."""

    def __init__(self) -> None:
        self.llm_calls = 0
        self.tool_calls = 0
        self.errors = 0
        self.unpriced_calls = 0
        self.cost_usd: float | None = None  # None: no price was known
        self.tokens = dict.fromkeys(_USAGE, 0)

    def count(self, kind: str, data: bytes) -> None:
        """Adds one event. data: its JSON, as it is written."""
        if kind == "llm_request":
            self.llm_calls += 1
        elif kind == "tool_call":
            self.tool_calls += 1
        elif kind == "llm_response":
            self._count_response(data)
        if _is_error(kind, data):
            self.errors += 1

    def _count_response(self, text: bytes) -> None:
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):  # it is the caller's word that it is JSON
            return
        if not isinstance(data, dict):
            return
        usage = data.get("usage")
        if isinstance(usage, dict):
            for name in _USAGE:
                value = usage.get(name)
                if type(value) is int and 0 <= value < 1 << 64:
                    self.tokens[name] += value
        cost = data.get("cost_usd")
        if isinstance(cost, (int, float)) and not isinstance(cost, bool):
            self.cost_usd = (self.cost_usd or 0) + cost
        elif isinstance(usage, dict):
            self.unpriced_calls += 1

    def to_dict(self) -> dict[str, Any]:
        """`cost_usd` only where a price was known."""
        totals: dict[str, Any] = {
            "llm_calls": self.llm_calls,
            "tool_calls": self.tool_calls,
            "errors": self.errors,
        }
        totals.update(self.tokens)
        if self.cost_usd is not None:
            totals["cost_usd"] = round(self.cost_usd, 9)
        totals["unpriced_calls"] = self.unpriced_calls
        return totals


def _is_error(kind: str, data: bytes) -> bool:
    """As FORMAT.md defines an error; told cheaply where the words of one don't occur."""
    words = (b'"error"', b'"is_error"', b'"status"')
    if kind not in ("error", "process_end", "trace_end") and not any(
        word in data for word in words
    ):
        return False
    return data_is_error(kind, data)
