"""aiohttp's client told of at the bytes that a connection sends and receives, so that readers stay aiohttp's own."""

import functools

from .. import exchange as exchanges
from .. import wire
from . import connections, websockets_messages
from .replacing import replaced

_OUTGOING = "_agenttrace_outgoing"  # on a ClientResponse that has not started
_INCOMING = "_agenttrace_incoming"  # on a ResponseHandler, the protocol of a connection


def install(module, link):
    """Hooks aiohttp. Returns a function that undoes it."""
    undos = [
        replaced(module.ClientRequest, {"send": functools.partial(_send, link)}),
        replaced(module.ClientResponse, {"start": _start}),
        replaced(module.BaseConnector, {"connect": functools.partial(_connect, link)}),
        install_incoming(module),
    ]

    def undo():
        for one in undos:
            one()

    return undo


def install_incoming(module):
    """Hooks what connections receive, for those that are followed. Returns a function that undoes it."""
    return replaced(
        module.client_proto.ResponseHandler,
        {
            "data_received": _data_received,
            "eof_received": _eof_received,
            "set_exception": _set_exception,
            "connection_lost": functools.partial(_connection_lost, module),
        },
    )


@exchanges.told
def follow(protocol, method, outgoing, timer):
    """From now on what this connection receives is the answer to that request."""
    setattr(protocol, _INCOMING, _Incoming(method, outgoing, timer))


def _connect(link, original):
    async def connect(self, req, *arguments, **named):
        if req.proxy is not None:
            connections.is_through(link, req.proxy.host, req.proxy.port)
        try:
            return await original(self, req, *arguments, **named)
        except BaseException as error:
            _tell_unsent(link, req, error)
            raise

    return connect


def _send(link, original):
    async def send(self, conn):
        outgoing = _begun(link, self, conn)
        if outgoing is None:
            return await original(self, conn)
        try:
            response = await original(self, conn)
        except BaseException as error:
            if outgoing.exchange is None:
                _tell_unsent(link, self, error)
            outgoing.failed(error, _known_body(self))
            raise
        setattr(response, _OUTGOING, outgoing)
        return response

    return send


def _start(original):
    async def start(self, connection):
        outgoing = self.__dict__.pop(_OUTGOING, None)
        try:
            result = await original(self, connection)
        except BaseException as error:
            if outgoing is not None:
                outgoing.failed(error)
            raise
        if outgoing is not None and self.status == 101:
            websockets_messages.began(self, outgoing.exchange.id, outgoing.exchange.parent)
        return result

    return start


@exchanges.told
def _begun(link, request, conn):
    # CONNECT opens a tunnel to a proxy: what goes through it is the exchange.
    if request.method == "CONNECT" or exchanges.is_carried(request.method, str(request.url)):
        return None
    outgoing = wire.Outgoing(link, str(request.url.origin()))
    protocol = conn.protocol
    follow(protocol, request.method, outgoing, getattr(request, "_timer", None))
    transport = protocol.transport
    if not isinstance(transport, _ToldTransport):
        transport = protocol.transport = _ToldTransport(transport)
    transport.outgoing = outgoing
    return outgoing


@exchanges.told
def _tell_unsent(link, request, error):
    if not exchanges.is_carried(request.method, str(request.url)):
        headers = [[name, value] for name, value in request.headers.items()]
        body = _known_body(request) or b""
        wire.tell_unsent(link, request.method, str(request.url), headers, body, error)


@exchanges.told
def _known_body(request):
    """A body that is there as a whole before it is sent."""
    body = request.body
    body = getattr(body, "_value", body)  # a payload's
    if isinstance(body, str):
        body = body.encode("utf-8")
    return bytes(body) if isinstance(body, (bytes, bytearray, memoryview)) else None


class _ToldTransport:
    """A connection's transport as its protocol knows it: tells of what is written before it goes out."""

    def __init__(self, inner):
        self._inner = inner
        self.outgoing = None

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def write(self, data):
        if self.outgoing is not None:
            self.outgoing.feed(data)
        self._inner.write(data)

    def writelines(self, pieces):
        pieces = list(pieces)
        if self.outgoing is not None:
            for piece in pieces:
                self.outgoing.feed(piece)
        self._inner.writelines(pieces)


class _Incoming:
    """The answer to one request, as it comes in. timer: the request's own, of its total timeout."""

    def __init__(self, method, outgoing, timer):
        self._timer = timer
        self._response = wire.Response(method)
        self._outgoing = outgoing
        self._has_told_status = False
        self.has_seen_eof = False

    @exchanges.told
    def feed(self, data):
        """The next bytes; whether there will be more."""
        exchange = self._outgoing.exchange
        if exchange is None:
            return False
        pieces = self._response.feed(data)
        if self._response.is_begun and not self._has_told_status:
            self._has_told_status = True
            self._outgoing.tell()
            exchange.response(self._response.status, self._response.headers)
        for piece in pieces:
            exchange.chunk(piece)
        if self._response.is_complete:
            exchange.end(True)
        return not self._response.is_complete

    @exchanges.told
    def lost(self, error):
        """No more will come. Before there is a status, the agent's own error tells more."""
        if self._has_told_status:
            is_whole = self.has_seen_eof and self._response.ends_with_connection
            if error is None and getattr(self._timer, "_cancelled", False):
                error = TimeoutError()  # the agent's own limit, at which it closes the connection
            self._outgoing.exchange.end(is_whole, None if is_whole else error)


def _data_received(original):
    def data_received(self, data):
        incoming = getattr(self, _INCOMING, None)
        if incoming is not None and data and not incoming.feed(data):
            setattr(self, _INCOMING, None)
        return original(self, data)

    return data_received


def _eof_received(original):
    def eof_received(self):
        incoming = getattr(self, _INCOMING, None)
        if incoming is not None:
            incoming.has_seen_eof = True
        return original(self)

    return eof_received


def _set_exception(original):
    def set_exception(self, exc, *arguments, **named):
        incoming = getattr(self, _INCOMING, None)
        if incoming is not None and isinstance(exc, BaseException):
            incoming.lost(exc)
        return original(self, exc, *arguments, **named)

    return set_exception


def _connection_lost(module, original):
    def connection_lost(self, exc):
        incoming = getattr(self, _INCOMING, None)
        if incoming is not None:
            setattr(self, _INCOMING, None)
            is_cut = exc is not None or incoming.has_seen_eof
            incoming.lost(
                module.ClientPayloadError("Response payload is not completed") if is_cut else None
            )
        return original(self, exc)

    return connection_lost
