"""Tool calls read off the model's own protocol: an answer that asks for a tool is the call, the
next request that carries its output the result. And tool calls off MCP's messages.

A call that several tell of (the model's protocol, a Tracer, MCP) is one call: it goes into the trace once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agenttrace.capture.context import new_span_id
from agenttrace.providers import ToolCall, ToolResult
from agenttrace.recording import Recording

_MAX_PENDING = 10_000


@dataclass
class _Pending:
    key: str  # of its place among those that wait
    call_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    arguments: Any
    asked_ns: int
    has_id: bool = True  # of the protocol's, not one that was made here
    claimed_by: str | None = None  # the Tracer's span that is this call
    is_on_mcp: bool = False  # it was seen there too
    is_told: bool = False  # its result


class ToolLedger:
    """The calls that wait for their results."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._pending: dict[str, _Pending] = {}
        # Some servers count ids from 0 in each answer: the places of later calls under an id that waits.
        self._places: dict[str, list[str]] = {}
        self._claims: dict[str, _Pending] = {}
        # A Tracer's calls that no model asked for: by their spans.
        self._by_tracer: dict[str, _Pending] = {}

    def called(self, calls: Iterable[ToolCall], llm_span: str, ts_ns: int) -> None:
        """A model's answer asks for these tools."""
        for call in calls:
            span_id = new_span_id()
            key = call_id = call.id or f"call_{span_id}"
            known = self._pending.get(call_id)
            if known is not None:
                if (known.name, known.arguments) == (call.name, call.arguments):
                    continue
                key = f"{call_id} {span_id}"
                self._places.setdefault(call_id, []).append(key)
            while (
                len(self._pending) >= _MAX_PENDING
            ):  # calls whose results never come must not add up
                self._drop(self._pending[next(iter(self._pending))])
            self._pending[key] = _Pending(
                key, call_id, span_id, llm_span, call.name, call.arguments, ts_ns, bool(call.id)
            )
            facts = {
                "call_id": call_id,
                "name": call.name,
                "arguments": call.arguments,
                "seen_by": "wire",
            }
            self._recording.write("tool_call", facts, span_id, llm_span, ts_ns)

    def asked_by(self, results: Iterable[ToolResult]) -> str | None:
        """The span of the model call that asked for the newest of these that waited; ids alone tell."""
        for result in reversed(list(results)):
            pending = self._newest(result.call_id)
            if pending is not None and pending.has_id:
                return pending.parent_span_id
        return None

    def answered(self, results: Iterable[ToolResult], ts_ns: int) -> None:
        """A request carries these outputs; those of earlier turns, told already, are passed over."""
        # From the last one on: where names link results to calls, older results have older calls.
        found = [(result, self._take(result)) for result in reversed(list(results))]
        for result, pending in reversed(found):
            if pending is None:
                continue
            if pending.claimed_by is not None:
                self._claims.pop(pending.claimed_by, None)
            if pending.is_told:
                continue
            self._result(
                pending,
                result.output,
                result.is_error,
                max(0, ts_ns - pending.asked_ns),
                "wire",
                ts_ns,
            )

    def _take(self, result: ToolResult) -> _Pending | None:
        """The call that this is the result of: by its id, else the last of that name, best with these arguments."""
        pending = self._newest(result.call_id)
        if pending is not None:
            self._drop(pending)
            return pending
        named = [
            one for one in self._pending.values() if not one.has_id and one.name == result.call_id
        ]
        alike = [one for one in named if one.arguments == result.arguments]
        if not named:
            return None
        return self._pending.pop((alike or named)[-1].key)

    def _newest(self, call_id: str) -> _Pending | None:
        """The last of the calls that wait under this id."""
        places = self._places.get(call_id)
        return self._pending.get(places[-1] if places else call_id)

    def _drop(self, pending: _Pending) -> None:
        """It waits no longer."""
        self._pending.pop(pending.key, None)
        places = self._places.get(pending.call_id, [])
        if pending.key in places:
            places.remove(pending.key)
            if not places:
                del self._places[pending.call_id]

    def tracer_called(self, span_id: str, data: dict[str, Any]) -> str | None:
        """A Tracer tells of a call: the span of the call off the wire that it is, if it is one."""
        for pending in self._pending.values():
            if (
                pending.claimed_by is None
                and pending.name == data.get("name")
                and pending.arguments == data.get("arguments")
            ):
                pending.claimed_by = span_id
                self._claims[span_id] = pending
                return pending.span_id
        if len(self._by_tracer) < _MAX_PENDING:
            name, arguments = str(data.get("name")), data.get("arguments")
            self._by_tracer[span_id] = _Pending("", "", span_id, None, name, arguments, 0)
        return None

    def tracer_answered(self, span_id: str, data: dict[str, Any], ts_ns: int) -> bool:
        """A Tracer tells of a result: True if it was written here, as the result of a call off the wire."""
        self._by_tracer.pop(span_id, None)
        pending = self._claims.pop(span_id, None)
        if pending is None:
            return False
        if pending.is_told:
            return True
        self._drop(pending)
        duration_ns = data.get("duration_ns") or 0
        self._result(
            pending, data.get("output"), bool(data.get("is_error")), duration_ns, "tracer", ts_ns
        )
        return True

    def mcp_called(
        self, call_id: str, name: str, arguments: Any, parent: str | None, ts_ns: int
    ) -> _Pending | None:
        """A call on MCP, for `mcp_answered`; None if it is a Tracer's, who tells of it. parent: its span's, if no
        model asked for it.
        """
        for pending in self._by_tracer.values():
            if not pending.is_on_mcp and pending.name == name and pending.arguments == arguments:
                pending.is_on_mcp = True
                return None
        for pending in self._pending.values():
            if not pending.is_on_mcp and _is_same(pending, name, arguments):
                pending.is_on_mcp = True
                return pending
        made = _Pending("", call_id, new_span_id(), parent, name, arguments, ts_ns)
        facts = {"call_id": call_id, "name": name, "arguments": arguments, "seen_by": "mcp"}
        self._recording.write("tool_call", facts, made.span_id, parent, ts_ns)
        return made

    def mcp_answered(self, call: _Pending | None, output: Any, is_error: bool, ts_ns: int) -> None:
        """The result of what `mcp_called` gave."""
        if call is not None and not call.is_told:
            call.is_told = True
            self._result(call, output, is_error, max(0, ts_ns - call.asked_ns), "mcp", ts_ns)

    def _result(
        self,
        pending: _Pending,
        output: Any,
        is_error: bool,
        duration_ns: int,
        seen_by: str,
        ts_ns: int,
    ) -> None:
        facts = {
            "call_id": pending.call_id,
            "name": pending.name,
            "output": output,
            "is_error": is_error,
            "duration_ns": duration_ns,
            "seen_by": seen_by,
        }
        self._recording.write(
            "tool_result", facts, pending.span_id, pending.parent_span_id, ts_ns or time.time_ns()
        )


def _is_same(pending: _Pending, name: str, arguments: Any) -> bool:
    """Whether a model's call is this one on MCP; agents put the server's name in front of the tool's."""
    is_named = pending.name == name or pending.name.endswith((f"_{name}", f".{name}", f"-{name}"))
    return is_named and (pending.arguments or {}) == (arguments or {})
