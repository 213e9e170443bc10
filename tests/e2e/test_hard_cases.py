"""TLS, HTTP/2, proxies, packed answers, stalls, twenty megabytes, failing uploads: for every client, and replayed."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from dataclasses import dataclass

import pytest

from agenttrace import TraceReader
from tools.agent_environment import agent_python

from .conftest import AGENTS, Bench, Ended, clean_bench

CLIENTS = [
    "httpx-httpx",
    "httpx_async-httpx2",
    "http2",
    "http2_async",
    "aiohttp",
    "requests",
    "urllib3",
    "urllib",
    "httpcore",
]
CASES = 10
LARGE_CLIENTS = 3
FAILED = ["ReadTimeout", "ConnectError", "TimeoutError", "ClientConnectorError"]
FAILED += ["NewConnectionError", "ConnectionRefusedError"]


@dataclass
class Runs:
    """All clients with all cases: without us, recorded, replayed without the server."""

    direct: str
    recorded: Ended
    replayed: Ended
    exchanges: list[tuple[dict, dict]]
    gaps: list[str]
    tunnels: int


@contextlib.contextmanager
def serving(bench: Bench, python: str):
    """The server, and its proxy; how many tunnels that opened is in the file `proxied`."""
    command = [python, str(AGENTS / "hard_server.py"), str(bench.folder)]
    with (bench.folder / "proxied").open("w") as proxied:
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=proxied, stderr=subprocess.DEVNULL
        )
    with server:
        try:
            ports = bench.folder / "ports.json"
            deadline = time.monotonic() + 30
            while not ports.exists():
                assert server.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield ports.read_text()
        finally:
            server.kill()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One recording of everything, one replay."""
    python = agent_python("frameworks")
    bench = clean_bench(tmp_path_factory.mktemp("hard"))
    authority = str(bench.folder / "ca.pem")
    bench.environment.update(SSL_CERT_FILE=authority, REQUESTS_CA_BUNDLE=authority)
    command = [python, str(AGENTS / "hard_clients.py"), *CLIENTS]
    with serving(bench, python) as ports:
        bench.environment["PORTS"] = ports
        direct = subprocess.run(
            command, env=bench.environment, cwd=bench.folder, capture_output=True, text=True
        )
        recorded = bench.run("record", "-o", "t.jsonl", "--", *command)
    replayed = bench.run("replay", "t.jsonl", "--", *command)
    assert recorded.status == 0, recorded.stderr
    assert "recording failed" not in recorded.stderr
    with TraceReader(bench.folder / "t.jsonl", full=True) as reader:
        events = [json.loads(event.raw) for event in reader]
        assert reader.findings == []
    return Runs(
        direct.stdout,
        recorded,
        replayed,
        exchanges(events),
        [event["data"]["reason"] for event in events if event["kind"] == "gap"],
        (bench.folder / "proxied").read_text().split().count("CONNECT"),
    )


def exchanges(events: list[dict]) -> list[tuple[dict, dict]]:
    """Requests with their responses."""
    responses = {one["span_id"]: one["data"] for one in events if one["kind"].endswith("_response")}
    return [
        (one["data"], responses[one["span_id"]])
        for one in events
        if one["kind"] in ("llm_request", "http_request")
    ]


def test_the_agent_gets_what_it_gets_without_us(runs):
    """Each client, each case."""
    assert runs.recorded.stdout == runs.direct
    assert runs.direct.count("\n") == CASES * len(CLIENTS)


def test_each_exchange_is_recorded_once_and_under_its_target(runs):
    """A tunnel's own CONNECT is none of the agent's; through a proxy or not, the URL is the target's."""
    assert runs.tunnels == 2 * len(CLIENTS)  # each client's, directly and recorded
    assert len(runs.exchanges) == CASES * len(CLIENTS)
    https = [
        request for request, _ in runs.exchanges if _url(request).startswith("https://localhost:")
    ]
    assert len(https) == 2 * len(CLIENTS)
    assert all(request.get("http", request)["method"] == "POST" for request, _ in runs.exchanges)


def test_bodies_are_whole(runs):
    """Requests and answers of twenty megabytes too; of an upload that could not be sent, nothing."""
    sizes = [len(json.dumps(request.get("request", ""))) for request, _ in runs.exchanges]
    assert sum(size > 20 << 20 for size in sizes) == LARGE_CLIENTS
    answers = [len(json.dumps(answer.get("response", ""))) for _, answer in runs.exchanges]
    assert sum(size > 20 << 20 for size in answers) == LARGE_CLIENTS
    assert sizes.count(2) == len(CLIENTS)


def test_packed_answers_are_read(runs):
    """brotli and zstd as well; what is packed otherwise is kept as it came, and said."""
    for case in ("br", "zstd"):
        found = [answer for request, answer in runs.exchanges if f"/{case}/" in _url(request)]
        assert [one["usage"]["input_tokens"] for one in found] == [7] * len(CLIENTS)
        assert not any("content-encoding" in one["http"]["headers"] for one in found)
    packed = [gap for gap in runs.gaps if "compress" in gap]
    assert packed == ["an answer packed as 'compress' is kept packed"] * len(CLIENTS)


def test_failures_are_recorded_as_such(runs):
    """A limit of the agent's own in the middle of an answer, a connection that is refused."""
    failed = [answer for _, answer in runs.exchanges if not answer["complete"]]
    assert len(failed) == 2 * len(CLIENTS)
    assert {one["error"]["type"] for one in failed} <= set(FAILED)


def test_a_replay_without_the_server_is_the_same(runs):
    """Every client gets the same answers and the same errors."""
    assert (runs.replayed.status, runs.replayed.stdout) == (0, runs.recorded.stdout), (
        runs.replayed.stderr
    )
    count = CASES * len(CLIENTS)
    assert f"{count} of {count} recorded requests answered" in runs.replayed.stderr


def test_a_proxy_that_the_code_names_explains_its_connections(runs):
    """No variable tells of it: the clients do."""
    assert not [gap for gap in runs.gaps if "no event explains" in gap]


def test_http2_of_urllib3_is_recorded_and_replayed(tmp_path):
    """Each exchange once, with whatever body; also those whose connection fails."""
    python = agent_python("frameworks")
    bench = clean_bench(tmp_path)
    bench.environment["SSL_CERT_FILE"] = str(tmp_path / "ca.pem")
    command = [python, str(AGENTS / "hard_clients.py"), "urllib3_http2"]
    with serving(bench, python) as ports:
        bench.environment["PORTS"] = ports
        direct = subprocess.run(command, env=bench.environment, capture_output=True, text=True)
        recorded = bench.run("record", "-o", "t.jsonl", "--", *command)
    assert (recorded.status, recorded.stdout) == (0, direct.stdout), recorded.stderr
    assert recorded.stdout.count("HTTP/2") == 5
    found = exchanges(bench.events())
    asked = json.loads('{"model": "m", "messages": [{"role": "user", "content": "Go."}]}')
    assert [request.get("request") for request, _ in found[:4]] == [asked] * 4
    assert [answer["complete"] for _, answer in found] == [True] * 5 + [False] * 2
    replayed = bench.run("replay", "t.jsonl", "--", *command)
    assert (replayed.status, replayed.stdout) == (0, recorded.stdout), replayed.stderr


def _url(request: dict) -> str:
    return request.get("http", request)["url"]
