"""What clients send through the proxy's tunnels: TLS is ended here, and the requests in it are served like any others;
what is no HTTP is passed on as it is, and told of as unseen.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any, Callable

import h11

from agenttrace.capture.channel import Channel
from agenttrace.gateway import tls
from agenttrace.gateway.authority import Authority
from agenttrace.gateway.client import READ_BYTES, Backend, Client, Reader, Writer
from agenttrace.gateway.connections import UpstreamError, open_tunnel
from agenttrace.gateway.doors import ProxyDoor, Refusal, TunnelDoor
from agenttrace.gateway.upgrading import relay

# A client of TLS or HTTP speaks first. One that doesn't may wait for a server that does.
_FIRST_LIMIT_S = 0.3
_METHODS = (b"GET ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"HEAD ", b"OPTIONS ")


class ProxyTunnels:
    """Of one run. make_backend: for a connection. is_replay: nothing is passed on unless the replay has gone live."""

    def __init__(
        self,
        door: ProxyDoor,
        authority: Authority,
        channel: Channel,
        make_backend: Callable[[], Backend],
        is_replay: bool,
    ) -> None:
        self._door = door
        self._authority = authority
        self._channel = channel
        self._make_backend = make_backend
        self._is_replay = is_replay
        self._told: set[tuple[str, str]] = set()

    def place(self, request: h11.Request) -> tuple[str, int] | Refusal:
        """Where a tunnel is to lead."""
        return self._door.place(request)

    async def serve(
        self,
        place: tuple[str, int],
        reader: Reader,
        writer: Writer,
        received: bytes,
    ) -> None:
        """One tunnel, which the client was told is open, to its end. received: what it sent already."""
        received = received or await self._first(reader)
        host, port = place
        if tls.is_hello(received):
            while len(received) < tls.hello_bytes(received):
                more = await reader.read(READ_BYTES)
                if not more:
                    return
                received += more
            protocols = tls.offered_protocols(received)
            if protocols and b"http/1.1" not in protocols:
                names = ", ".join(one.decode("ascii", "replace") for one in protocols)
                await self._pass(place, reader, writer, received, f"it speaks only {names}")
                return
            stream = await self._ended(place, reader, writer, received)
            if stream is not None:
                door = TunnelDoor("https", host, port)
                await Client(door, self._make_backend(), stream, stream).run()
        elif received.startswith(_METHODS):
            door, again = TunnelDoor("http", host, port), _Unread(reader, received)
            await Client(door, self._make_backend(), again, writer).run()
        else:
            await self._pass(place, reader, writer, received, "it is no HTTP")

    async def _first(self, reader: Reader) -> bytes:
        try:
            return await asyncio.wait_for(reader.read(READ_BYTES), _FIRST_LIMIT_S)
        except asyncio.TimeoutError:
            return b""

    async def _ended(
        self,
        place: tuple[str, int],
        reader: Reader,
        writer: Writer,
        received: bytes,
    ) -> tls.TlsStream | None:
        def refused(error: ssl.SSLError) -> None:
            why = (error.reason or str(error)).lower().replace("_", " ")
            self._tell(
                place,
                f"the client refused the certificate of the run's own authority ({why}); NO_PROXY={place[0]} leaves"
                " it out of the proxy",
            )

        stream = tls.TlsStream(reader, writer, self._authority.context(place[0]), received, refused)
        try:
            await stream.handshake()
        except OSError:
            return None
        return stream

    async def _pass(
        self,
        place: tuple[str, int],
        reader: Reader,
        writer: Writer,
        received: bytes,
        why: str,
    ) -> None:
        if self._is_replay and not await self._may_connect(place):
            return
        self._tell(place, why)
        try:
            onward_reader, onward = await open_tunnel(*place)
        except UpstreamError:
            return  # the client sees that the tunnel ends
        await relay((reader, writer, received), (onward_reader, onward, b""))

    async def _may_connect(self, place: tuple[str, int]) -> bool:
        try:
            asked: dict[str, Any] = {"op": "connecting", "address": f"{place[0]}:{place[1]}"}
            head, _ = await self._channel.ask_async(asked)
        except (OSError, json.JSONDecodeError):
            return False
        return bool(head["op"] == "live")

    def _tell(self, place: tuple[str, int], why: str) -> None:
        told = f"what passed the proxy to {place[0]}:{place[1]} is not recorded: {why}"
        if (place[0], told) not in self._told:
            self._told.add((place[0], told))
            self._channel.send({"op": "gap", "reason": told})


class _Unread:
    """A reader that gives again what was read."""

    def __init__(self, reader: Reader, received: bytes) -> None:
        self._reader = reader
        self._received = received

    async def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        if self._received:
            data, self._received = self._received[:size], self._received[size:]
            return data
        return await self._reader.read(size)
