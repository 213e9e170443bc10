"""A client's connection to the gateway: requests in, refused or served one after another, answers out."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from typing import Any, Optional, Protocol, Union

import h11

from agenttrace.gateway.doors import Door, Pairs, Refusal
from agenttrace.gateway.half_closed import is_listening
from agenttrace.gateway.tls import TlsStream
from agenttrace.gateway.upstreams import Upstream

READ_BYTES = 1 << 16
MAX_HEAD_BYTES = 1 << 18
_LINGER_S = 0.5
_LISTENING_CHECK_S = 0.1

# Of one connection, not of what passes (RFC 9110, 7.6.1); `expect` is answered here.
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authorization proxy-authenticate"
    b" te transfer-encoding upgrade".split()
)
# Without these it is another message, whatever its Connection header says.
_OF_THE_MESSAGE = frozenset((b"content-length", b"host"))


class ClientGone(Exception):
    """The client hung up before it had its answer."""

    def __init__(self) -> None:
        super().__init__("the client closed the connection before the answer was complete")


class Backend(Protocol):
    """What a served request is handed to: the upstream itself, or a recording. One for each connection."""

    async def serve(
        self, client: Client, request: h11.Request, upstream: Upstream, target: str
    ) -> None:
        """Reads the request's body off the client and answers it."""

    def decline(self, request: h11.Request, url: str, status: int, body: bytes) -> None:
        """A request for an upstream that is answered here, with this."""

    async def upgrade(
        self, client: Client, request: h11.Request, upstream: Upstream, target: str
    ) -> None:
        """Opens a websocket, or says that there is none."""

    def close(self) -> None:
        """The client is gone."""


class Reader(Protocol):
    """As much of an asyncio.StreamReader as is needed."""

    async def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


class Tunnels(Protocol):
    """Serves what comes through tunnels."""

    def place(self, request: h11.Request) -> Union[tuple[str, int], Refusal]:
        """Where a tunnel is to lead."""

    async def serve(
        self, place: tuple[str, int], reader: Reader, writer: Writer, received: bytes
    ) -> None:
        """One tunnel, to its end. received: what came through it already."""


Writer = Union[asyncio.StreamWriter, TlsStream]


class Client:
    """One connection. Backends read the request's body by `receive` and answer by `send`."""

    def __init__(
        self,
        door: Door,
        backend: Backend,
        reader: Reader,
        writer: Writer,
        tunnels: Optional[Tunnels] = None,
    ) -> None:
        """tunnels: who serves those that the client asks for; None: it gets none."""
        self._door = door
        self._tunnels = tunnels
        self._backend = backend
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self.is_between_requests = True
        self._unread: deque[h11.Event] = deque()

    async def run(self) -> None:
        """Serves requests until one side closes."""
        try:
            while await self._serve_next():
                self._protocol.start_next_cycle()
        except (ClientGone, OSError):
            pass  # cut: the backend has told it, and the client sees it by the connection's end
        except h11.RemoteProtocolError as error:
            await self._say(error.error_status_hint, f"the request can't be read: {error}")
        finally:
            self._backend.close()
            await self._close()

    async def _serve_next(self) -> bool:
        """Serves one request; whether another may follow on this connection."""
        self.is_between_requests = True
        request = await self.receive()
        self.is_between_requests = False
        if not isinstance(request, h11.Request):
            return False
        if request.method == b"CONNECT" and self._tunnels is not None:
            await self._open_tunnel(self._tunnels, request)
            return False
        asked = self._door.asked(request)
        if isinstance(asked, Refusal):
            await self._say(*asked)
            return False
        upstream, target, passes_upgrades = asked
        if _is_websocket(request):
            if passes_upgrades:
                await self._backend.upgrade(self, request, upstream, target)
            else:
                text = "websockets can't be recorded here; use plain HTTP"
                self._backend.decline(request, upstream.url(target), 426, _error_body(text))
                await self._say(426, text, [(b"Upgrade", b"HTTP/1.1")])
            return False
        if self._protocol.they_are_waiting_for_100_continue:
            await self.send(h11.InformationalResponse(status_code=100, headers=[]))
        await self._backend.serve(self, request, upstream, target)
        return self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE

    async def _open_tunnel(self, tunnels: Tunnels, request: h11.Request) -> None:
        place = tunnels.place(request)
        if isinstance(place, Refusal):
            await self._say(*place)
            return
        while not isinstance(await self.receive(), h11.EndOfMessage):
            pass
        await self.send(h11.Response(status_code=200, headers=[], reason="Connection established"))
        reader, writer, received = self.switched()
        await tunnels.serve(place, reader, writer, received)

    # -- for backends ------------------------------------------------------------------------

    def is_sending(self) -> bool:
        """Whether the request's body is not complete yet."""
        return bool(self._unread) or self._protocol.their_state is h11.SEND_BODY

    def waiting(self) -> Any:
        """The next event of the request that has been received already; h11.NEED_DATA if there is none."""
        return self._unread.popleft() if self._unread else self._protocol.next_event()

    def unread(self, *events: h11.Event) -> None:
        """These events of the request are received once more."""
        self._unread.extend(events)

    async def receive(self) -> Any:
        """The next event of the request. ClientGone if the connection ends in the middle."""
        while True:
            event = self.waiting()
            if event is not h11.NEED_DATA:
                return event
            data = await self._read()
            if not data and not self.is_between_requests:
                raise ClientGone
            self._protocol.receive_data(data)

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(READ_BYTES)
        except OSError:  # a reset is an end, too
            return b""

    def switched(self) -> tuple[Reader, Writer, bytes]:
        """What the connection is made of, and what came already, once it speaks no HTTP any more."""
        return self._reader, self._writer, self._protocol.trailing_data[0]

    async def hang_up(self) -> None:
        """Waits, once the request is complete, for the client to hang up: ClientGone when it has.

        One that only stops sending (`nc -N`) still waits for its answer.
        """
        while not self._protocol.trailing_data[0]:
            data = await self._read()
            if not data:
                while is_listening(self._writer.transport):
                    await asyncio.sleep(_LISTENING_CHECK_S)
                raise ClientGone
            self._protocol.receive_data(data)
        await asyncio.Event().wait()

    async def send(self, *events: h11.Event) -> None:
        """Sends parts of the answer, at once. ClientGone if there is nobody to take them."""
        data = b"".join([self._protocol.send(event) or b"" for event in events])
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            raise ClientGone from None

    async def respond(self, status: int, headers: Pairs, body: bytes) -> None:
        """A whole answer."""
        headers = [*headers, (b"Content-Length", b"%d" % len(body))]
        start = h11.Response(status_code=status, headers=headers)
        await self.send(start, h11.Data(data=body), h11.EndOfMessage())

    async def respond_error(self, status: int, text: str, headers: Pairs) -> None:
        """An answer of our own, which says so. Clients show its message."""
        await self.respond(
            status, [*headers, (b"Content-Type", b"application/json")], _error_body(text)
        )

    # ----------------------------------------------------------------------------------------

    async def _say(self, status: int, text: str, headers: Pairs = []) -> None:  # noqa: B006 - not changed
        if self._protocol.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            try:
                await self.respond_error(status, text, [*headers, (b"Connection", b"close")])
            except ClientGone:
                return

    async def _close(self) -> None:
        """What was sent must not be lost to a reset because the client is still sending."""
        try:
            if self._writer.can_write_eof() and self._protocol.our_state is not h11.ERROR:
                self._writer.write_eof()
                await asyncio.wait_for(self._drop_rest(), _LINGER_S)
        except (OSError, asyncio.TimeoutError):
            pass  # gone, or it doesn't stop sending
        if self._protocol.our_state is h11.ERROR:
            self._writer.transport.abort()
        self._writer.close()

    async def _drop_rest(self) -> None:
        while await self._reader.read(READ_BYTES):
            pass

    def cut(self) -> None:
        """The answer can't go on: the client must see that it isn't complete."""
        self._protocol.send_failed()


def end_to_end(headers: h11._headers.Headers, drop: Iterable[bytes] = ()) -> Pairs:
    """The headers that go through, as they were spelled."""
    named = {
        name.strip().lower()
        for header, value in headers
        if header == b"connection"
        for name in value.split(b",")
    }
    left_out = _HOP_BY_HOP | (named - _OF_THE_MESSAGE) | frozenset(drop)
    return [(name, value) for name, value in headers.raw_items() if name.lower() not in left_out]


def told_pairs(pairs: Pairs) -> list[list[str]]:
    """Headers as frames have them."""
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in pairs]


def _is_websocket(request: h11.Request) -> bool:
    return any(
        name == b"upgrade" and value.strip().lower() == b"websocket"
        for name, value in request.headers
    )


def _error_body(text: str) -> bytes:
    message = f"AgentTrace's gateway: {text}"
    return json.dumps({"error": {"type": "agenttrace_gateway", "message": message}}).encode()
