"""The front's side of the line to the collector."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import Any

from agenttrace import encoding
from agenttrace.capture import frames
from agenttrace.capture.channel import Channel
from agenttrace.telling import tell

# A collector that hangs must not hold the command's status back; one that is slow ends by itself.
FINISH_LIMIT_S = 5.0


class Collecting:
    """A running collector, as the front knows it. That it is lost is told once; the command goes on."""

    def __init__(self, pid: int, line: socket.socket) -> None:
        self._pid = pid
        self._line = line
        self._channel = Channel(None, line)
        self._lock = threading.Lock()
        self._has_told = False

    def send(self, head: dict[str, Any], body: bytes) -> None:
        """One frame. A stalled collector holds us up for a second, then frames are dropped and counted."""
        self._channel.send(head, body)
        if self._channel.is_dead:
            self._tell_loss("it ended before the command did")

    def finish(self, facts: dict[str, Any]) -> dict[str, Any] | None:
        """Ends the trace; what the collector says of it, None if it is gone."""
        summary = None
        if self._channel.send_last({"op": "finish", **facts}, FINISH_LIMIT_S):
            summary = self._summary()
        if summary is None:
            self._tell_loss("it did not end the trace")
            self._wait(0.2)
        else:
            with contextlib.suppress(ChildProcessError):  # its status was taken with the others'
                os.waitpid(self._pid, 0)
        return summary

    def _summary(self) -> dict[str, Any] | None:
        self._line.settimeout(FINISH_LIMIT_S)
        decoder = frames.Decoder()
        try:
            while True:
                data = self._line.recv(1 << 16)
                if not data:
                    return None
                for head, _ in decoder.feed(data):
                    return head  # type: ignore[no-any-return]
        except OSError:
            return None

    def _wait(self, limit_s: float) -> None:
        """Takes its exit status if it has ended; one that hangs is left to itself."""
        deadline = time.monotonic() + limit_s
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(self._pid, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
                time.sleep(0.01)

    def _tell_loss(self, how: str) -> None:
        with self._lock:
            if self._has_told:
                return
            self._has_told = True
        tell(
            f"agenttrace: the collector was lost ({how}): events are missing, the command is not affected\n"
        )


class Told:
    """What passes through the command's streams, as frames to the collector."""

    def __init__(self, collecting: Collecting) -> None:
        self._send = collecting.send

    def passed(self, stream: str, fd: int, is_terminal: bool, data: bytes) -> None:
        """Bytes of a stream."""
        head = {"op": "output", "ts": time.time_ns(), "stream": stream, "fd": fd}
        self._send({**head, "tty": is_terminal}, data)

    def typed(self, line: bytes) -> None:
        """A line that a person typed."""
        head = {"op": "event", "ts": time.time_ns(), "kind": "user_input"}
        text = encoding.encode({"text": line.decode("utf-8", "replace"), "tty": True})
        self._send({**head, "span": None, "parent": None}, text)

    def unseen(self, reason: str) -> None:
        """What is not recorded."""
        self._send({"op": "gap", "reason": reason}, b"")
