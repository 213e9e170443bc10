"""Connections to upstreams: plain, by TLS, or through the proxy that the environment names."""

from __future__ import annotations

import asyncio
import base64
import functools
import os
import socket
import ssl
from typing import Any, Optional
from urllib.parse import unquote, urlsplit

import h11

from agenttrace.gateway.client import MAX_HEAD_BYTES, READ_BYTES
from agenttrace.gateway.upstreams import Upstream

# Where systems keep their certificate authorities, if Python was not built to know.
CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
# More authorities, as the clients that we stand before are told of them.
_CA_VARIABLES = ("NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
# Of the event loop: the reading begins; the loop looks at the socket; the reading ends.
_TURNS_TO_READ = 3


class UpstreamError(Exception):
    """The upstream can't be reached, or broke off."""


class UpstreamConnection:
    """One connection, kept for the next request of its client."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, proxy: Optional[Proxy]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self.proxy = proxy  # one that is asked for whole URLs
        self.has_served = False

    async def is_usable(self) -> bool:
        """Whether it can take another request. What the server said unasked is no answer to that one."""
        if await self._has_more():
            return False
        if self._reader.at_eof() or self._writer.is_closing() or self.protocol.trailing_data[0]:
            return False
        if self.protocol.our_state is h11.DONE and self.protocol.their_state is h11.DONE:
            self.protocol.start_next_cycle()
        return self.protocol.our_state is h11.IDLE

    async def _has_more(self) -> bool:
        """Whether the server has said something, or its end, since its answer was read."""
        reading = asyncio.ensure_future(self._reader.read(1))
        try:
            for _ in range(_TURNS_TO_READ):
                await asyncio.sleep(0)
            return reading.done()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def write(self, data: bytes) -> None:
        """Sends bytes, at once."""
        self._writer.write(data)
        await self._writer.drain()

    def waiting(self) -> Any:
        """The next event of the answer, if it was received already; h11.NEED_DATA if not."""
        try:
            return self.protocol.next_event()
        except h11.RemoteProtocolError as error:
            raise UpstreamError(str(error)) from None

    async def receive(self) -> Any:
        """The next event of the answer. UpstreamError if there is none."""
        while True:
            event = self.waiting()
            if event is not h11.NEED_DATA:
                return event
            try:
                data = await self._reader.read(READ_BYTES)
            except OSError as error:
                raise UpstreamError(_reason(error)) from None
            if not data and self.protocol.their_state is h11.SEND_RESPONSE:
                raise UpstreamError("the server closed the connection without an answer")
            self.protocol.receive_data(data)

    def switched(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        """What it is made of, and what came already, once it speaks no HTTP any more."""
        return self._reader, self._writer, self.protocol.trailing_data[0]

    def close(self) -> None:
        """At once: nothing waits to be sent."""
        self._writer.transport.abort()


class Proxy:
    """An HTTP proxy. headers: its login."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname:
            raise UpstreamError(f"proxies of the kind {parts.scheme}: are not supported")
        self.host, self.port = parts.hostname, parts.port or 80
        self.headers: list[tuple[bytes, bytes]] = []
        if parts.username:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self.headers = [(b"Proxy-Authorization", b"Basic " + base64.b64encode(login))]


async def connect(upstream: Upstream) -> UpstreamConnection:
    """A new connection. UpstreamError if it can't be made."""
    try:
        proxy = _proxy_for(upstream.scheme, upstream.host, upstream.port)
        context = _tls_context() if upstream.scheme == "https" else None
        if proxy is None:
            reader, writer = await asyncio.open_connection(
                upstream.host, upstream.port, ssl=context, happy_eyeballs_delay=0.25
            )
            return UpstreamConnection(reader, writer, None)
        if context is None:
            return UpstreamConnection(*await asyncio.open_connection(proxy.host, proxy.port), proxy)
        return await _through(proxy, upstream, context)
    except ssl.SSLCertVerificationError as error:
        hint = (
            "" if _tls_context().get_ca_certs() else "; there are no authorities: set SSL_CERT_FILE"
        )
        raise UpstreamError(f"its certificate was refused: {error.verify_message}{hint}") from None
    except OSError as error:
        raise UpstreamError(_reason(error)) from None


async def open_tunnel(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection for bytes that are no HTTP; through the proxy, where there is one for TLS. UpstreamError."""
    try:
        proxy = _proxy_for("https", host, port)
        if proxy is None:
            return await asyncio.open_connection(host, port, happy_eyeballs_delay=0.25)
        return await asyncio.open_connection(sock=await _tunnelled(proxy, host, port))
    except OSError as error:
        raise UpstreamError(_reason(error)) from None


async def _through(proxy: Proxy, upstream: Upstream, context: ssl.SSLContext) -> UpstreamConnection:
    tunnel = await _tunnelled(proxy, upstream.host, upstream.port)
    try:
        reader, writer = await asyncio.open_connection(
            sock=tunnel, ssl=context, server_hostname=upstream.host
        )
    except BaseException:
        tunnel.close()
        raise
    return UpstreamConnection(reader, writer, None)


async def _tunnelled(proxy: Proxy, host: str, port: int) -> socket.socket:
    """A tunnel through the proxy, which is asked on the bare socket: asyncio takes that over for TLS."""
    loop = asyncio.get_running_loop()
    address, *_ = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    tunnel = socket.socket(address[0], socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        tunnel.setblocking(False)
        await loop.sock_connect(tunnel, address[4])
        await _ask_for_tunnel(proxy, tunnel, f"{host}:{port}")
    except BaseException:
        tunnel.close()
        raise
    return tunnel


async def _ask_for_tunnel(proxy: Proxy, tunnel: socket.socket, place: str) -> None:
    loop = asyncio.get_running_loop()
    protocol = h11.Connection(h11.CLIENT)
    headers = [(b"Host", place.encode()), *proxy.headers]
    asked = h11.Request(method="CONNECT", target=place, headers=headers)
    await loop.sock_sendall(tunnel, protocol.send(asked) or b"")
    event: Any = h11.NEED_DATA
    while event is h11.NEED_DATA:
        protocol.receive_data(await loop.sock_recv(tunnel, READ_BYTES))
        try:
            event = protocol.next_event()
        except h11.RemoteProtocolError as error:
            raise UpstreamError(f"the proxy {proxy.host}:{proxy.port}: {error}") from None
    status = getattr(event, "status_code", 0)
    if not 200 <= status < 300:
        raise UpstreamError(f"the proxy {proxy.host}:{proxy.port} refused, with {status}")


def _proxy_for(scheme: str, host: str, port: int) -> Optional[Proxy]:
    if not any(name.lower().endswith("_proxy") and value for name, value in os.environ.items()):
        return None
    import urllib.request  # a third of what there is to load

    proxies = urllib.request.getproxies_environment()
    place = f"{host}:{port}"
    if urllib.request.proxy_bypass_environment(place, proxies):  # type: ignore[attr-defined]
        return None
    url = proxies.get(scheme) or proxies.get("all")
    return Proxy(url) if url else None


@functools.lru_cache(maxsize=1)
def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    known = ssl.get_default_verify_paths()
    if known.cafile is None and known.capath is None:
        for path in filter(os.path.exists, CA_FILES):
            context.load_verify_locations(path)
            break
    for path in filter(None, map(os.environ.get, _CA_VARIABLES)):
        if os.path.isfile(path):
            context.load_verify_locations(path)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
