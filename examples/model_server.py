"""A scripted model server on loopback, for trying and testing agents without a model.

    python examples/model_server.py --port 0 --port-file port.txt
    OPENAI_BASE_URL=http://127.0.0.1:PORT/v1 OPENAI_API_KEY=none python examples/weather_agent.py

It speaks OpenAI's chat completions and Responses, Anthropic's messages, Gemini's generateContent and
Ollama's chat and generate, each plain and streamed, under any path that ends like theirs.
The answer depends only on the request.
These models behave:

    error-429, error-500   answer with that error     error-stream   tells an error half way
    cut-stream   closes the connection half way       never-ends     streams until one side goes
    slow-stream  fifty pieces, 50 ms apart            ragged-stream  cuts events and characters
    gzip         compresses its answers               big            says two million bytes

`x-delay-ms`, as a header or in the query, delays the answer, or each piece of it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import signal
import socket
import sys
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

if __package__:
    from . import model_more_protocols, model_protocols
    from .model_script import Said, pieces, tokens
else:
    import model_more_protocols
    import model_protocols
    from model_script import Said, pieces, tokens

_PROTOCOLS = (
    *model_protocols.PROTOCOLS,
    model_more_protocols.Gemini,
    model_more_protocols.Ollama,
)
_GZIP = 31
_RAGGED_BYTES = 7
_ERRORS = {
    "error-429": (429, "rate_limit_error", "Too many requests, says the script."),
    "error-500": (500, "api_error", "The script has this model fail."),
}


class ModelServer:
    """The server, running in threads of its own within the `with` block.

    `url` is its base without `/v1`; `requests` holds what came in, in order: a dict each with
    `method`, `path` (with the query), `headers` (names in lower case), `body` (parsed, or bytes).
    """

    def __init__(self, port: int = 0, delay_ms: float = 0) -> None:
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.delay_ms = delay_ms
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests = self._server.requests

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.stopping.set()
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.delay_ms: float = 0
        self.requests: list[dict] = []
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()

    def process_request(self, request: socket.socket, client_address: object) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Wake the threads that wait for a client's next request."""
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ModelServer/1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._note(b"")
        if urlsplit(self.path).path.endswith("/models"):
            models = [{"id": "scripted", "object": "model", "created": 0, "owned_by": "examples"}]
            self._send_json(200, {"object": "list", "data": models})
        else:
            self._send_json(404, {"error": {"type": "not_found_error", "message": self.path}})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        request = self._note(self._read_body())
        path = urlsplit(self.path).path.rstrip("/")
        protocol = next((p for p in _PROTOCOLS if path.endswith(p.path)), None)
        if hasattr(protocol, "prepare") and isinstance(request, dict):
            request = protocol.prepare(path, request)
        if path.endswith("/count_tokens"):
            self._send_json(200, {"input_tokens": tokens(request)})
        elif protocol is None:
            self._send_json(404, {"error": {"type": "not_found_error", "message": path}})
        elif not isinstance(request, dict) or not isinstance(request.get("model"), str):
            message = "The body must be a JSON object with a model."
            self._send_json(400, protocol.error("invalid_request_error", message))
        elif request["model"] in _ERRORS:
            status, kind, message = _ERRORS[request["model"]]
            self._send_json(status, protocol.error(kind, message), {"retry-after-ms": "10"})
        else:
            self._answer(protocol, request)

    def _answer(self, protocol: type, request: dict) -> None:
        said = protocol.decide(request)
        self._is_gzip = said.model == "gzip"
        if request.get("stream"):
            self._stream(protocol, request, said)
            return
        self._wait(self._delay_s())
        if said.model == "never-ends":
            self.server.stopping.wait()
            self.close_connection = True
            return
        self._send_json(200, protocol.whole(request, said), is_cut=said.model == "cut-stream")

    def _stream(self, protocol: type, request: dict, said: Said) -> None:
        events = self._scripted_events(protocol, request, said)
        delay_s = 0.05 if said.model == "slow-stream" else self._delay_s()
        if said.model == "never-ends":
            delay_s = delay_s or 0.01
        headers = {"content-type": protocol.stream_type, "transfer-encoding": "chunked"}
        self._send_head(200, {**headers, "cache-control": "no-cache"})
        pack = zlib.compressobj(wbits=_GZIP)
        for event in events:
            self._wait(delay_s)
            if self.server.stopping.is_set():
                self.close_connection = True
                return
            if self._is_gzip:
                event = pack.compress(event) + pack.flush(zlib.Z_SYNC_FLUSH)
            self._send_chunk(event)
        if said.model == "cut-stream":
            self.close_connection = True
            return
        if self._is_gzip:
            self._send_chunk(pack.flush())
        self.wfile.write(b"0\r\n\r\n")

    def _scripted_events(self, protocol: type, request: dict, said: Said) -> Iterator[bytes]:
        events = list(protocol.events(request, said))
        half = len(events) // 2
        if said.model == "cut-stream":
            events = events[:half]
        elif said.model == "error-stream":
            error = protocol.error_event("overloaded_error", "The script stops this answer here.")
            events = [*events[:half], error]
        data = [_event_bytes(protocol.stream_type, *event) for event in events]
        if said.model == "never-ends":
            piece = pieces(said.text)[0].encode()
            at = next(at for at, event in enumerate(data) if piece in event)
            return itertools.chain(data[:at], itertools.repeat(data[at]))
        if protocol.ending and said.model not in ("cut-stream", "error-stream"):
            data.append(f"data: {protocol.ending}\n\n".encode())
        if said.model == "ragged-stream":
            whole = b"".join(data)
            starts = range(0, len(whole), _RAGGED_BYTES)
            data = [whole[at : at + _RAGGED_BYTES] for at in starts]
        return iter(data)

    def _note(self, body: bytes) -> object:
        """Keep what came in, and give its body as JSON if it is that."""
        try:
            parsed = json.loads(body)
        except ValueError:
            parsed = body
        headers = {name.lower(): value for name, value in self.headers.items()}
        facts = {"method": self.command, "path": self.path, "headers": headers, "body": parsed}
        self.server.requests.append(facts)
        self._is_gzip = False
        return parsed

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        chunks = []
        while True:
            length = int(self.rfile.readline().split(b";")[0], 16)
            chunks.append(self.rfile.read(length))
            self.rfile.readline()
            if length == 0:
                return b"".join(chunks)

    def _delay_s(self) -> float:
        query = parse_qs(urlsplit(self.path).query).get("x-delay-ms", [None])[0]
        asked = self.headers.get("x-delay-ms") or query
        return float(asked or self.server.delay_ms) / 1000

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self.server.stopping.wait(seconds)

    def _send_head(self, status: int, headers: dict) -> None:
        self.send_response(status)
        self.send_header("x-request-id", f"req_{len(self.server.requests):06d}")
        if self._is_gzip:
            self.send_header("content-encoding", "gzip")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_json(
        self, status: int, body: dict, headers: dict | None = None, is_cut: bool = False
    ) -> None:
        data = json.dumps(body, ensure_ascii=False).encode()
        if self._is_gzip:
            pack = zlib.compressobj(wbits=_GZIP)
            data = pack.compress(data) + pack.flush()
        facts = {"content-type": "application/json", "content-length": str(len(data))}
        self._send_head(status, {**facts, **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if is_cut else data)
        self.close_connection = self.close_connection or is_cut

    def _send_chunk(self, data: bytes) -> None:
        # One write, so that a piece is one packet: nothing waits for the rest of it.
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def log_message(self, *args: object) -> None:
        """Say nothing: `requests` holds all."""


def _event_bytes(stream_type: str, name: str | None, facts: dict) -> bytes:
    text = json.dumps(facts, ensure_ascii=False)
    if stream_type != "text/event-stream":
        return (text + "\n").encode()
    lines = [f"event: {name}"] if name else []
    lines.append("data: " + text)
    return ("\n".join(lines) + "\n\n").encode()


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    parser.add_argument("--port-file", help="the port is written here once the server listens")
    parser.add_argument("--delay-ms", type=float, default=0, help="before each piece of an answer")
    options = parser.parse_args()
    with ModelServer(options.port, options.delay_ms) as server:
        if options.port_file:
            with open(options.port_file, "w", encoding="ascii") as file:
                file.write(f"{server.port}\n")
        print(f"{server.url}/v1 speaks OpenAI's protocols, {server.url} Anthropic's.", flush=True)
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        stopped.wait()


if __name__ == "__main__":
    main()
