"""What was connected to and not decoded is told: "nothing captured" must never look like "nothing happened"."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.e2e.conftest import of_kind

SPEAKS = """
import socket, sys
host, port, http_port = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with socket.create_connection((host, port)) as raw:
    raw.sendall(b"HELO\\n"); raw.recv(10)
import http.client
client = http.client.HTTPConnection("localhost", int(http_port))
client.request("GET", "/v1/models"); client.getresponse().read()
"""


@pytest.fixture
def silent_port():
    """The port of a server whose protocol nobody knows."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(10)
                    peer.sendall(b"EHLO\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def _http_port(server) -> str:
    return server.url.rpartition(":")[2]


def test_a_connection_that_no_event_explains_is_told(bench, server, silent_port, sdk_python):
    arguments = ["localhost", silent_port, _http_port(server)]
    ended = bench.run(
        "record", "-o", "t.jsonl", "--", sdk_python, "-c", SPEAKS, *map(str, arguments)
    )
    assert ended.status == 0, ended.stderr
    (gap,) = of_kind(bench.events(), "gap")
    assert gap["data"]["connections"] == [f"localhost:{silent_port}"]
    assert f"no event explains: localhost:{silent_port}" in ended.stderr


def test_what_is_explained_is_not_told(bench, server, sdk_python):
    port = _http_port(server)
    agent = "import http.client as h; c = h.HTTPConnection('localhost', %s); c.request('GET', '/'); c.getresponse()"
    ended = bench.run("record", "-o", "t.jsonl", "--", sdk_python, "-c", agent % port)
    assert ended.status == 0, ended.stderr
    assert of_kind(bench.events(), "http_request")
    assert not of_kind(bench.events(), "gap")


def test_nothing_listens_and_it_is_told_as_well(bench, sdk_python):
    agent = "import socket; s = socket.socket(); print(s.connect_ex(('127.0.0.1', 9)))"
    bench.run("record", "-o", "t.jsonl", "--", sdk_python, "-c", agent)
    (gap,) = of_kind(bench.events(), "gap")
    assert gap["data"]["connections"] == ["127.0.0.1:9"]


def test_a_proxy_of_the_environment_speaks_for_others(bench, server, sdk_python):
    bench.environment["HTTP_PROXY"] = bench.environment["http_proxy"] = server.url
    agent = "import urllib.request as u\ntry: u.urlopen('http://model.example/x').read()\nexcept OSError: pass"
    ended = bench.run("record", "-o", "t.jsonl", "--", sdk_python, "-c", agent)
    assert ended.status == 0, ended.stderr
    assert not of_kind(bench.events(), "gap"), bench.events()
