"""In a replay: answers requests from the recording; nothing goes anywhere until the replay goes live."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Optional, Union

import h11

from agenttrace.capture import answer as answers
from agenttrace.capture import wire
from agenttrace.capture.channel import Channel
from agenttrace.gateway.client import Client, ClientGone, end_to_end, told_pairs
from agenttrace.gateway.forwarding import Forwarder
from agenttrace.gateway.upstreams import Upstream

# Clients that ask again after an error should not do so here: openai's and Anthropic's heed this.
_NO_RETRY = [(b"X-Should-Retry", b"false")]


class Answerer:
    """Of one client's connection."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._live = Forwarder(channel)
        self._declined: Optional[asyncio.Future[Any]] = None

    async def serve(
        self, client: Client, request: h11.Request, upstream: Upstream, target: str
    ) -> None:
        """One exchange. ClientGone where the recorded answer broke off."""
        body = bytearray()
        event: Any = await client.receive()
        while isinstance(event, h11.Data):
            body += event.data
            event = await client.receive()
        method, url = request.method.decode("ascii"), upstream.url(target)
        headers = told_pairs(end_to_end(request.headers))
        answer = await self._ask(method, url, headers, bytes(body))
        if answer is None:
            client.unread(h11.Data(data=bytes(body)), event)
            await self._live.serve(client, request, upstream, target)
        elif isinstance(answer, answers.Diverged):
            await client.respond_error(400, answer.message, _NO_RETRY)
        elif answer.status is not None:
            await self._give(client, answer, method)
        elif answer.error is not None and answer.error["type"] == "UpstreamError":
            text = f"{upstream.authority}: {answer.error['message']}"
            await client.respond_error(502, text, [])
        else:
            client.cut()
            raise ClientGone

    async def _ask(
        self, method: str, url: str, headers: list[list[str]], body: bytes
    ) -> Union[answers.Answer, answers.Diverged, None]:
        """None: the real server is to be asked."""
        try:
            answer: Optional[answers.Answer] = await answers.ask_async(
                self._channel, method, url, headers, body
            )
            return answer
        except answers.Diverged as diverged:  # it ends a process of the agent, not this one
            return diverged

    async def _give(self, client: Client, answer: answers.Answer, method: str) -> None:
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers
            if name.lower() not in wire.FRAMING_HEADERS
        ]
        pieces = [] if wire.is_bodiless(method, answer.status) else answer.pieces
        if len(pieces) <= 1 and answer.error is None:
            headers.append((b"Content-Length", b"%d" % sum(map(len, pieces))))
        await client.send(
            h11.Response(status_code=answer.status, headers=headers, reason=_reason(answer.status))
        )
        if pieces:
            async for piece in answer.deliver_async():
                await client.send(h11.Data(data=piece))
        if answer.error is not None:
            client.cut()
            raise ClientGone
        await client.send(h11.EndOfMessage())

    async def upgrade(
        self, client: Client, request: h11.Request, upstream: Upstream, target: str
    ) -> None:
        """A websocket's messages were not recorded: nothing can stand in for them."""
        answer = await self._ask(
            request.method.decode("ascii"),
            upstream.url(target),
            told_pairs(end_to_end(request.headers)),
            b"",
        )
        if answer is None:
            await self._live.upgrade(client, request, upstream, target)
        elif isinstance(answer, answers.Diverged):
            await client.respond_error(400, answer.message, _NO_RETRY)
        else:
            await client.respond_error(501, "websockets are not replayed", _NO_RETRY)

    def decline(self, request: h11.Request, url: str, status: int, body: bytes) -> None:
        """Declined as it was when it was recorded: that request counts as asked."""
        asking = self._ask_declined(request, url, status, body)
        self._declined = asyncio.ensure_future(asking)  # the client need not wait for its turn

    async def _ask_declined(self, request: h11.Request, url: str, status: int, body: bytes) -> None:
        headers = told_pairs(end_to_end(request.headers))
        if await self._ask(request.method.decode("ascii"), url, headers, b"") is None:
            self._live.decline(request, url, status, body)

    def close(self) -> None:
        """The client is gone."""
        self._live.close()


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
