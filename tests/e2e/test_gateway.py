"""What goes through the gateway: byte for byte, at once, told; whatever the clients and the servers do."""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import threading
import time

import pytest

from .conftest import of_kind
from .plain_server import PlainServer, says
from .unhooked import CURL, RAW, UNHOOKED, lead_to, needs_curl, record

BINARY = bytes(range(256)) * 80_000  # 20 MB
PACKED = gzip.compress(b'{"hello": "world"}' * 1000)


@needs_curl
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("body", [BINARY, PACKED, b""], ids=["20 MB", "gzip", "empty"])
def test_bodies_pass_byte_for_byte(bench, body, framing):
    """Up and down, whatever they hold and however they are framed."""

    def echo(handler, asked):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Encoding: gzip\r\n"
        if framing == "length":
            handler.wfile.write(head + b"Content-Length: %d\r\n\r\n" % len(asked) + asked)
            return
        handler.wfile.write(head + b"Transfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(asked), 100_000):
            piece = asked[start : start + 100_000]
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    (bench.folder / "body").write_bytes(body)
    curl = [CURL, "-sS", "-f", "-o", "answer", "--data-binary", "@body", "-H", "X-Case: Kept"]
    if framing == "chunked":
        curl += ["-H", "Transfer-Encoding: chunked"]
    with PlainServer({"/v1/echo": echo}) as server:
        lead_to(bench, server)
        script = " ".join(f"'{word}'" for word in curl) + ' "$OPENAI_BASE_URL/echo"'
        ended = bench.run("record", "-q", "-o", "t.jsonl", "--", "sh", "-c", script)
    assert ended.status == 0, ended.stderr
    ((method, _, headers, asked),) = server.requests
    assert hashlib.sha256(asked).hexdigest() == hashlib.sha256(body).hexdigest()
    answer = (bench.folder / "answer").read_bytes()
    assert hashlib.sha256(answer).hexdigest() == hashlib.sha256(body).hexdigest()
    assert method == "POST"
    assert ("X-Case", "Kept") in headers
    assert ("Host", f"127.0.0.1:{server.port}") in headers
    (response,) = of_kind(bench.events(), "http_response")
    # On a busy machine 20 MB may take the collector over the second that it may hold a client up.
    stalls = [gap for gap in of_kind(bench.events(), "gap") if "stalled" in gap["data"]["reason"]]
    assert response["data"]["complete"] or (stalls and len(body) > 1_000_000)
    assert bench.report()["status"] == "intact"


ANSWERS = {
    "/v1/none": says(b"HTTP/1.1 204 No Content\nX-A: b"),
    "/v1/same": says(b'HTTP/1.1 304 Not Modified\nETag: "x"\nContent-Length: 5'),
    "/v1/head": says(b"HTTP/1.1 200 OK\nContent-Length: 12345"),
    "/v1/trailers": says(
        b"HTTP/1.1 200 Fine\nTransfer-Encoding: chunked\nTrailer: X-Sum",
        b"3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n",
    ),
    "/v1/hints": says(
        b"HTTP/1.1 103 Early Hints\nLink: </x>\n\nHTTP/1.1 200 OK\nContent-Length: 2", b"ok"
    ),
    "/v1/hop": says(
        b"HTTP/1.1 200 OK\nConnection: x-mine\nX-Mine: 1\nKeep-Alive: timeout=3\nX-Kept: yes\n"
        b"Set-Cookie: a=1\nset-cookie: b=2\nContent-Length: 0"
    ),
}


def test_every_kind_of_answer_passes_as_it_is(bench):
    """No body, trailers, interim answers, headers of one hop; on one connection."""
    code = """
connection = connect()
for path, method in (("none", "GET"), ("same", "GET"), ("head", "HEAD"), ("hop", "GET")):
    answer = ask(connection, "/" + path, method)
    print(repr((answer.status, answer.getheaders(), answer.read())))
host = "127.0.0.1:%d" % base.port
for path in ("trailers", "hints"):
    line = "GET %s/%s HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n" % (base.path, path, host)
    print(repr(raw(line.encode())))
"""
    with PlainServer(ANSWERS) as server:
        lead_to(bench, server)
        lines = [eval(line) for line in record(bench, code).stdout.splitlines()]
    assert lines[0] == (204, [("X-A", "b")], b"")
    assert lines[1] == (304, [("ETag", '"x"'), ("Content-Length", "5")], b"")
    assert lines[2] == (200, [("Content-Length", "12345")], b"")
    cookies = [("Set-Cookie", "a=1"), ("set-cookie", "b=2")]
    assert lines[3] == (200, [("X-Kept", "yes"), *cookies, ("Content-Length", "0")], b"")
    head, _, rest = lines[4].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 Fine\r\nTrailer: X-Sum")
    assert rest == b"3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n"
    assert lines[5].startswith(b"HTTP/1.1 103 \r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n")
    statuses = [
        event["data"]["http"]["status"] for event in of_kind(bench.events(), "http_response")
    ]
    assert statuses == [204, 304, 200, 200, 200, 200]


def test_connections_are_kept_on_both_sides(bench):
    """Five requests of one client's connection take one of the server's."""
    code = """
connection = connect()
for number in range(5):
    print(ask(connection, "/ok", "POST", b"x").read())
"""
    with PlainServer({"/v1/ok": says(b"HTTP/1.1 200 OK\nContent-Length: 2", b"ok")}) as server:
        lead_to(bench, server)
        assert record(bench, code).stdout == "b'ok'\n" * 5
    assert server.connections == 1


def test_an_upload_may_wait_for_its_go_ahead(bench):
    """100-continue is said by the gateway, and not asked of the server."""
    code = """
with socket.create_connection((base.hostname, base.port), timeout=20) as peer:
    head = "POST %s/ok HTTP/1.1\\r\\nHost: 127.0.0.1:%d\\r\\nContent-Length: 3\\r\\nExpect: 100-continue\\r\\n\\r\\n"
    peer.sendall((head % (base.path, base.port)).encode())
    print(peer.recv(4096))
    peer.sendall(b"abc")
    answer = b""
    while not answer.endswith(b"ok"):
        answer += peer.recv(4096)
    print(answer[:15])
"""
    with PlainServer({"/v1/ok": says(b"HTTP/1.1 200 OK\nContent-Length: 2", b"ok")}) as server:
        lead_to(bench, server)
        assert record(bench, code).stdout == "b'HTTP/1.1 100 \\r\\n\\r\\n'\nb'HTTP/1.1 200 OK'\n"
    (_, _, headers, body) = server.requests[0]
    assert body == b"abc"
    assert "expect" not in [name.lower() for name, _ in headers]


def test_pieces_pass_the_moment_they_come(bench):
    """The client has the first one long before the server sends the second, and so has the trace."""

    def slow(handler, asked):
        handler.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for piece in (b"data: 1\n\n", b"data: 2\n\n"):
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            time.sleep(0.5)
        handler.wfile.write(b"0\r\n\r\n")

    code = """
answer = ask(connect(), "/slow")
began = time.monotonic()
for _ in range(2):
    print(answer.read1(), round(time.monotonic() - began, 1))
"""
    with PlainServer({"/v1/slow": slow}) as server:
        lead_to(bench, server)
        assert record(bench, code).stdout == "b'data: 1\\n\\n' 0.0\nb'data: 2\\n\\n' 0.5\n"
    first, second = of_kind(bench.events(), "http_chunk")
    assert second["data"]["at_ns"] - first["data"]["at_ns"] > 400_000_000


def test_a_client_that_hangs_up_ends_the_request(bench, server):
    """The server's side is closed; the exchange is told as incomplete."""
    code = """
import json
body = json.dumps({"model": "never-ends", "stream": True, "messages": [{"role": "user", "content": "x"}]})
answer = ask(connect(), "/chat/completions", "POST", body)
print(len(answer.read1()) > 0)
"""
    bench.serve_from(server)
    record(bench, code)
    (response,) = of_kind(bench.events(), "llm_response")
    assert not response["data"]["complete"]
    assert response["data"]["error"]["type"] == "ClientGone"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it can't be told from a hang-up")
def test_a_client_that_only_stops_sending_gets_its_answer(bench):
    """As `nc -N` does: its half of the connection is shut, it reads on; slow and piecewise answers too."""

    def slow(handler, asked):
        time.sleep(0.3)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl")
        time.sleep(0.3)
        handler.wfile.write(b"ow")

    code = """
head = "POST %s/slow HTTP/1.1\\r\\nHost: %s\\r\\nX-Mode: HALF\\r\\nContent-Length: 2\\r\\n\\r\\nhi"
head %= (base.path, base.netloc)
print(raw(head.encode()).rpartition(b"\\r\\n")[2])
"""
    with PlainServer({"/v1/slow": slow}) as server:
        lead_to(bench, server)
        assert record(bench, code).stdout == "b'slow'\n"
    assert [body for *_, body in server.requests] == [b"hi"]
    (response,) = of_kind(bench.events(), "http_response")
    assert response["data"]["complete"]


def test_a_client_that_goes_away_while_it_waits_ends_the_request(bench):
    """Before a byte of the answer came, whether it shut its half first or not; the server sees it go."""
    gone = threading.Event()

    def never(handler, asked):
        handler.connection.settimeout(20)
        if handler.rfile.read(1) == b"":
            gone.set()

    code = """
head = "GET %s/never HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n" % (base.path, base.netloc)
for is_half in (False, True):
    with socket.create_connection((base.hostname, base.port), timeout=20) as peer:
        peer.sendall(head.encode())
        if is_half:
            peer.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
    time.sleep(0.5)
"""
    with PlainServer({"/v1/never": never}) as server:
        lead_to(bench, server)
        record(bench, code)
        assert gone.is_set()
    responses = of_kind(bench.events(), "http_response")
    assert [one["data"]["error"]["type"] for one in responses] == ["ClientGone", "ClientGone"]


def test_an_answer_that_breaks_off_breaks_off_for_the_client_too(bench):
    """No clean end where there was none."""
    cut = says(b"HTTP/1.1 200 OK\nContent-Length: 10\nConnection: close", b"only")

    def answer(handler, asked):
        cut(handler, asked)
        handler.close_connection = True

    code = """
try:
    ask(connect(), "/cut").read()
except http.client.IncompleteRead as error:
    print(error.partial)
except ConnectionResetError:
    print("reset")
"""
    with PlainServer({"/v1/cut": answer}) as server:
        lead_to(bench, server)
        assert record(bench, code).stdout in ("b'only'\n", "reset\n")
    (response,) = of_kind(bench.events(), "http_response")
    assert (response["data"]["complete"], response["data"]["http"]["status"]) == (False, 200)


def test_a_server_that_is_not_there(bench):
    """The client is told by whom and why; so is the trace, which has the request too."""
    bench.environment["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1"
    code = """
answer = ask(connect(), "/chat/completions", "POST", b'{"model": "gpt-5", "messages": []}')
print(answer.status, answer.read().decode())
"""
    status, _, body = record(bench, code).stdout.partition(" ")
    assert status == "502"
    assert "AgentTrace's gateway: 127.0.0.1:9: " in json.loads(body)["error"]["message"]
    (request,) = of_kind(bench.events(), "llm_request", "http_request")
    assert request["data"]["request"]["model"] == "gpt-5"
    (response,) = of_kind(bench.events(), "llm_response", "http_response")
    assert response["data"]["error"]["type"] == "UpstreamError"


def test_strangers_are_refused(bench):
    """By Host, by Origin, by token, by name, by form; nothing of it reaches the server or the trace."""
    code = """
host = "127.0.0.1:%d" % base.port
good = base.path + "/ok"
def get(target, host=host, more=""):
    answer = raw(("GET %s HTTP/1.1\\r\\nHost: %s\\r\\n%sConnection: close\\r\\n\\r\\n" % (target, host, more)).encode())
    return answer.split(b" ")[1].decode(), b"access-control" in answer.lower()
print([get(*one)[0] for one in (
    (good, "localhost:%d" % base.port), (good, "127.0.0.1"), (good, "evil.example"),
    (good, host, "Origin: https://evil.example\\r\\n"), (good, host, "origin: null\\r\\n"),
    ("/" + "0" * 32 + good[33:], host), ("/", host), ("/v1/ok", host), ("*", host),
    (good.replace("openai_base_url", "nowhere"), host), ("http://evil.example" + good, host),
    ("http://%s%s" % (host, good), host),
)])
print(get(good), raw(b"nonsense\\r\\n\\r\\n").split(b" ")[1])
"""
    with PlainServer({"/v1/ok": says(b"HTTP/1.1 200 OK\nContent-Length: 2", b"ok")}) as server:
        lead_to(bench, server)
        first, second = record(bench, code).stdout.splitlines()
    assert eval(first) == ["403"] * 5 + ["404"] * 7
    assert second == "('200', False) b'400'"
    assert len(server.requests) == 1
    assert len(of_kind(bench.events(), "http_request")) == 1
    # A replay's gateway, which serves what may be private, lets in nobody else either.
    again = bench.run("replay", "-q", "t.jsonl", "--", *UNHOOKED, RAW + code)
    assert again.stdout.splitlines() == [first, second]


def test_a_connection_header_names_no_header_of_the_message_itself(bench):
    """Without its length or its host the request would be another one."""
    code = """
host = "127.0.0.1:%d" % base.port
for named in ("content-length", "host", "transfer-encoding"):
    head = "POST %s/ok HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close, %s\\r\\nContent-Length: 3\\r\\n\\r\\nabc"
    print(raw((head % (base.path, host, named)).encode()).split(b" ")[1])
"""
    with PlainServer({"/v1/ok": says(b"HTTP/1.1 200 OK\nContent-Length: 2", b"ok")}) as server:
        lead_to(bench, server)
        ended = record(bench, code)
    assert ended.stdout == "b'200'\n" * 3, ended.stderr
    assert [body for *_, body in server.requests] == [b"abc"] * 3


def test_what_a_server_says_unasked_is_no_answer_to_the_next_request(bench):
    """Its connection is given up."""
    code = """
connection = connect()
print(ask(connection, "/two").read(), ask(connection, "/ok").read())
"""
    more = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"
    answers = {
        "/v1/two": says(b"HTTP/1.1 200 OK\nContent-Length: 2", b"ab" + more),
        "/v1/ok": says(b"HTTP/1.1 200 OK\nContent-Length: 2", b"ok"),
    }
    with PlainServer(answers) as server:
        lead_to(bench, server)
        assert record(bench, code).stdout == "b'ab' b'ok'\n"
    assert server.connections == 2


def test_what_a_server_says_late_is_no_answer_to_the_next_request_either(bench):
    """What came after the answer was read, and has not been looked at yet."""

    def late(handler, asked):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab")
        time.sleep(0.2)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON")

    code = """
connection = connect()
print(ask(connection, "/late").read())
time.sleep(0.5)
print(ask(connection, "/ok").read())
"""
    with PlainServer(
        {"/v1/late": late, "/v1/ok": says(b"HTTP/1.1 200 OK\nContent-Length: 2", b"ok")}
    ) as server:
        lead_to(bench, server)
        assert record(bench, code).stdout == "b'ab'\nb'ok'\n"
    assert server.connections == 2


def test_websockets_are_declined_and_told(bench):
    """With the status on which clients fall back to plain requests."""
    code = """
headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x"}
print(ask(connect(), "/realtime", headers=headers).status)
"""
    with PlainServer({}) as server:
        lead_to(bench, server)
        assert record(bench, code).stdout == "426\n"
    assert server.requests == []
    (request,) = of_kind(bench.events(), "http_request")
    assert request["data"]["url"] == f"{server.url}/v1/realtime"
    (response,) = of_kind(bench.events(), "http_response")
    assert response["data"]["http"]["status"] == 426


def test_several_upstreams_and_paths(bench):
    """Each variable leads to its own server; a base path and a query are kept."""
    ok = says(b"HTTP/1.1 200 OK\nContent-Length: 2", b"ok")
    code = """
for name, path in (("OPENAI_BASE_URL", "/x?a=1"), ("ANTHROPIC_BASE_URL", "/v1/y"), ("OLLAMA_HOST", "/api/z")):
    base = urlsplit(os.environ[name])
    print(ask(connect(), path).read())
"""
    answers = {"/deep/er/x": ok, "/v1/y": ok, "/api/z": ok}
    with PlainServer(answers) as one, PlainServer(answers) as other:
        bench.environment["OPENAI_BASE_URL"] = f"{one.url}/deep/er"
        bench.environment["ANTHROPIC_BASE_URL"] = f"{other.url}/"
        bench.environment["OLLAMA_HOST"] = f"127.0.0.1:{other.port}"
        code = code.replace('"/v1/y"', '"v1/y"')
        assert record(bench, code).stdout == "b'ok'\n" * 3
    assert [path for _, path, _, _ in one.requests] == ["/deep/er/x?a=1"]
    assert [path for _, path, _, _ in other.requests] == ["/v1/y", "/api/z"]
    urls = [event["data"]["url"] for event in of_kind(bench.events(), "http_request")]
    assert urls == [f"{one.url}/deep/er/x?a=1", f"{other.url}/v1/y", f"{other.url}/api/z"]
