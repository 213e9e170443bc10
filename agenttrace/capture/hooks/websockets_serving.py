"""A websocket that is served from the recording by a pair of sockets: the other end is ours, in threads of our own."""

import contextlib
import socket
import threading

from .. import websocket, wire

_BLOCK_BYTES = 1 << 16


def serve(link, answer):
    """(the client's end, who serves it) of a connection that was answered so."""
    client, server = socket.socketpair()
    served = websocket.Served(link, answer)
    peer = _Peer(server, served)
    # With names: an agent's own threads are numbered as without us.
    threading.Thread(target=peer.read, name="agenttrace-websocket", daemon=True).start()
    return _ClientEnd(fileno=client.detach()), served


class _ClientEnd(socket.socket):
    """The client's end: what is set for TCP alone means nothing to it."""

    def setsockopt(self, level, *arguments):
        if level != socket.IPPROTO_TCP:
            super().setsockopt(level, *arguments)


class _Peer:
    """The server's end."""

    def __init__(self, connection, served):
        self._socket = connection
        self._served = served
        self._side = websocket.ServerSide()
        self._lock = threading.Lock()

    def read(self):
        """Answers what the client sends, to the end of the connection."""
        try:
            with contextlib.suppress(OSError):
                rest = self._open()
                if rest is not None:
                    threading.Thread(
                        target=self._write, name="agenttrace-websocket", daemon=True
                    ).start()
                    self._answer(rest)
        finally:
            self._served.leave()
            self._socket.close()

    def _open(self):
        """Answers the opening; what came behind it, None where that was refused."""
        request, answer = wire.Request(), self._served.answer
        while not request.is_begun:
            data = self._socket.recv(_BLOCK_BYTES)
            if not data:
                return None
            request.feed(data)
        if answer.status == 101:
            self._socket.sendall(websocket.opening(answer, request.headers))
            return b""
        for block in answer.deliver(wire.answer_bytes(answer, "GET")):
            self._socket.sendall(block)
        return None

    def _answer(self, data):
        while not self._side.is_closed:
            with self._lock:
                answers = self._side.receive(data)
                if answers:
                    self._socket.sendall(answers)
            if not self._side.is_closed:
                data = self._socket.recv(_BLOCK_BYTES)
                if not data:
                    return

    def _write(self):
        """Hands out what was recorded."""
        with contextlib.suppress(OSError):
            while True:
                found = self._served.next()
                if found is None:
                    return
                head, data = found
                if head["op"] == "message":
                    with self._lock:
                        self._socket.sendall(data)
                elif head["by"] == "client":
                    self._side.echo = (head["code"], data)
                    return
                elif head["by"] == "server":
                    with self._lock:
                        self._side.has_closed = True
                        self._socket.sendall(data)
                    return
                else:
                    self._socket.shutdown(socket.SHUT_RDWR)
                    return
