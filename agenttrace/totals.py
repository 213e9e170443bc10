"""What a trace adds up to: the `totals` of `trace_end`."""

from __future__ import annotations

from typing import Any

from agenttrace import _backend
from agenttrace.event import parse_json

_USAGE = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "reasoning_tokens",
)
_errors = _backend.Selection(errors=True)


class Totals:
    """Counts events as they are written. Only kinds that add to something are parsed."""

    def __init__(self) -> None:
        self.llm_calls = 0
        self.tool_calls = 0
        self.errors = 0
        self.unpriced_calls = 0
        self.redactions = 0
        self.cost_usd: float | None = None  # None: no price was known
        self.tokens = dict.fromkeys(_USAGE, 0)

    def count(self, kind: str, data: bytes) -> None:
        """Adds one event. data: its JSON, as it is written."""
        if kind == "llm_request":
            self.llm_calls += 1
        elif kind == "tool_call":
            self.tool_calls += 1
        elif kind == "llm_response":
            self._count_response(parse_json(data))
        if _is_error(kind, data):
            self.errors += 1

    def _count_response(self, data: dict[str, Any]) -> None:
        usage = data.get("usage")
        if isinstance(usage, dict):
            for name in _USAGE:
                value = usage.get(name)
                if isinstance(value, int):
                    self.tokens[name] += value
        cost = data.get("cost_usd")
        if isinstance(cost, (int, float)):
            self.cost_usd = (self.cost_usd or 0) + cost
        elif isinstance(usage, dict):
            self.unpriced_calls += 1

    def to_dict(self) -> dict[str, Any]:
        """As `trace_end` holds it; `cost_usd` only where a price was known."""
        totals: dict[str, Any] = {
            "llm_calls": self.llm_calls,
            "tool_calls": self.tool_calls,
            "errors": self.errors,
        }
        totals.update(self.tokens)
        if self.cost_usd is not None:
            totals["cost_usd"] = round(self.cost_usd, 9)
        totals["unpriced_calls"] = self.unpriced_calls
        if self.redactions:
            totals["redactions"] = self.redactions
        return totals


def _is_error(kind: str, data: bytes) -> bool:
    """As FORMAT.md defines an error; told cheaply where the words of one don't occur."""
    if kind == "error":
        return True
    if b'"error"' not in data and b'"is_error":true' not in data and b'"status"' not in data:
        return kind in ("process_end", "trace_end") and _line_is_error(kind, data)
    return _line_is_error(kind, data)


def _line_is_error(kind: str, data: bytes) -> bool:
    frame = b'{"v":1,"trace_id":"%s","ts":"1970-01-01T00:00:00.000000000Z","seq":0,"kind":"%s","data":%s}\n'
    return _errors.matches(_backend.seal(frame % (b"1" * 32, kind.encode("ascii"), data)))
