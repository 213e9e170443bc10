"""`record --proxy`: clients that heed HTTPS_PROXY alone are recorded too, and replayed; nobody else gets in."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest

from .conftest import of_kind
from .plain_server import PlainServer, says
from .test_gateway_servers import Proxy, certificate, proxy_before  # noqa: F401
from .unhooked import CURL, UNHOOKED, needs_curl

pytest.importorskip("cryptography")
BINARY = bytes(range(256)) * 40_000  # 10 MB
ANSWERS = {"/v1/ok": says(b"HTTP/1.1 200 OK\nContent-Length: 2", b"ok")}
URLLIB = "import urllib.request as u, sys\nprint(u.urlopen(sys.argv[1]).read().decode())"


@pytest.fixture
def tls(bench, certificate):  # noqa: F811
    """Makes servers behind TLS whose certificate the bench's own environment trusts."""
    bench.environment["SSL_CERT_FILE"] = certificate

    def make(answers=ANSWERS) -> PlainServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        return PlainServer(answers, context)

    return make


def record(bench, *command: object, status: int = 0):
    """Records a command through the proxy."""
    ended = bench.run("record", "-q", "--proxy", "-o", "t.jsonl", "--", *command)
    assert ended.status == status, ended.stderr
    assert bench.report()["status"] == "intact"
    return ended


def gaps(bench) -> list[str]:
    """What was not recorded, but for clients that no hook sees, as these are."""
    reasons = [event["data"]["reason"] for event in of_kind(bench.events(), "gap")]
    return [reason for reason in reasons if "without hooks" not in reason]


def test_urllib_without_hooks_is_recorded_and_replayed(bench, tls):
    """Once, under its own URL; offline the second time; the server's side sees what it would without us."""
    with tls() as server:
        command = [*UNHOOKED, URLLIB, f"{server.url}/v1/ok"]
        ended = record(bench, *command)
    assert ended.stdout == "ok\n"
    ((_, path, headers, _),) = server.requests
    assert path == "/v1/ok"
    assert ("Host", f"127.0.0.1:{server.port}") in headers
    assert not [name for name, _ in headers if name.lower().startswith("proxy")]
    (request,) = of_kind(bench.events(), "http_request")
    assert request["data"]["url"] == f"{server.url}/v1/ok"
    assert not gaps(bench)
    again = bench.run("replay", "t.jsonl", "--", *command)
    assert (again.status, again.stdout) == (0, "ok\n"), again.stderr
    changed = bench.run("replay", "t.jsonl", "--", *command[:-1], f"{server.url}/v1/other")
    assert changed.status == 123, changed.stderr


@needs_curl
def test_curl_passes_big_bodies_byte_for_byte(bench, tls):
    """Up and down, by TLS."""

    def echo(handler, asked):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(asked)
        handler.wfile.write(head + asked)

    (bench.folder / "body").write_bytes(BINARY)
    with tls({"/echo": echo}) as server:
        url = f"{server.url}/echo"
        record(bench, CURL, "-sSf", "-o", "answer", "--data-binary", "@body", url)
    ((_, _, _, asked),) = server.requests
    answer = (bench.folder / "answer").read_bytes()
    digest = hashlib.sha256(BINARY).hexdigest()
    assert [hashlib.sha256(one).hexdigest() for one in (asked, answer)] == [digest] * 2
    assert len(of_kind(bench.events(), "http_request")) == 1


@needs_curl
def test_plain_http_goes_through_it_too(bench):
    """Told under its own URL; the gateway's own addresses are told once."""
    with PlainServer(ANSWERS) as server:
        bench.environment["OPENAI_BASE_URL"] = f"{server.url}/v1"
        script = f'{CURL} -sSf {server.url}/v1/ok "$OPENAI_BASE_URL/ok"'
        command = ["sh", "-c", script]
        assert record(bench, *command).stdout == "okok"
        requests = of_kind(bench.events(), "http_request")
        assert [one["data"]["url"] for one in requests] == [f"{server.url}/v1/ok"] * 2
    again = bench.run("replay", "t.jsonl", "--", *command)
    assert (again.status, again.stdout) == (0, "okok"), again.stderr


def test_pieces_pass_the_moment_they_come(bench, tls):
    """The client has the first one long before the server sends the second."""

    def slow(handler, asked):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"1", b"2"):
            handler.wfile.write(b"1\r\n%b\r\n" % piece)
            time.sleep(0.5)
        handler.wfile.write(b"0\r\n\r\n")

    code = (
        "import urllib.request as u, sys, time\nanswer = u.urlopen(sys.argv[1])\n"
        "began = time.monotonic()\n"
        "for _ in range(2): print(answer.read1(), round(time.monotonic() - began, 1))"
    )
    with tls({"/slow": slow}) as server:
        ended = record(bench, *UNHOOKED, code, f"{server.url}/slow")
    assert ended.stdout == "b'1' 0.0\nb'2' 0.5\n"


def test_hooked_pythons_do_not_go_through_it(bench, tls, sdk_python):
    """They tell themselves, and see the user's own environment; their children that no hook sees go through."""
    code = (
        "import os, subprocess, sys, urllib.request as u\n"
        "print([n for n in os.environ if n.lower().endswith('_proxy')], os.environ['SSL_CERT_FILE'])\n"
        "print(u.urlopen(sys.argv[1]).read())\n"
        "subprocess.run(['curl', '-sS', sys.argv[1]])\n"
    )
    with tls() as server:
        ended = record(bench, sdk_python, "-c", code, f"{server.url}/v1/ok")
        assert len(server.requests) == 2
    assert f"[] {bench.environment['SSL_CERT_FILE']}\nb'ok'" in ended.stdout, ended.stderr
    assert len(of_kind(bench.events(), "http_request")) == 2


def test_secrets_in_it_are_kept_out(bench, tls):
    """Of bodies, headers, URLs; and the proxy's own token, also where the command prints it."""
    code = (
        "import urllib.request as u, sys, os\nkey = os.environ['OPENAI_API_KEY']\n"
        "asked = u.Request(sys.argv[1] + '?token=planted-in-query', key.encode(),"
        " {'Authorization': 'Bearer ' + key})\n"
        "print(u.urlopen(asked).read(), os.environ['HTTPS_PROXY'])"
    )
    with tls() as server:
        ended = record(bench, *UNHOOKED, code, f"{server.url}/v1/ok")
    token = ended.stdout.partition("agenttrace:")[2].partition("@")[0]
    assert len(token) == 32
    text = (bench.folder / "t.jsonl").read_text()
    for secret in (token, bench.environment["OPENAI_API_KEY"], "planted-in-query"):
        assert secret not in text


def test_strangers_are_refused(bench, tls):
    """Without the run's token nothing passes: 407."""
    code = (
        "import http.client, os, sys\nfrom urllib.parse import urlsplit\n"
        "ours = urlsplit(os.environ['HTTPS_PROXY'])\n"
        "for method, target in (('CONNECT', sys.argv[2]), ('GET', 'http://' + sys.argv[2] + '/')):\n"
        "    for login in (None, 'Basic eDp5', 'Basic !', 'Bearer ' + ours.password):\n"
        "        asking = http.client.HTTPConnection(ours.hostname, ours.port)\n"
        "        asking.putrequest(method, target)\n"
        "        if login: asking.putheader('Proxy-Authorization', login)\n"
        "        asking.endheaders(); print(asking.getresponse().status)\n"
    )
    with tls() as server:
        ended = record(bench, *UNHOOKED, code, server.url, f"127.0.0.1:{server.port}")
    assert ended.stdout == "407\n" * 8
    assert server.connections == 0
    assert not of_kind(bench.events(), "http_request")


def test_a_certificate_of_nobody_is_refused(bench, tls):
    """The server's certificate is judged as the client would."""
    with tls() as server:
        del bench.environment["SSL_CERT_FILE"]
        code = (
            "import urllib.request as u, sys\ntry: u.urlopen(sys.argv[1])\n"
            "except u.HTTPError as error: print(error.code, error.read().decode())"
        )
        ended = record(bench, *UNHOOKED, code, f"{server.url}/v1/ok")
    assert ended.stdout.startswith("502 ")
    assert "its certificate was refused" in ended.stdout
    assert server.requests == []


@needs_curl
def test_a_client_that_pins_certificates_fails_and_is_told(bench, tls, certificate):  # noqa: F811
    """It trusts its own alone; NO_PROXY lets it through."""
    with tls() as server:
        curl = [CURL, "-sS", "--cacert", certificate, f"{server.url}/v1/ok"]
        ended = record(bench, *curl, status=60)
        assert server.requests == []
        (gap,) = gaps(bench)
        assert f"127.0.0.1:{server.port} is not recorded: the client refused" in gap
        bench.environment["NO_PROXY"] = "127.0.0.1"
        (bench.folder / "t.jsonl").unlink()
        ended = record(bench, *curl)
    assert ended.stdout == "ok"


def test_the_users_own_proxy_is_the_next_one(bench, tls, proxy_before):  # noqa: F811
    """TLS goes on through its tunnel; what isn't recorded stays as the user had it."""
    with tls() as server:
        proxy = proxy_before(server)
        bench.environment["HTTPS_PROXY"] = proxy.url
        ended = record(bench, *UNHOOKED, URLLIB, f"{server.url}/v1/ok")
    assert ended.stdout == "ok\n"
    assert proxy.asked[0] == f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"


TUNNELS = """
import base64, os, socket, sys
from urllib.parse import urlsplit
ours = urlsplit(os.environ["HTTPS_PROXY"])
login = base64.b64encode(f"{ours.username}:{ours.password}".encode()).decode()
peer = socket.create_connection((ours.hostname, ours.port))
for line in (f"CONNECT {sys.argv[1]} HTTP/1.1", "Host: x", f"Proxy-Authorization: Basic {login}", ""):
    peer.sendall(f"{line}\\r\\n".encode())
print(peer.recv(4096).split(b"\\r\\n")[0])
"""


@pytest.mark.parametrize("who", ["client", "server"])
def test_what_is_no_tls_is_tunnelled_and_told(bench, who):
    """Whoever speaks first."""
    code = TUNNELS + (
        "peer.sendall(b'HELO\\n'); print(peer.recv(10))"
        if who == "client"
        else "print(peer.recv(10)); peer.sendall(b'BYE\\n')"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            peer, _ = listener.accept()
            with peer:
                if who == "client":
                    peer.recv(10)
                peer.sendall(b"EHLO\n")
                peer.recv(10)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        ended = record(bench, *UNHOOKED, code, place)
        thread.join(5)
    assert ended.stdout == "b'HTTP/1.1 200 Connection established'\nb'EHLO\\n'\n"
    (gap,) = gaps(bench)
    assert gap == f"what passed the proxy to {place} is not recorded: it is no HTTP"
    again = bench.run("replay", "t.jsonl", "--", *UNHOOKED, code, place)
    assert f"{place}" in again.stderr
    assert "EHLO" not in again.stdout


def test_what_speaks_only_http2_is_tunnelled_and_told(bench, tls):
    """As gRPC does: it would fail, and does not."""
    code = TUNNELS + (
        "import ssl\ncontext = ssl.create_default_context()\ncontext.set_alpn_protocols(['h2'])\n"
        "peer = context.wrap_socket(peer, server_hostname='127.0.0.1')\n"
        "print(peer.getpeercert()['subject'][0][0][1])"
    )
    with tls() as server:
        ended = record(bench, *UNHOOKED, code, f"127.0.0.1:{server.port}")
    assert "agenttrace-test" in ended.stdout  # the server's own certificate
    (gap,) = gaps(bench)
    assert gap.endswith("is not recorded: it speaks only h2")


def test_websockets_are_passed_on(bench, tls, sdk_python):
    """The exchange that opens one is recorded; that its messages are not, is told."""

    def echo(handler, asked):
        handler.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        )
        handler.wfile.write(handler.rfile.read(4) + b"!")
        handler.close_connection = True

    code = TUNNELS + (
        "import ssl\npeer = ssl.create_default_context().wrap_socket(peer, server_hostname='127.0.0.1')\n"
        "peer.sendall(b'GET /ws HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n')\n"
        "answer = b''\n"
        "while b'\\r\\n\\r\\n' not in answer: answer += peer.recv(4096)\n"
        "peer.sendall(b'ping'); print(answer.split(b' ')[1], peer.recv(5))"
    )
    with tls({"/ws": echo}) as server:
        ended = record(bench, *UNHOOKED, code, f"127.0.0.1:{server.port}")
        ((_, _, headers, _),) = server.requests
    assert "b'101' b'ping!'" in ended.stdout, ended.stderr
    assert ("Upgrade", "websocket") in headers
    assert ("Host", "x") in headers
    (response,) = of_kind(bench.events(), "http_response")
    assert response["data"]["http"]["status"] == 101
    (gap,) = gaps(bench)
    assert "messages of a websocket" in gap


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_node_trusts_the_run_s_authority(bench, tls):
    """NODE_EXTRA_CA_CERTS is heeded by every Node; HTTPS_PROXY by newer ones alone."""
    code = (
        "const u = new URL(process.env.HTTPS_PROXY), http = require('http'), https = require('https');"
        "const auth = 'Basic ' + Buffer.from(u.username + ':' + u.password).toString('base64');"
        "http.request({host: u.hostname, port: u.port, method: 'CONNECT', path: process.argv[1],"
        " headers: {'Proxy-Authorization': auth}}).on('connect', (_, socket) =>"
        " https.get({host: '127.0.0.1', path: '/v1/ok', socket, agent: false}, r => r.pipe(process.stdout))).end()"
    )
    with tls() as server:
        ended = record(bench, "node", "-e", code, f"127.0.0.1:{server.port}")
    assert ended.stdout == "ok", ended.stderr
    assert len(of_kind(bench.events(), "http_request")) == 1


def test_the_authority_ends_with_the_run(bench, tls, certificate):  # noqa: F811
    """Its certificate is in the run's folder alone, its key in no file."""
    code = (
        "import os\nname = os.environ['CURL_CA_BUNDLE']\nfolder = os.path.dirname(name)\n"
        "print(name, oct(os.stat(folder).st_mode & 0o777))\n"
        "print(sum('PRIVATE KEY' in open(one.path).read() for one in os.scandir(folder) if one.is_file()))\n"
        "print(sum('CERTIFICATE' in line for line in open(name)))"
    )
    ended = record(bench, *UNHOOKED, code)
    name, mode, keys, lines = ended.stdout.split()
    assert (mode, keys, lines) == ("0o700", "0", "4")
    assert not os.path.exists(os.path.dirname(name))


def test_without_its_package_it_is_wrong_usage(bench, monkeypatch):
    """One line that says what to install, and status 2; a trace that needs it can't be replayed then."""
    (bench.folder / "cryptography.py").write_text("raise ImportError")
    hide = "import importlib.util as u, sys; f = u.find_spec\n"
    hide += "u.find_spec = lambda name, *a: None if name == 'cryptography' else f(name, *a)\n"
    run = hide + "from agenttrace.cli import main; sys.exit(main())"
    asked = [sys.executable, "-c", run, "record", "--proxy", "--", "true"]
    ended = subprocess.run(
        asked, env=bench.environment, cwd=bench.folder, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr.count("\n") <= 2) == (2, True), ended.stderr
    assert "pip install 'agenttrace-cli[proxy]'" in ended.stderr


def test_it_needs_http(bench):
    """--no-http is the opposite."""
    assert bench.run("record", "--proxy", "--no-http", "--", "true").status == 2
