"""What a trace recorded of one websocket: what was sent and received over it, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agenttrace import encoding
from agenttrace.event import Event

KINDS = frozenset(("ws_send", "ws_receive", "ws_close"))
_MAX_REASON_BYTES = 123
_LOST = 1006
_NO_STATUS = 1005
_USUAL_PORTS = {"ws": ":80", "wss": ":443"}
_ENDINGS = frozenset(("server", "client", "lost"))


@dataclass
class Message:
    """One message. seq, ts_ns: of its event, or its first fragment's; parts: its fragments, one where it has none."""

    seq: int
    ts_ns: int
    parts: list[bytes]
    is_binary: bool


@dataclass
class Close:
    """The end, as the agent was told. by: "server", "client" (the agent) or "lost": without a close frame."""

    seq: int
    ts_ns: int
    code: int
    reason: bytes
    by: str


@dataclass
class RecordedWebsocket:
    """The messages, each direction in its order. url: with the scheme of websockets."""

    url: str
    sent: list[Message] = field(default_factory=list)
    received: list[Message] = field(default_factory=list)
    close: Close | None = None

    def take(self, event: Event) -> bool:
        """One of its events; whether it is something else than what came before: a delivery, where it came from the
        server.
        """
        data = event.data
        if event.kind == "ws_close":
            is_first = self.close is None
            self.close = self.close or _close(event)
            return is_first and self.close.by != "client"
        messages = self.sent if event.kind == "ws_send" else self.received
        text = data.get("text")
        part = encoding.value_bytes(text)
        number = data.get("part")
        if isinstance(number, int) and number > 0 and messages:
            messages[-1].parts.append(part)
            return False
        is_binary = data.get("binary") is True or not isinstance(text, str)
        messages.append(Message(event.seq, event.ts_ns, [part], is_binary))
        return event.kind == "ws_receive"


def _close(event: Event) -> Close:
    data: dict[str, Any] = event.data
    code, by = data.get("code"), data.get("by")
    # What else a trace may say could not travel.
    if not isinstance(code, int) or not (1000 <= code <= 1014 or 3000 <= code <= 4999):
        code = _LOST
    reason = encoding.value_bytes(data.get("reason"))[:_MAX_REASON_BYTES]
    if by not in _ENDINGS or code == _LOST:
        return Close(event.seq, event.ts_ns, _LOST, b"", "lost")
    return Close(event.seq, event.ts_ns, code, b"" if code == _NO_STATUS else reason, str(by))


def websocket_url(url: str) -> str:
    """A URL with the scheme of websockets, and without the scheme's usual port."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.replace("http", "ws", 1)
    place, slash, path = rest.partition("/")
    usual = _USUAL_PORTS.get(scheme, "")
    place = place[: -len(usual)] if usual and place.endswith(usual) else place
    return f"{scheme}://{place}{slash}{path}"
