"""MCP off the wire: tool calls in the JSON-RPC messages of pipes and of HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from agenttrace.event import parse_json
from agenttrace.intake.tools import ToolLedger

_MAX_LINE_BYTES = 16 << 20
_MOST_OPEN = 1_000
# One of these is in each line of a client that matters; a slash may be escaped.
_ASKED = (b"call", b"cancelled")


class _Lines:
    """Cuts a stream into lines; one that is too long is left out."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._is_too_long = False

    def feed(self, data: bytes) -> list[bytes]:
        first, *others = data.split(b"\n")
        self._add(first)
        lines = []
        for following in others:
            if not self._is_too_long:
                lines.append(bytes(self._rest))
            self._rest.clear()
            self._is_too_long = False
            self._add(following)
        return lines

    def _add(self, piece: bytes) -> None:
        self._is_too_long = self._is_too_long or len(self._rest) + len(piece) > _MAX_LINE_BYTES
        if self._is_too_long:
            self._rest.clear()
        else:
            self._rest += piece


class Peer:
    """One connection between a client and a server. Calls become events; all other messages are left alone."""

    def __init__(self, tools: ToolLedger, span_id: str | None = None) -> None:
        """span_id: what the calls are part of, where a call doesn't say it."""
        self._tools = tools
        self._span_id = span_id
        self._lines = {"stdin": _Lines(), "stdout": _Lines()}
        self._open: dict[Any, Any] = {}

    def passed(self, stream: str, data: bytes, ts_ns: int) -> None:
        """Bytes of the server's stdin or stdout, each message a line."""
        if stream not in self._lines:
            return
        # All lines are cut, so that each begins where it does; few are read.
        for line in self._lines[stream].feed(data):
            if stream == "stdin" and any(word in line for word in _ASKED):
                self.asked(read(line), ts_ns)
            elif stream == "stdout" and self._open:
                self.answered(read(line), ts_ns)

    def asked(self, message: Any, ts_ns: int, span_id: str | None = None) -> None:
        """What the client says: a message, or several in an array."""
        for one in _messages(message):
            params, call_id = one.get("params"), one.get("id")
            if not isinstance(params, dict):
                continue
            if one.get("method") == "tools/call" and _is_id(call_id):
                while len(self._open) >= _MOST_OPEN:  # the oldest may never be answered
                    del self._open[next(iter(self._open))]
                name, arguments = str(params.get("name")), params.get("arguments")
                self._open[call_id] = self._tools.mcp_called(
                    str(call_id), name, arguments, span_id or self._span_id, ts_ns
                )
            elif one.get("method") == "notifications/cancelled":
                call_id = params.get("requestId")
                if _is_id(call_id) and call_id in self._open:
                    # The server is to say nothing more of it.
                    reason = params.get("reason") or "cancelled"
                    self._tools.mcp_answered(self._open.pop(call_id), reason, True, ts_ns)

    def answered(self, message: Any, ts_ns: int) -> None:
        """What the server says. Its own requests have ids of their own, which may be the same."""
        for one in _messages(message):
            call_id = one.get("id")
            if "method" not in one and _is_id(call_id) and call_id in self._open:
                self._answered(self._open.pop(call_id), one, ts_ns)

    def _answered(self, call: Any, message: dict[str, Any], ts_ns: int) -> None:
        if "error" in message:
            self._tools.mcp_answered(call, message["error"], True, ts_ns)
            return
        result = message.get("result")
        output = result.get("content", result) if isinstance(result, dict) else result
        is_error = isinstance(result, dict) and result.get("isError") is True
        self._tools.mcp_answered(call, output, is_error, ts_ns)


class Sessions:
    """Servers whose answers come on another stream than that of the request (HTTP+SSE, of 2024-11-05): a stream that
    the client opens names the address to post to, and carries what is answered to that.
    """

    def __init__(self, tools: ToolLedger) -> None:
        self._tools = tools
        self._peers: dict[str, Peer] = {}

    def opened(self, url: str, endpoint: str) -> Peer | None:
        """A stream of this URL names its address; None if that is none, or there are too many."""
        try:
            place = urljoin(url, endpoint)
        except ValueError:
            return None
        if len(self._peers) >= _MOST_OPEN:
            return None
        return self._peers.setdefault(place, Peer(self._tools))

    def posted_to(self, url: str) -> Peer | None:
        """Who is asked at this URL."""
        return self._peers.get(url)

    def closed(self, peer: Peer) -> None:
        """Its stream is over."""
        self._peers = {place: one for place, one in self._peers.items() if one is not peer}


def is_call(value: Any) -> bool:
    """Whether the body of a request is MCP that asks for a tool."""
    return any(one.get("method") == "tools/call" for one in _messages(value))


def _messages(value: Any) -> list[dict[str, Any]]:
    several = value if isinstance(value, list) else [value]
    return [one for one in several if isinstance(one, dict) and one.get("jsonrpc") == "2.0"]


def _is_id(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def read(text: bytes | str) -> Any:
    """The message in this text, None if it is no JSON."""
    try:
        return parse_json(text.encode("utf-8") if isinstance(text, str) else text)
    except (ValueError, RecursionError):
        return None
