"""Hands requests on to their upstreams and answers back, byte for byte and at once, and tells the collector of each."""

from __future__ import annotations

import asyncio
from typing import Any

import h11

from agenttrace.capture import frames
from agenttrace.capture.channel import Channel
from agenttrace.capture.exchange import Exchange
from agenttrace.gateway.client import Client, ClientGone, end_to_end, told_pairs
from agenttrace.gateway.connections import UpstreamConnection, UpstreamError, connect
from agenttrace.gateway.upgrading import pass_upgrade
from agenttrace.gateway.upstreams import Upstream


class Cut(Exception):
    """The run ended before the answer did."""


class Forwarder:
    """Of one client's connection. It has its own connections to upstreams: what the client's pool does with ours, ours
    does with the upstream's, so that no request is ever sent twice.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._connections: dict[str, UpstreamConnection] = {}

    async def serve(
        self, client: Client, request: h11.Request, upstream: Upstream, target: str
    ) -> None:
        """One exchange. ClientGone if the client has not got the whole answer."""
        passing = _Passing(
            client, request, upstream, target, self._told(request, upstream.url(target))
        )
        try:
            connection = self._connections.pop(upstream.name, None)
            if connection is not None and not await connection.is_usable():
                connection.close()
                connection = None
            if connection is None:
                connection = await connect(upstream)
            await passing.run(connection)
            self._connections[upstream.name] = connection
        except UpstreamError as error:
            await passing.fail(error)
        except asyncio.CancelledError:
            passing.told.end(False, Cut("the run ended before the answer was complete"))
            raise
        except Exception as error:
            passing.told.end(False, error)
            raise

    async def upgrade(
        self, client: Client, request: h11.Request, upstream: Upstream, target: str
    ) -> None:
        """Opens a websocket and passes it on; what it says is not told, and that is."""
        told = self._told(request, upstream.url(target))
        try:
            await pass_upgrade(client, request, upstream, target, told, self._tell_websocket)
        except UpstreamError as error:
            told.end(False, error)
            await client.respond_error(502, f"{upstream.authority}: {error}", [])
        except Exception as error:
            told.end(False, error)
            raise
        finally:
            told.end(False)

    def decline(self, request: h11.Request, url: str, status: int, body: bytes) -> None:
        """Told as an exchange, though it went nowhere."""
        told = self._told(request, url)
        told.request(b"")
        told.response(status, [["content-type", "application/json"]])
        told.chunk(body)
        told.end()

    def _tell_websocket(self, upstream: Upstream) -> None:
        unseen = (
            f"messages of a websocket to {upstream.authority} are not recorded: it passed the proxy"
        )
        self._channel.send({"op": "gap", "reason": unseen})

    def _told(self, request: h11.Request, url: str) -> Exchange:
        headers = told_pairs(end_to_end(request.headers))
        return Exchange(self._channel, request.method.decode("ascii"), url, headers)

    def close(self) -> None:
        """The client is gone: so are its connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()


class _Passing:
    """One request on its way to the upstream, and the answer on its way back; both at a time, if they want to."""

    def __init__(
        self, client: Client, request: h11.Request, upstream: Upstream, target: str, told: Exchange
    ) -> None:
        self._client = client
        self._request = request
        self._upstream = upstream
        self._target = target
        self.told = told
        self._body = bytearray()
        self._body_bytes = 0
        length = dict(request.headers).get(b"content-length")
        self._length = int(length) if length is not None else None
        self._host = None if upstream.keeps_host else upstream.authority.encode()
        self._has_answer = False
        self._is_stale = False

    async def run(self, connection: UpstreamConnection) -> None:
        """UpstreamError if it broke off; ClientGone."""
        tasks = [
            asyncio.ensure_future(self._send(connection)),
            asyncio.ensure_future(self._answer(connection)),
        ]
        sending, answering = tasks
        is_whole = False
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
            await answering
            is_whole = True
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._is_stale = connection.has_served and not self._has_answer
            connection.has_served = True
            if not is_whole:
                connection.close()

    async def fail(self, error: UpstreamError) -> None:
        """Tells both sides. Where a kept connection went stale the client decides, as it would without us."""
        await self._read_rest()
        self._tell_request()
        self.told.end(False, error)
        if self._has_answer or self._is_stale:
            self._client.cut()
            raise ClientGone
        await self._client.respond_error(502, f"{self._upstream.authority}: {error}", [])

    # -- to the upstream ---------------------------------------------------------------------

    async def _send(self, connection: UpstreamConnection) -> None:
        """Sends the request as it comes, then watches for a client that hangs up."""
        try:
            data = connection.protocol.send(self._outgoing(connection)) or b""
            is_complete = False
            while not is_complete:
                event: Any = self._client.waiting()
                if event is h11.NEED_DATA:
                    await connection.write(data)
                    data = b""
                    event = await self._client.receive()
                if isinstance(event, h11.Data):
                    self._keep(event.data)
                    data += connection.protocol.send(event) or b""
                    is_told = self._body_bytes == self._length
                else:
                    trailers = end_to_end(event.headers) if self._length is None else []
                    data += connection.protocol.send(h11.EndOfMessage(headers=trailers)) or b""
                    is_told = is_complete = True
                if is_told:
                    self._tell_request()  # before its last byte goes out
                await connection.write(data)
                data = b""
        except OSError:
            return  # the upstream takes no more; it may have answered nevertheless
        await self._client.hang_up()

    def _outgoing(self, connection: UpstreamConnection) -> h11.Request:
        pairs = end_to_end(self._request.headers, [b"expect"])
        headers = [
            (name, self._host or value if name.lower() == b"host" else value)
            for name, value in pairs
        ]
        if self._is_chunked():
            headers = [pair for pair in headers if pair[0].lower() != b"content-length"]
            headers.append((b"Transfer-Encoding", b"chunked"))
        target = self._target
        if connection.proxy is not None:
            target = self._upstream.url(target)
            headers += connection.proxy.headers
        return h11.Request(
            method=self._request.method, target=target.encode("latin-1"), headers=headers
        )

    def _is_chunked(self) -> bool:
        return any(name == b"transfer-encoding" for name, _ in self._request.headers)

    def _keep(self, data: bytes) -> None:
        self._body_bytes += len(data)
        self._body += data[: frames.MAX_BODY_BYTES - len(self._body)]

    def _tell_request(self) -> None:
        self.told.request(bytes(self._body), self._body_bytes)

    async def _read_rest(self) -> None:
        """The rest of a request that can't be sent: an answer is read when the client has sent it all."""
        event: Any = None
        while self._client.is_sending() and not isinstance(event, h11.EndOfMessage):
            event = await self._client.receive()
            if isinstance(event, h11.Data):
                self._keep(event.data)

    # -- to the client -----------------------------------------------------------------------

    async def _answer(self, connection: UpstreamConnection) -> None:
        """What has come is told, then sent on in one write: at once, and the last byte not before its end is told."""
        is_over = False
        while not is_over:
            event = await connection.receive()
            answers: list[h11.Event] = []
            try:
                while event is not h11.NEED_DATA and not is_over:
                    answers += self._told_answer(event)
                    is_over = isinstance(event, h11.EndOfMessage)
                    event = h11.NEED_DATA if is_over else connection.waiting()
            except UpstreamError:
                await self._client.send(*answers)
                raise
            await self._client.send(*answers)

    def _told_answer(self, event: Any) -> list[h11.Event]:
        """What the client gets of this event."""
        if isinstance(event, h11.InformationalResponse):
            if event.status_code == 100 or self._request.http_version < b"1.1":
                return []
            pairs = end_to_end(event.headers)
            return [h11.InformationalResponse(status_code=event.status_code, headers=pairs)]
        if isinstance(event, h11.Response):
            return [self._begin_answer(event)]
        if isinstance(event, h11.Data):
            self.told.chunk(event.data)
            return [event]
        if isinstance(event, h11.EndOfMessage):
            self.told.end()
            return [h11.EndOfMessage(headers=end_to_end(event.headers))]
        raise UpstreamError("the server closed the connection")

    def _begin_answer(self, event: h11.Response) -> h11.Response:
        self._has_answer = True
        is_chunked = any(name == b"transfer-encoding" for name, _ in event.headers)
        pairs = end_to_end(event.headers, [b"content-length"] if is_chunked else [])
        self._tell_request()  # where the answer came first
        self.told.response(event.status_code, told_pairs(pairs))
        return h11.Response(status_code=event.status_code, headers=pairs, reason=event.reason)
