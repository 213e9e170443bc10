"""What a request that came in asks for: a server that a variable leads to, or, of the proxy, any."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import NamedTuple, Optional, Protocol, Union
from urllib.parse import urlsplit

import h11

from agenttrace.gateway.upstreams import DEFAULT_PORTS, PROXY_USER, Plan, Upstream

Pairs = list[tuple[bytes, bytes]]


class Asked(NamedTuple):
    """target: what is asked there. passes_upgrades: whether a websocket may be opened."""

    upstream: Upstream
    target: str
    passes_upgrades: bool = False


class Refusal(NamedTuple):
    """An answer of our own."""

    status: int
    text: str
    headers: Pairs = []  # noqa: RUF012 - not changed


class Door(Protocol):
    """Decides for one connection."""

    def asked(self, request: h11.Request) -> Union[Asked, Refusal]:
        """What the request is for."""


class GatewayDoor:
    """Takes requests whose path has the run's token and the name of an upstream."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._authority = b"127.0.0.1:%d" % plan.port

    def asked(self, request: h11.Request) -> Union[Asked, Refusal]:
        """A web page can make a browser send requests here, under a name of its own too; neither gets through."""
        headers = dict(request.headers)
        if headers.get(b"host", b"") != self._authority:
            return Refusal(403, "the Host header names another server")
        if b"origin" in headers:
            return Refusal(403, "requests of web pages are refused")
        _, _, rest = request.target.partition(b"/")
        token, _, rest = rest.partition(b"/")
        if request.target[:1] != b"/" or not hmac.compare_digest(token, self._plan.token.encode()):
            return Refusal(404, "there is nothing here")
        text = rest.decode("latin-1")
        end = min((at for at in (text.find("/"), text.find("?")) if at >= 0), default=len(text))
        upstream = self._plan.upstreams.get(text[:end])
        if upstream is None:
            return Refusal(404, "there is nothing here")
        return Asked(upstream, upstream.target(text[end:]))


class ProxyDoor:
    """Takes requests for whole URLs, and for tunnels, of clients that show the token; others are the gateway's."""

    def __init__(self, plan: Plan) -> None:
        self._gateway = GatewayDoor(plan)
        self._own = ("127.0.0.1", plan.port)
        self._token = plan.token

    def asked(self, request: h11.Request) -> Union[Asked, Refusal]:
        """A request for a URL of ours is one to the gateway: no client need know that it takes no proxy."""
        if request.target[:7].lower() != b"http://":
            return self._gateway.asked(request)
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        url = request.target.decode("latin-1")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            host = None
        if not host:
            return Refusal(400, "the URL can't be read")
        target = url[len("http://") + len(parts.netloc) :].partition("#")[0]
        target = target if target.startswith("/") else "/" + target
        if (host, port) == self._own:
            own = h11.Request(method=request.method, target=target, headers=request.headers)
            return self._gateway.asked(own)
        return Asked(_upstream("http", host, port), target, True)

    def place(self, request: h11.Request) -> Union[tuple[str, int], Refusal]:
        """Host and port that a tunnel is to lead to."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        host, _, port = request.target.decode("latin-1").rpartition(":")
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
            return Refusal(400, "CONNECT needs a host and a port")
        return host.lower(), int(port)

    def _refusal(self, request: h11.Request) -> Optional[Refusal]:
        given = dict(request.headers).get(b"proxy-authorization", b"")
        kind, _, login = given.partition(b" ")
        try:
            user, _, token = base64.b64decode(login.strip(), validate=True).partition(b":")
        except binascii.Error:
            user = token = b""
        is_right = hmac.compare_digest(token, self._token.encode())
        if kind.lower() == b"basic" and user == PROXY_USER.encode() and is_right:
            return None
        asks = [(b"Proxy-Authenticate", b'Basic realm="agenttrace"')]
        return Refusal(407, "this proxy serves the recorded command alone", asks)


class TunnelDoor:
    """Takes whatever comes through a tunnel to one server."""

    def __init__(self, scheme: str, host: str, port: int) -> None:
        self._upstream = _upstream(scheme, host, port)

    def asked(self, request: h11.Request) -> Union[Asked, Refusal]:
        """For that server."""
        return Asked(self._upstream, request.target.decode("latin-1"), True)


def _upstream(scheme: str, host: str, port: int) -> Upstream:
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port == DEFAULT_PORTS[scheme] else f"{shown}:{port}"
    return Upstream(f"{scheme}://{authority}", scheme, host, port, authority, keeps_host=True)
