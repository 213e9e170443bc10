"""Clients that end in http.client or aiohttp: seen once, their bytes unchanged, replayed without a server."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from .conftest import AGENTS, Bench, ModelServer, clean_bench, of_kind

AGENT = AGENTS / "other_clients.py"
CLIENTS = [
    "requests",
    "requests_lines",
    "urllib3",
    "urllib3_whole",
    "urllib",
    "http_client",
    "aiohttp",
    "aiohttp_whole",
    "aiohttp_lines",
    "httpcore",
    "httpcore_connection",
    "httpcore2_async",
]
MODEL_CALLS = ["plain", "streamed", "ragged", "big", "big_streamed", "gzip", "error", "cut"]
OTHERS = ["upload", "models", "head", "missing", "refused", "refused_tls", "moved"]
OPERATIONS = [*MODEL_CALLS, *OTHERS]


class _Moving(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        is_there = self.path != "/moved"
        body = b"arrived" if is_there else b"go on"
        self.send_response(200 if is_there else 302)
        if not is_there:
            self.send_header("location", "/there?token=planted-query-secret")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.seen.append(self.path)

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


@dataclass
class Runs:
    """What one client printed without us, recorded and replayed; and what the servers saw of the recorded run."""

    client: str
    bench: Bench
    direct: str
    recorded: str
    replayed: str
    events: list[dict]
    asked: list[dict]
    moved: list[str]
    asked_by_replay: int


@pytest.fixture(scope="module")
def moving_server():
    """A server that sends its visitors on."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Moving)
    server.daemon_threads = True
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module", params=CLIENTS)
def runs(request, tmp_path_factory, sdk_python, moving_server):
    """One client, with each operation."""
    bench = clean_bench(tmp_path_factory.mktemp(request.param))
    command = [sdk_python, str(AGENT), request.param, *OPERATIONS]
    with ModelServer() as server:
        bench.serve_from(server)
        bench.environment["MOVING_SERVER"] = f"http://127.0.0.1:{moving_server.server_port}"
        direct = subprocess.run(
            command, env=bench.environment, cwd=bench.folder, capture_output=True, text=True
        )
        assert direct.returncode == 0, direct.stderr
        before, moved_before = len(server.requests), len(moving_server.seen)
        recorded = bench.run("record", "-o", "t.jsonl", "--", *command)
        asked, moved = server.requests[before:], moving_server.seen[moved_before:]
        replayed = bench.run("replay", "t.jsonl", "--", *command)
        still_asked = len(server.requests) - before - len(asked)
    assert recorded.status == 0, recorded.stderr
    assert "recording failed" not in recorded.stderr
    assert replayed.status == 0, replayed.stderr
    return Runs(
        request.param,
        bench,
        direct.stdout,
        recorded.stdout,
        replayed.stdout,
        bench.events(),
        list(asked),
        moved,
        still_asked,
    )


def test_the_agent_gets_the_same_bytes_as_without_us(runs):
    """Digest, size, status and way of ending of each answer."""
    assert runs.recorded == runs.direct
    assert runs.recorded.count("\n") == len(OPERATIONS)


def test_each_request_at_a_server_is_recorded_once_with_its_body(runs):
    """Not less, not twice; a redirect is two, a refused connection one that no server saw."""
    assert runs.bench.report()["status"] == "intact"
    requests = of_kind(runs.events, "llm_request", "http_request")
    seen = []
    for event in requests:
        http = event["data"].get("http", event["data"])
        if ":9/" not in http["url"]:
            seen.append((http["method"], event["data"].get("request", b"")))
    expected = [(one["method"], one["body"]) for one in runs.asked]
    assert seen == expected + [("GET", b"")] * len(runs.moved)
    assert len(requests) - len(seen) == len(["refused", "refused_tls"])


def test_each_answer_is_recorded_to_its_end(runs):
    """One response event for each request; complete but where it was cut or refused."""
    requests = of_kind(runs.events, "llm_request", "http_request")
    responses = of_kind(runs.events, "llm_response", "http_response")
    assert [one["span_id"] for one in responses] == [one["span_id"] for one in requests]
    incomplete = [one["data"] for one in responses if not one["data"]["complete"]]
    refused = [one for one in incomplete if "error" in one and "http" not in one][-2:]
    assert [one["error"]["type"] != "" for one in refused] == [True, True]
    # Of a redirect's answer aiohttp needs no body.
    cut = [one for one in incomplete if one.get("http", {}).get("status") != 302]
    assert len(cut) - len(refused) == 1


def test_a_replay_gives_the_same_output_without_a_server(runs):
    """The same digests, errors and redirects; nothing reaches a server."""
    assert runs.replayed == runs.recorded
    assert runs.asked_by_replay == 0


def test_no_secret_of_a_redirect_is_recorded(runs):
    """Where an answer sends the client to is kept, without what looks secret."""
    assert b"planted-query-secret" not in (runs.bench.folder / "t.jsonl").read_bytes()


def test_an_exchange_that_two_hooks_see_is_recorded_once(bench, server, sdk_python):
    """openai's client over aiohttp: httpx2's hook tells, aiohttp's keeps still."""
    bench.serve_from(server)
    command = [sdk_python, AGENT, "openai_aiohttp"]
    ended = bench.run("record", "-o", "t.jsonl", "--", *command)
    assert ended.status == 0, ended.stderr
    requests = of_kind(bench.events(), "llm_request", "http_request")
    assert [one["data"]["request"] for one in requests] == [one["body"] for one in server.requests]
    assert len(of_kind(bench.events(), "llm_response")) == 2


@pytest.mark.parametrize("how", ["threaded", "asyncio", "legacy"])
def test_messages_of_websockets_are_recorded(bench, sdk_python, how):
    """Each as it was sent and received, in one span; fragments one by one; the server's side not at all."""
    ended = bench.run("record", "-o", "t.jsonl", "--", sdk_python, AGENTS / "sockets.py", how)
    assert (ended.status, ended.stdout.count("\n")) == (0, 3), ended.stderr
    events = of_kind(bench.events(), "ws_send", "ws_receive")
    binary = {"base64": "/wA="}
    assert [(one["kind"][3:], one["data"]["text"]) for one in events] == [
        ("send", "grüezi"),
        ("receive", "grüezi"),
        ("send", binary),
        ("receive", binary),
        ("send", "in "),
        ("send", "two"),
        ("receive", "in two"),
    ]
    assert len({one["span_id"] for one in events}) == 1
    assert events[0]["data"]["url"].endswith("/talk?token=[redacted:url]")


def test_messages_of_aiohttp_s_websockets_are_recorded(bench, sdk_python):
    """Beside the exchange that opens the connection."""
    ended = bench.run("record", "-o", "t.jsonl", "--", sdk_python, AGENTS / "sockets.py", "aiohttp")
    assert (ended.status, ended.stdout.count("\n")) == (0, 3), ended.stderr
    events = of_kind(bench.events(), "ws_send", "ws_receive")
    texts = ["grüezi", {"base64": "/wA="}, '"in two"']
    assert [one["data"]["text"] for one in events] == [text for text in texts for _ in range(2)]
    assert len({one["span_id"] for one in events}) == 1
    assert events[0]["data"]["url"].startswith("ws://127.0.0.1")
    assert events[0]["data"]["url"].endswith("/talk?token=[redacted:url]")
    (opened,) = of_kind(bench.events(), "http_response")
    assert opened["data"]["http"]["status"] == 101


def test_the_hooks_load_no_client_by_themselves(bench, sdk_python):
    """Starting a Python costs no import of http.client."""
    script = "import sys; print(*{'http.client', 'asyncio', 'ssl', 'aiohttp'} & set(sys.modules))"
    ended = bench.run("record", "-q", "-o", "t.jsonl", "--", sdk_python, "-c", script)
    assert ended.stdout == "\n"
