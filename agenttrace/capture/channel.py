"""The agent's side of the socket to the collector. It never raises into the agent and holds it up for a second at most.

A collector that stalls: one wait of a second in all; from then on what doesn't go out at once is dropped and
counted, and the count is sent when the way is free again. A collector that is gone: silence; the front tells the user.
"""

import os
import socket
import sys
import threading

from . import frames

STALL_LIMIT_S = 1.0
ANSWER_LIMIT_S = 600.0


class Channel:
    """One connection of this process. Safe from any thread; a forked child opens its own."""

    def __init__(self, path, connection=None):
        """path: of the collector's socket; connection: one that is there already, in place of a path."""
        self._path = path
        self._reset()
        if connection is not None:
            self._socket = connection
            self._socket.settimeout(STALL_LIMIT_S)
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self):
        self._lock = threading.Lock()
        self._socket = None
        self.is_dead = False
        self._has_stalled = False
        self._rest = b""  # the tail of a frame that was cut by a stall; it goes out first
        self._dropped = 0

    def send(self, head, body=b""):
        """Sends one frame, or counts it as dropped. The order of frames from one thread is kept."""
        if self.is_dead:
            return
        if len(body) > frames.MAX_BODY_BYTES:
            head = dict(head, truncated=len(body))
            body = body[: frames.MAX_BODY_BYTES]
        frame = frames.encode(head, body)
        with self._lock:
            try:
                self._send_frame(frame)
            except OSError:
                self.is_dead = True

    def send_last(self, head, limit_s):
        """Sends one frame behind all that waits, for this long if it must be; whether it went out."""
        with self._lock:
            if self.is_dead:
                return False
            try:
                self._socket.settimeout(limit_s)
                if self._has_stalled and not self._catch_up():
                    return False
                self._push(frames.encode(head))
            except OSError:
                self.is_dead = True
            return not (self.is_dead or self._rest)

    def ask(self, head, body=b""):
        """Sends one frame on a connection of its own and returns the answer's (head, body).
        OSError if there is none.
        """
        with _connected(self._path) as asking:
            asking.settimeout(ANSWER_LIMIT_S)
            asking.sendall(frames.encode(head, body))
            decoder = frames.Decoder()
            while True:
                data = asking.recv(1 << 18)
                if not data:
                    raise ConnectionError("the replay is gone")
                for answer in decoder.feed(data):
                    return answer

    def _send_frame(self, frame):
        if self._socket is None:
            self._socket = _connected(self._path)
            self._socket.settimeout(STALL_LIMIT_S)
            frame = frames.encode(_hello()) + frame
        if self._has_stalled and not self._catch_up():
            self._dropped += 1
            return
        self._push(frame)

    def _catch_up(self):
        rest, self._rest = self._rest, b""
        if rest:
            self._push(rest)
        if self._rest:
            return False
        if self._dropped:
            gap = {"op": "gap", "dropped": self._dropped, "reason": "the collector stalled"}
            self._dropped = 0
            self._push(frames.encode(gap))
        return not self._rest

    def _push(self, data):
        view = memoryview(data)
        sent = 0
        try:
            while sent < len(view):
                sent += self._socket.send(view[sent:])
        except (socket.timeout, BlockingIOError):
            self._has_stalled = True
            self._socket.settimeout(0.0)
            self._rest = bytes(view[sent:])


def _connected(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(STALL_LIMIT_S)
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _hello():
    return {
        "op": "hello",
        "pid": os.getpid(),
        "ppid": os.getppid(),
        "argv": [
            str(argument)
            for argument in getattr(sys, "orig_argv", None) or getattr(sys, "argv", [])
        ],
    }


_current = None


def current():
    """This process's channel to the recorder that started it; None without one."""
    global _current
    if _current is None:
        path = os.environ.get("AGENTTRACE_SOCKET")
        if path:
            _current = Channel(path)
    return _current
