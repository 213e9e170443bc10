"""aiohttp's client in a replay: connections are made to a transport that answers from the recording.

Once the replay has gone live, the transport makes the real connection and hands everything on, as in a recording.
"""

import asyncio
import re

from .. import answer as answers
from .. import exchange as exchanges
from .. import websocket, wire
from . import aiohttp_recording
from .replacing import replaced

_REASON = re.compile(r"\[([^\[\]]*)\]\Z")


def install(module, link):
    """Hooks aiohttp's connectors. Returns a function that undoes it."""

    def create(original):
        async def _create_connection(self, req, *arguments, **named):
            def connect():
                return original(self, req, *arguments, **named)

            protocol = self._factory()
            transport = _AnsweringTransport(module, link, req, protocol, connect)
            protocol.connection_made(transport)
            return protocol

        return _create_connection

    kinds = [
        kind
        for kind in vars(module.connector).values()
        if isinstance(kind, type) and "_create_connection" in vars(kind)
    ]
    undos = [replaced(kind, {"_create_connection": create}) for kind in kinds]
    undos.append(aiohttp_recording.install_incoming(module))

    def undo():
        for one in undos:
            one()

    return undo


class _AnsweringTransport(asyncio.Transport):
    """Takes a connection's requests one after the other and feeds its protocol the recorded answers, piece by piece."""

    def __init__(self, module, link, req, protocol, connect):
        """connect: makes the real connection."""
        super().__init__()
        self._module = module
        self._link = link
        self._base = str(req.url.origin())
        self._key = req.connection_key
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._request = None
        self._is_closed = False
        self._answering = None
        self._connect = connect
        self._timer = getattr(req, "_timer", None)
        self._real = None  # the real connection's transport
        self._is_raw = False  # it has become another protocol's
        self.served = None  # it has become a websocket that is served from the recording
        self._side = None

    def write(self, data):
        if self._is_raw:
            self._real.write(data)
            return
        if self._side is not None:
            self._take_frames(data)
            return
        if self._request is None:
            self._request = wire.Request()
            self._blocks = []
        self._blocks.append(bytes(data))
        was_begun = self._request.is_begun
        self._request.feed(data)
        if self._request.is_complete:
            request, self._request = self._request, None
            self._answering = self._loop.create_task(self._answer(request))
        elif self._request.is_begun and not was_begun and self._is_told_to_wait():
            self._loop.call_soon(self._feed, b"HTTP/1.1 100 Continue\r\n\r\n")

    def _is_told_to_wait(self):
        return any(name.lower() == "expect" for name, _ in self._request.headers)

    def writelines(self, list_of_data):
        for data in list(list_of_data):
            self.write(data)

    async def _answer(self, request):
        url = request.url(self._base)
        asked = (request.method, url, request.headers, request.body)
        blocks = self._blocks
        # What a library above carries here has gone live there.
        is_carried = exchanges.is_carried(request.method, url)
        answer = None if is_carried else await answers.ask_async(self._link, *asked)
        if self._is_closed:
            return
        if answer is None:
            await self._go_live(asked, blocks, is_carried)
            return
        if answer.status is None:
            # An agent that gave up by itself does so again.
            if (answer.error or {}).get("type") != "CancelledError":
                self._protocol.set_exception(self._as_raised(answer.error))
            return
        if answer.status == 101:
            await self._serve(answer, request)
            return
        # Where the agent closed the connection by itself, it does so again: nothing more comes.
        is_open = not answer.is_complete and answer.error is None
        async for block in answer.deliver_async(wire.answer_bytes(answer, request.method, is_open)):
            self._feed(block)
            # The loop in between, so that the agent gets pieces, not one whole.
            await asyncio.sleep(0)
        self._end(answer.error)

    async def _serve(self, answer, request):
        """A websocket: the server's side of it."""
        self._side = websocket.ServerSide()
        self.served = websocket.Served(self._link, answer)
        self._feed(websocket.opening(answer, request.headers))
        while not self._is_closed:
            found = await self.served.next_async()
            if found is None:
                return
            head, data = found
            if head["op"] == "message":
                self._feed(data)
                await asyncio.sleep(0)
            elif head["by"] == "client":
                self._side.echo = (head["code"], data)
                return
            elif head["by"] == "server":
                self._side.has_closed = True
                self._feed(data)
                return
            else:
                self.close()

    def _take_frames(self, data):
        answers = self._side.receive(data)
        if answers:
            self._loop.call_soon(self._feed, answers)
        if self._side.is_closed:
            self._loop.call_soon(self.close)

    async def _go_live(self, asked, blocks, is_carried):
        """Sends what was to be asked to the real server, whose answer goes to aiohttp itself."""
        if self._real is None:
            try:
                await self._connect_really()
            except Exception as error:
                if not is_carried:
                    wire.tell_unsent(self._link, *asked, error)
                self._protocol.set_exception(error)
                return
        if not is_carried:
            method, _, headers, _ = asked
            outgoing = wire.Outgoing(self._link, self._base)
            aiohttp_recording.follow(self._protocol, method, outgoing, self._timer)
            for block in blocks:
                outgoing.feed(block)
            self._is_raw = any(name.lower() == "upgrade" for name, _ in headers)
        self._real.writelines(blocks)

    async def _connect_really(self):
        made = await self._connect()
        self._real = made.transport
        made.transport = None  # this one's from now on
        self._real.set_protocol(self._protocol)

    def get_extra_info(self, name, default=None):
        return default if self._real is None else self._real.get_extra_info(name, default)

    def _end(self, error):
        if error is not None and error.get("type") == "ClientPayloadError":
            self._is_closed = True
            self._protocol.connection_lost(None)
        elif error is not None and not self._is_closed:
            raised = self._as_raised(error)
            payload = getattr(self._protocol, "_payload", None)
            self._protocol.set_exception(raised)
            if payload is not None:
                payload.set_exception(raised)

    def _feed(self, data):
        if not self._is_closed:
            self._protocol.data_received(data)

    def _as_raised(self, error):
        """What the agent was given when it was recorded, if aiohttp still knows it by that name."""
        name, message = str((error or {}).get("type")), str((error or {}).get("message"))
        if name == "TimeoutError":
            return asyncio.TimeoutError(message)
        kind = getattr(self._module, name, None)
        if not (isinstance(kind, type) and issubclass(kind, self._module.ClientError)):
            return self._module.ClientConnectionError("%s: %s" % (name, message))
        if issubclass(kind, self._module.ClientConnectorError):
            reason = _REASON.search(message)
            return kind(self._key, OSError(0, reason[1] if reason else message))
        try:
            return kind(message)
        except TypeError:
            return self._module.ClientConnectionError(message)

    def is_closing(self):
        return self._is_closed or (self._real is not None and self._real.is_closing())

    def close(self):
        if self._real is not None:
            self._real.close()
        elif not self._is_closed:
            self._is_closed = True
            if self._answering is not None:
                self._answering.cancel()
            if self.served is not None:
                self.served.leave()
            self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close

    def pause_reading(self):
        if self._real is not None:
            self._real.pause_reading()

    def resume_reading(self):
        if self._real is not None:
            self._real.resume_reading()

    def get_write_buffer_size(self):
        return 0
