"""What the frames say, to events: exchanges, a Tracer's events, output, gaps; each seen twice is written once."""

from __future__ import annotations

import struct
from typing import Any

from agenttrace import encoding
from agenttrace.event import parse_json
from agenttrace.intake import mcp
from agenttrace.intake.connections import Connections
from agenttrace.intake.conversations import Conversations
from agenttrace.intake.exchanges import OpenExchange
from agenttrace.intake.processes import Processes
from agenttrace.intake.tools import ToolLedger
from agenttrace.prices import PriceTable, own_prices
from agenttrace.recording import Recording
from agenttrace.redaction import PieceCleaner

_STREAMS = frozenset(("stdin", "stdout", "stderr"))
_MOST_SHOWN = 5  # places in the sentence; the event has them all


class _Fragments:
    """A websocket's message that comes in fragments. head: the last one's; count: how many events it has by now."""

    def __init__(self, pieces: PieceCleaner) -> None:
        self.pieces = pieces
        self.head: dict[str, Any] = {}
        self.is_binary = False
        self.count = 0


class Intake:
    """Takes one frame after another. KeyError, TypeError or ValueError where a frame isn't what the protocol says."""

    def __init__(self, recording: Recording, prices: PriceTable | None = None) -> None:
        self._recording = recording
        self._prices = prices or own_prices()
        self._tools = ToolLedger(recording)
        self._connections = Connections()
        self.processes = Processes(recording, self._tools)
        self._command_mcp = mcp.Peer(self._tools)
        self._mcp_sessions = mcp.Sessions(self._tools)
        self._conversations = Conversations()
        self._open: dict[str, OpenExchange] = {}
        # A Tracer's model calls that were announced; the exchange inside, if one comes, is the call.
        self._held: dict[str, tuple[dict[str, Any], bytes]] = {}
        self._seen_by_exchange: set[str] = set()
        # A Tracer's span of a tool call -> the span of the same call off the wire.
        self._alias: dict[str, str] = {}
        # The command's streams, and where their last pieces came from.
        self._pieces: dict[str, PieceCleaner] = {}
        self._last_output: dict[str, dict[str, Any]] = {}
        # Messages of websockets that are told in fragments: by connection and direction.
        self._fragments: dict[tuple[str, str], _Fragments] = {}
        # Processes that drew time or chance: by the checksum of their arguments, their ids as they came.
        self._drawing: dict[str, list[str]] = {}

    def take(self, op: str, head: dict[str, Any], body: bytes) -> None:
        """One frame."""
        if op == "request":
            self._request(head, body)
        elif op == "event":
            self._event(head, body)
        elif op == "output":
            self._output(head, body)
        elif op == "ws":
            self._websocket(head, body)
        elif op == "connect":
            self._connections.opened(head["hosts"], head["port"], bool(head["proxy"]))
        elif op == "draw":
            self._draw(head, body)
        elif op == "process":
            parent = head["parent"]
            self.processes.started(head, self._alias.get(parent, parent))
        elif op == "piped":
            self.processes.passed(head, body)
        elif op == "signal":
            self.processes.signaled(head)
        elif op == "exit":
            self.processes.ended(head)
        elif op == "seen":
            self.processes.seen(head)
        elif op == "gap":
            facts = {"dropped": head["dropped"]} if "dropped" in head else {}
            self._recording.gap(str(head["reason"]), **facts)
        else:
            exchange = self._open.get(head["id"])
            if exchange is not None:
                self._answer(op, exchange, head, body)

    def cut(self, span_id: str) -> None:
        """The process of this exchange is gone."""
        exchange = self._open.pop(span_id, None)
        if exchange is not None:
            exchange.end(exchange.last_ns, False, {"type": "Cut", "message": "the process ended"})

    def close(self) -> None:
        """No more frames: what was held back is written."""
        for span_id in list(self._held):
            self._release(span_id)
        for span_id in list(self._open):
            self.cut(span_id)
        for stream, pieces in self._pieces.items():
            self._write_output(self._last_output[stream], pieces.rest())
        for key in list(self._fragments):
            self._end_fragments(key)
        self.processes.close()
        unexplained = self._connections.unexplained()
        if unexplained:
            shown = ", ".join(unexplained[:_MOST_SHOWN]) + (
                f" and {len(unexplained) - _MOST_SHOWN} more" if unexplained[_MOST_SHOWN:] else ""
            )
            self._recording.gap(
                f"connections were made that no event explains: {shown}", connections=unexplained
            )

    # -- exchanges ---------------------------------------------------------------------------

    def _request(self, head: dict[str, Any], body: bytes) -> None:
        self._connections.explained(head["url"])
        span_id, parent = head["id"], head.get("parent")
        within = head.get("within")
        parent = self._alias.get(parent, parent) if parent else None
        if within in self._held:
            tracer_head, _ = self._held.pop(within)
            self._seen_by_exchange.add(within)
            written_span, parent = within, tracer_head["parent"]
        else:
            written_span, parent = span_id, within or parent
        self._open[span_id] = OpenExchange(
            self._recording,
            self._tools,
            self._mcp_sessions,
            self._conversations,
            self._prices,
            head,
            body,
            written_span,
            parent,
        )

    def _answer(self, op: str, exchange: OpenExchange, head: dict[str, Any], body: bytes) -> None:
        exchange.last_ns = head["at"]
        if op == "response":
            exchange.response(head)
        elif op == "chunk":
            exchange.chunk(head["at"], body)
        elif op == "end":
            del self._open[head["id"]]
            exchange.end(head["at"], bool(head["complete"]), head["error"])

    def _websocket(self, head: dict[str, Any], body: bytes) -> None:
        self._connections.explained(head["url"])
        key = (head["id"], head["direction"])
        if "part" in head:
            if key not in self._fragments:
                self._fragments[key] = _Fragments(self._recording.pieces())
            fragments = self._fragments[key]
            fragments.is_binary = fragments.is_binary or bool(head.get("binary"))
            fragments.head = head
            text = fragments.pieces.feed(body)
            if text or (not body and head["part"] == "more"):
                self._write_fragment(fragments, text)
            if head["part"] != "more":
                self._end_fragments(key)
            return
        self._end_fragments(key)  # those of a message that was given up
        if head["direction"] == "close":
            reason = encoding.bytes_value(body)
            facts = {"code": head["code"], "reason": reason, "by": head["ended_by"]}
            self._write_of_websocket("ws_close", head, facts)
        else:
            self._write_message(head, body, bool(head.get("binary")))

    def _end_fragments(self, key: tuple[str, str]) -> None:
        fragments = self._fragments.pop(key, None)
        rest = fragments.pieces.rest() if fragments is not None else b""
        if fragments is not None and rest:
            self._write_fragment(fragments, rest)

    def _write_fragment(self, fragments: _Fragments, body: bytes) -> None:
        facts = {"part": fragments.count}
        self._write_message(fragments.head, body, fragments.is_binary, facts)
        fragments.count += 1

    def _write_message(
        self,
        head: dict[str, Any],
        body: bytes,
        is_binary: bool,
        more: dict[str, Any] | None = None,
    ) -> None:
        facts: dict[str, Any] = {"text": encoding.bytes_value(body)}
        if is_binary and isinstance(facts["text"], str):
            facts["binary"] = True
        facts.update(more or {})
        if head.get("truncated"):
            facts["truncated"] = head["truncated"]
        kind = {"send": "ws_send", "receive": "ws_receive"}[head["direction"]]
        self._write_of_websocket(kind, head, facts)

    def _write_of_websocket(self, kind: str, head: dict[str, Any], facts: dict[str, Any]) -> None:
        facts = {"url": self._recording.clean_url(head["url"]), **facts}
        parent = head["parent"]
        self._recording.write(kind, facts, head["id"], self._alias.get(parent, parent), head["ts"])

    # -- a Tracer's events -------------------------------------------------------------------

    def _event(self, head: dict[str, Any], body: bytes) -> None:
        kind, span_id = head["kind"], head["span"]
        if kind == "llm_request":
            self._held[span_id] = (head, body)
            return
        if kind in ("llm_chunk", "llm_response"):
            if span_id in self._seen_by_exchange:
                if kind == "llm_response":
                    self._seen_by_exchange.discard(span_id)
                return
            self._release(span_id)
        elif kind == "tool_call":
            same = self._tools.tracer_called(span_id, parse_json(body))
            if same is not None:
                self._alias[span_id] = same
                return
        elif kind == "tool_result" and self._tools.tracer_answered(
            span_id, parse_json(body), head["ts"]
        ):
            return
        self._write(head, body)

    def _release(self, span_id: str | None) -> None:
        held = self._held.pop(span_id, None) if span_id else None
        if held is not None:
            self._write(*held)

    def _write(self, head: dict[str, Any], body: bytes) -> None:
        span_id, parent = head["span"], head["parent"]
        self._recording.write(
            head["kind"],
            body,
            self._alias.get(span_id, span_id),
            self._alias.get(parent, parent),
            head["ts"],
        )

    # -- time and chance ---------------------------------------------------------------------

    def _draw(self, head: dict[str, Any], body: bytes) -> None:
        command = head["command"]
        roots = self._drawing.setdefault(command, [])
        if head["root"] not in roots:
            roots.append(head["root"])
        process = "/".join([f"{command}.{roots.index(head['root'])}", *map(str, head["forks"])])
        facts: dict[str, Any] = {"process": process, "thread": head["thread"]}
        if head["stream"] == "clock":
            readings = struct.unpack(f">{len(body) // 8}q", body)
            facts["after_ns"] = [reading - readings[0] for reading in readings]
            self._recording.write("clock", facts, ts_ns=readings[0])
        else:
            facts.update(source=head["stream"], hex=body.hex())
            self._recording.write("entropy", facts, ts_ns=head["ts"])

    # -- output ------------------------------------------------------------------------------

    def _output(self, head: dict[str, Any], body: bytes) -> None:
        if head["stream"] not in _STREAMS:
            raise ValueError(f"no such stream: {head['stream']!r}")
        stream = head["stream"]
        if stream != "stderr" and not head["tty"]:  # the command may be an MCP server itself
            self._command_mcp.passed(stream, body, head["ts"])
        if not body:  # the end of a terminal's input: nothing, and that is told
            self._recording.write(
                stream, {"text": "", "fd": head["fd"], "tty": head["tty"]}, ts_ns=head["ts"]
            )
            return
        if stream not in self._pieces:
            self._pieces[stream] = self._recording.pieces()
        self._last_output[stream] = head
        self._write_output(head, self._pieces[stream].feed(body))

    def _write_output(self, head: dict[str, Any], text: bytes) -> None:
        if text:
            facts = {"text": encoding.bytes_value(text), "fd": head["fd"], "tty": head["tty"]}
            self._recording.write(head["stream"], facts, ts_ns=head["ts"])
