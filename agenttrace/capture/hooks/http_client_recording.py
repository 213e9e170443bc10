"""http.client told of at the bytes that it sends and reads.

Sent bytes are seen in `send`; those of an answer in the file that the response reads from, because urllib3 reads
chunks from that file itself.
"""

from .. import exchange as exchanges
from .. import wire
from . import connections
from .replacing import replaced

SENDING = "_agenttrace_sending"  # in a connection's __dict__


def install(module, link):
    """Hooks http.client. Returns a function that undoes it."""
    return replaced(module.HTTPConnection, _recording(module, link))


class Sending(wire.Outgoing):
    """One request of a connection. unsent: its body, for the case that the connection fails before it."""

    def __init__(self, link, base, unsent):
        super().__init__(link, base)
        self.unsent = unsent
        self.is_busy = False  # a send within a send opens a tunnel, and is none of the request's

    def broke(self, error):
        """The sending broke. A server that has enough of a body may still answer."""
        if isinstance(error, (BrokenPipeError, ConnectionResetError)):
            self.error = error
        else:
            self.failed(error, self.unsent)


@exchanges.told
def begin(connection, link, method, url):
    """A request begins on this connection; one that a library above tells of is left to it."""
    connection.__dict__.pop(SENDING, None)
    unsent = connections.take_unsent(connection)
    connections.tell_proxy(link, connection, url)
    if not exchanges.is_carried(method, connections.full_url(connection, url)):
        connection.__dict__[SENDING] = Sending(link, connections.base_url(connection), unsent)


def _recording(module, link):
    def request(original):
        def recording(self, method, url, body=None, *arguments, **named):
            connections.keep_unsent(self, body, "iso-8859-1")
            return original(self, method, url, body, *arguments, **named)

        return recording

    def putrequest(original):
        def recording(self, method, url, *arguments, **named):
            result = original(self, method, url, *arguments, **named)
            begin(self, link, method, url or "/")
            return result

        return recording

    def set_tunnel(original):
        def tunnelling(self, *arguments, **named):
            original(self, *arguments, **named)
            connections.tell_proxy(link, self, "")

        return tunnelling

    return {
        "set_tunnel": set_tunnel,
        "request": request,
        "putrequest": putrequest,
        "send": recording_send,
        "getresponse": recording_getresponse(module),
        "close": recording_close,
    }


def recording_close(original):
    """A `close` that tells of a request that gets no answer."""

    def close(self):
        sending = self.__dict__.get(SENDING)
        if sending is not None and not sending.is_busy:
            del self.__dict__[SENDING]
            sending.failed(sending.error, sending.unsent)
        return original(self)

    return close


def recording_send(original):
    """A `send` that tells of what it sends."""

    def send(self, data):
        sending = self.__dict__.get(SENDING)
        if sending is None or sending.is_busy:
            return original(self, data)
        if not isinstance(data, (bytes, bytearray, memoryview)):
            for block in connections.blocks(self, data):
                send(self, block)
            return None
        sending.feed(data)
        sending.is_busy = True
        try:
            return original(self, data)
        except BaseException as error:
            sending.broke(error)
            raise
        finally:
            sending.is_busy = False

    return send


def recording_getresponse(module):
    """Makes of a `getresponse` one whose responses tell of what is read from them."""

    def getresponse(original):
        def recording(self):
            sending = self.__dict__.pop(SENDING, None)
            if sending is None:
                return original(self)
            sending.tell()
            try:
                response = original(self)
            except BaseException as error:
                sending.failed(sending.error or error)
                raise
            _answered(module, sending.exchange, response)
            return response

        return recording

    return getresponse


@exchanges.told
def _answered(module, exchange, response):
    if exchange is None:
        return
    exchange.response(response.status, [list(pair) for pair in response.headers.items()])
    is_bodiless = wire.is_bodiless(response._method, response.status)
    framing = wire.CHUNKED if response.chunked else response.length
    body = wire.Body(0 if is_bodiless else framing)
    if body.is_complete or response.fp is None:
        exchange.end(True)
    else:
        response.fp = _ToldFile(response.fp, exchange, body, module.IncompleteRead)


class _ToldFile:
    """The file that a response is read from: tells of what was read before it hands it on."""

    def __init__(self, inner, exchange, body, cut):
        self._inner = inner
        self._exchange = exchange
        self._body = body
        self._cut = cut

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def _read(self, read, *arguments):
        try:
            return read(*arguments)
        except BaseException as error:
            self._exchange.end(False, error)
            raise

    @exchanges.told
    def _tell(self, data, is_last):
        for piece in self._body.feed(data):
            self._exchange.chunk(piece)
        if self._body.is_complete or (is_last and self._body.ends_with_connection):
            self._exchange.end(True)
        elif is_last:
            self._exchange.end(False, self._cut(b""))

    def read(self, size=-1):
        data = self._read(self._inner.read, size)
        self._tell(data, size is None or size < 0 or len(data) < size)
        return data

    def read1(self, size=-1):
        data = self._read(self._inner.read1, size)
        self._tell(data, not data and size != 0)
        return data

    def readline(self, size=-1):
        data = self._read(self._inner.readline, size)
        self._tell(data, not data and size != 0)
        return data

    def readinto(self, buffer):
        count = self._read(self._inner.readinto, buffer)
        self._tell(bytes(memoryview(buffer).cast("B")[:count]), not count and len(buffer) > 0)
        return count

    def close(self):
        self._exchange.end(False)
        self._inner.close()

    def __del__(self):
        self._exchange.end(False)
