"""Answers the hooks of a replayed command over a Unix socket, from what was recorded."""

from __future__ import annotations

import socket
import threading
from typing import Any

from agenttrace.capture import frames
from agenttrace.command.socket_folder import is_own_peer
from agenttrace.replay.matching import Matcher
from agenttrace.replay.nearest import DivergenceFound
from agenttrace.replay.recorded import Recorded


def answer_frame(exchange: Recorded, speed: float | None = None) -> tuple[dict[str, Any], bytes]:
    """A recorded answer as a frame's head and body. speed: of its pieces; None is as fast as it goes."""
    head = {
        "op": "answer",
        "status": exchange.status,
        "headers": list(exchange.headers.items()),
        "lengths": [len(piece) for piece in exchange.pieces],
        "at": exchange.at_ns,
        "speed": speed,
        "error": exchange.error,
    }
    return head, b"".join(exchange.pieces)


def divergence_message(found: DivergenceFound) -> str:
    """In a line: what was asked, and where the nearest recorded request differs."""
    where = ", ".join(difference.path for difference in found.differences[:3])
    detail = f"; differs from event {found.nearest_seq} at {where}" if where else ""
    return f"{found.method} {found.url} was not recorded{detail}"


def divergence_frame(found: DivergenceFound) -> dict[str, Any]:
    """What the agent is told when there is no answer."""
    return {"op": "diverged", "message": divergence_message(found)}


class Responder:
    """Serves each connection in a thread of its own; one lock around the matcher."""

    def __init__(
        self, matcher: Matcher, listener: socket.socket, speed: float | None = None
    ) -> None:
        self._matcher = matcher
        self._speed = speed
        self._listener = listener
        self._lock = threading.Lock()

    def start(self) -> None:
        """Serves in the background, until the listener is closed."""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            if not is_own_peer(peer):
                peer.close()
                continue
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        decoder = frames.Decoder()
        with peer:
            while True:
                try:
                    data = peer.recv(1 << 18)
                    if not data:
                        return
                    for head, body in decoder.feed(data):
                        reply = self.reply(head, body)
                        if reply is not None:
                            peer.sendall(frames.encode(*reply))
                except (OSError, frames.FrameError, ValueError, KeyError):
                    return  # that process is gone, or speaks another protocol: it gets no answer

    def reply(self, head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes] | None:
        """The answer to one frame; None for those that ask nothing."""
        if head["op"] == "refused":
            with self._lock:
                self._matcher.report.refused.append(str(head["address"]))
            return None
        if head["op"] != "ask":
            return None
        with self._lock:
            found = self._matcher.ask(head["method"], head["url"], body)
        if isinstance(found, DivergenceFound):
            return divergence_frame(found), b""
        return answer_frame(found, self._speed)
