"""Websockets through the proxy: the exchange that opens one is told of, its messages are passed on as they are."""

from __future__ import annotations

import asyncio
from typing import Any, Callable

import h11

from agenttrace.capture.exchange import Exchange
from agenttrace.gateway.client import READ_BYTES, Client, told_pairs
from agenttrace.gateway.connections import UpstreamConnection, connect
from agenttrace.gateway.doors import Pairs
from agenttrace.gateway.upstreams import Upstream

# A reader, a writer, and what was read of the reader already.
Side = tuple[Any, Any, bytes]


async def pass_upgrade(
    client: Client,
    request: h11.Request,
    upstream: Upstream,
    target: str,
    told: Exchange,
    opened: Callable[[Upstream], None],
) -> None:
    """To the end of the websocket. opened: called if there is one. UpstreamError; ClientGone."""
    while not isinstance(await client.receive(), h11.EndOfMessage):
        pass
    told.request(b"")
    connection = await connect(upstream)
    try:
        headers = _passed(request.headers)
        if connection.proxy is not None:
            target, headers = upstream.url(target), headers + connection.proxy.headers
        start = h11.Request(method=request.method, target=target.encode("latin-1"), headers=headers)
        data = connection.protocol.send(start) or b""
        await connection.write(data + (connection.protocol.send(h11.EndOfMessage()) or b""))
        if await _answer(client, connection, told):
            opened(upstream)
            await relay(client.switched(), connection.switched())
    finally:
        connection.close()


async def _answer(client: Client, connection: UpstreamConnection, told: Exchange) -> bool:
    """Hands the server's answer on; whether it has switched."""
    while True:
        event = await connection.receive()
        if isinstance(event, (h11.InformationalResponse, h11.Response)):
            status, headers = event.status_code, _passed(event.headers)
            if isinstance(event, h11.Response) or status == 101:
                told.response(status, told_pairs(headers))
            kind = type(event)
            if status == 101:
                told.end()
            await client.send(kind(status_code=status, headers=headers, reason=event.reason))
            if status == 101:
                return True
        elif isinstance(event, h11.Data):
            told.chunk(event.data)
            await client.send(event)
        elif isinstance(event, h11.EndOfMessage):
            told.end()
            await client.send(event)
            return False
        else:
            return False  # it hung up: what was not ended is told as cut


def _passed(headers: h11._headers.Headers) -> Pairs:
    return [
        (name, value)
        for name, value in headers.raw_items()
        if not name.lower().startswith(b"proxy-")
    ]


async def relay(one: Side, other: Side) -> None:
    """Passes bytes both ways until both sides have ended, or one broke."""
    tasks = [
        asyncio.ensure_future(_copy(one[0], other[1], one[2])),
        asyncio.ensure_future(_copy(other[0], one[1], other[2])),
    ]
    try:
        await asyncio.gather(*tasks)
    except OSError:
        pass  # the other side is closed below
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _, writer, _ in (one, other):
            writer.close()


async def _copy(reader: Any, writer: Any, first: bytes) -> None:
    data = first or await reader.read(READ_BYTES)
    while data:
        writer.write(data)
        await writer.drain()
        data = await reader.read(READ_BYTES)
    if writer.can_write_eof():
        writer.write_eof()
