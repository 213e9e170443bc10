"""A server that says exactly what a test tells it to: the answer to each path is a function that writes bytes."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class PlainServer:
    """In threads of its own within the `with` block. answers: path -> called with (handler, body); `requests` are
    (method, path, headers as pairs, body); `connections` counts.
    """

    def __init__(self, answers: dict[str, Callable], context: ssl.SSLContext | None = None) -> None:
        outer = self
        self.requests: list[tuple] = []
        self.connections = 0
        self.hung_up = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (ConnectionError, BrokenPipeError):
                    outer.hung_up.set()
                    self.close_connection = True

            def log_message(self, *args: object) -> None:
                """Silent."""

            def __getattr__(self, name: str):
                if name.startswith("do_"):
                    return self._answer
                raise AttributeError(name)

            def _answer(self) -> None:
                body = _body(self)
                outer.requests.append((self.command, self.path, self.headers.items(), body))
                answers[self.path.partition("?")[0]](self, body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> PlainServer:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if "chunked" not in handler.headers.get("transfer-encoding", ""):
        return handler.rfile.read(int(handler.headers.get("content-length") or 0))
    chunks = []
    while True:
        length = int(handler.rfile.readline(), 16)
        if not length:
            while handler.rfile.readline().strip():
                pass
            return b"".join(chunks)
        chunks.append(handler.rfile.read(length))
        handler.rfile.readline()


def says(head: bytes, body: bytes = b"") -> Callable:
    """An answer of exactly these bytes; LF in the head stands for CRLF."""

    def answer(handler: BaseHTTPRequestHandler, asked: bytes) -> None:
        handler.wfile.write(head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body)

    return answer
