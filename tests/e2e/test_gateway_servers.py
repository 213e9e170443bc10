"""How the gateway reaches servers: by TLS, and through the proxy that the environment names."""

from __future__ import annotations

import select
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from .conftest import of_kind
from .plain_server import PlainServer, says
from .unhooked import lead_to, record

OK = {"/v1/ok": says(b"HTTP/1.1 200 OK\nContent-Length: 2", b"ok")}
ASK = """
answer = ask(connect(), "/ok")
print(answer.status, answer.read().decode())
"""


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> str:
    """A file with a key and a certificate of 127.0.0.1 that signs itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=agenttrace-test",
    ]
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key", "-out", "cert"]
    subprocess.run([*make, *more], cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes((folder / "key").read_bytes() + (folder / "cert").read_bytes())
    return str(both)


def tls_server(certificate: str) -> PlainServer:
    """A server behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return PlainServer(OK, context)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"])
def test_tls_by_the_authorities_of_the_environment(bench, certificate, variable):
    """Python's own variable, and those of the clients that the gateway stands before."""
    bench.environment[variable] = certificate
    with tls_server(certificate) as server:
        lead_to(bench, server)
        assert record(bench, ASK).stdout == "200 ok\n"
    (request,) = of_kind(bench.events(), "http_request")
    assert request["data"]["url"] == f"{server.url}/v1/ok"


def test_a_certificate_of_nobody_is_refused(bench, certificate):
    """Nothing is sent; the client and the trace are told why."""
    with tls_server(certificate) as server:
        lead_to(bench, server)
        stdout = record(bench, ASK).stdout
    assert stdout.startswith("502 ")
    assert "its certificate was refused: self" in stdout
    assert server.requests == []
    (response,) = of_kind(bench.events(), "http_response")
    assert "certificate" in response["data"]["error"]["message"]


class Proxy:
    """A proxy for CONNECT and for whole URLs of one server. `asked`: the first lines and logins of its requests."""

    def __init__(self, server_port: int) -> None:
        self.asked: list[str] = []
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://me:pass@127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:
            return
        head = b""
        while b"\r\n\r\n" not in head:
            head += peer.recv(65536)
        lines = head.decode().split("\r\n")
        self.asked = [lines[0], *[line for line in lines if line.startswith("Proxy-")]]
        with peer, socket.create_connection(("127.0.0.1", self._server_port)) as server:
            if lines[0].startswith("CONNECT"):
                peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                method, url, version = lines[0].split(" ")
                lines[0] = f"{method} /{url.split('/', 3)[3]} {version}"
                server.sendall("\r\n".join(lines).encode())
            while True:
                for ready in select.select([peer, server], [], [])[0]:
                    try:
                        data = ready.recv(65536)
                    except ConnectionResetError:
                        return
                    if not data:
                        return
                    (server if ready is peer else peer).sendall(data)


@pytest.fixture
def proxy_before():
    """Makes proxies, and closes them."""
    made: list[Proxy] = []

    def make(server: PlainServer) -> Proxy:
        made.append(Proxy(server.port))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


def test_a_proxy_is_asked_for_whole_urls(bench, proxy_before):
    """http through HTTP_PROXY, with its login, which stays between the two; the client comes straight to us."""
    with PlainServer(OK) as server:
        lead_to(bench, server)
        proxy = proxy_before(server)
        bench.environment["http_proxy"] = proxy.url
        assert record(bench, ASK).stdout == "200 ok\n"
    assert proxy.asked == [
        f"GET {server.url}/v1/ok HTTP/1.1",
        "Proxy-Authorization: Basic bWU6cGFzcw==",
    ]


def test_tls_goes_through_a_tunnel(bench, certificate, proxy_before):
    """https through HTTPS_PROXY: the proxy sees the place alone."""
    bench.environment["SSL_CERT_FILE"] = certificate
    with tls_server(certificate) as server:
        lead_to(bench, server)
        proxy = proxy_before(server)
        bench.environment["HTTPS_PROXY"] = proxy.url
        assert record(bench, ASK).stdout == "200 ok\n"
    assert proxy.asked[0] == f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"


def test_servers_that_need_no_proxy_get_none(bench):
    """NO_PROXY is heeded."""
    bench.environment.update(http_proxy="http://127.0.0.1:9", no_proxy="127.0.0.1")
    with PlainServer(OK) as server:
        lead_to(bench, server)
        assert record(bench, ASK).stdout == "200 ok\n"
