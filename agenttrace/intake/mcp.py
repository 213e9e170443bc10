"""MCP off the wire: tool calls in the JSON-RPC messages of pipes and of HTTP."""

from __future__ import annotations

from typing import Any

from agenttrace.event import parse_json
from agenttrace.intake.tools import ToolLedger

_MAX_LINE_BYTES = 16 << 20
_MOST_OPEN = 1_000


class _Lines:
    """Cuts a stream into lines; one that is too long is left out."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        self._rest += data
        *lines, rest = self._rest.split(b"\n")
        self._rest = bytearray() if len(rest) > _MAX_LINE_BYTES else rest
        return [bytes(line) for line in lines]


class Peer:
    """One connection between a client and a server. Calls become events; all other messages are left alone."""

    def __init__(self, tools: ToolLedger, span_id: str | None = None) -> None:
        """span_id: what the calls are part of."""
        self._tools = tools
        self._span_id = span_id
        self._lines = {"stdin": _Lines(), "stdout": _Lines()}
        self._open: dict[Any, Any] = {}

    def passed(self, stream: str, data: bytes, ts_ns: int) -> None:
        """Bytes of the server's stdin or stdout, each message a line."""
        is_asked = stream == "stdin"
        if stream not in self._lines or not (is_asked or self._open):
            return
        for line in self._lines[stream].feed(data):
            if is_asked and b"tools/call" not in line:
                continue
            self.said(read(line), ts_ns)

    def said(self, message: Any, ts_ns: int) -> None:
        """A message, or several in an array; from whom, the message itself tells."""
        if isinstance(message, list):
            for one in message:
                self.said(one, ts_ns)
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            return
        call_id = message.get("id")
        if not isinstance(call_id, (str, int)):
            return
        if message.get("method") == "tools/call":
            asked = message.get("params")
            if isinstance(asked, dict) and len(self._open) < _MOST_OPEN:
                name, arguments = str(asked.get("name")), asked.get("arguments")
                self._open[call_id] = self._tools.mcp_called(
                    str(call_id), name, arguments, self._span_id, ts_ns
                )
        elif call_id in self._open and "method" not in message:
            self._answered(self._open.pop(call_id), message, ts_ns)

    def _answered(self, call: Any, message: dict[str, Any], ts_ns: int) -> None:
        if "error" in message:
            self._tools.mcp_answered(call, message["error"], True, ts_ns)
            return
        result = message.get("result")
        output = result.get("content", result) if isinstance(result, dict) else result
        is_error = isinstance(result, dict) and result.get("isError") is True
        self._tools.mcp_answered(call, output, is_error, ts_ns)


def is_call(value: Any) -> bool:
    """Whether the body of a request is MCP that asks for a tool."""
    messages = value if isinstance(value, list) else [value]
    return any(
        isinstance(one, dict) and one.get("jsonrpc") == "2.0" and one.get("method") == "tools/call"
        for one in messages
    )


def read(text: bytes | str) -> Any:
    """The message in this text, None if it is no JSON."""
    try:
        return parse_json(text.encode("utf-8") if isinstance(text, str) else text)
    except (ValueError, RecursionError):
        return None
