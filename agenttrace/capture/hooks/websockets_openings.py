"""How connections of websockets are opened: told of as the HTTP exchange that each begins with; in a replay answered,
and then served from the recording over a pair of sockets, so that all else is the library's own.
"""

import re
import sys
from contextvars import ContextVar

from .. import answer as answers
from .. import exchange as exchanges
from .. import live, wire
from . import websockets_messages as messages
from .replacing import replaced

# In a replay: who serves the connection that is being opened.
_served = ContextVar("agenttrace_served", default=None)
_TOLD = "_agenttrace_told"  # on an error: the handshake told of it
_NUMBERED = re.compile(r"\[Errno (-?\d+)\] (.*)\Z", re.DOTALL)


def install(module, kind, link, mode):
    """Hooks a module's way to open connections of this kind. Returns a function that undoes it."""
    opening = _Opening(link, mode == "replay")
    name = module.__name__
    if name.endswith("legacy.client"):
        undo_opening = replaced(module.Connect, {"__init__": opening.legacy})
        undo_handshake = replaced(kind, {"handshake": opening.legacy_handshake})
    elif name.endswith("asyncio.client"):
        how = "open_tcp_connection" if hasattr(module.connect, "open_tcp_connection") else None
        undo_opening = replaced(module.connect, {how or "create_connection": opening.asyncio})
        undo_handshake = replaced(kind, {"handshake": opening.async_handshake})
    else:
        if hasattr(module, "reconnect"):
            undo_opening = replaced(module.reconnect, {"open_connection": opening.reconnecting})
        else:
            undo_opening = replaced(module, {"connect": opening.threaded})
        undo_handshake = replaced(kind, {"handshake": opening.handshake})

    def undo():
        undo_handshake()
        undo_opening()

    return undo


class _Opening:
    """The hooks, for one link. Each takes what it stands in for."""

    def __init__(self, link, is_replay):
        self._link = link
        self._is_replay = is_replay

    # -- asking --------------------------------------------------------------------------------

    def _serve(self, answer):
        """(our end as the client's socket, who serves it) for an answer; raises what was raised when recorded."""
        from . import websockets_serving

        if answer.status is None:
            raise _as_raised(answer.error or {})
        return websockets_serving.serve(self._link, answer)

    def _is_asked(self, what):
        return what is not None and self._is_replay and not live.has_begun()

    def _ask(self, what):
        """None: the real thing is to be opened."""
        if not self._is_asked(what):
            return None
        answer = answers.ask(self._link, "GET", what.url, what.headers, b"")
        return None if answer is None else self._serve(answer)

    async def _ask_async(self, what):
        if not self._is_asked(what):
            return None
        answer = await answers.ask_async(self._link, "GET", what.url, what.headers, b"")
        if answer is not None and (answer.error or {}).get("type") == "CancelledError":
            await answers.sleep(_FOREVER_S)  # an agent that gave up by itself does so again
        return None if answer is None else self._serve(answer)

    def _unopened(self, what, error):
        """An opening that failed before its first byte, unless its handshake told of it."""
        if what is not None and not getattr(error, _TOLD, False):
            wire.tell_unsent(self._link, "GET", what.url, what.headers, b"", error)

    # -- threads -------------------------------------------------------------------------------

    def threaded(self, original):
        """`connect`, a function."""
        link_of = "ssl" if "ssl" in (original.__kwdefaults__ or {}) else "ssl_context"

        def connect(uri, *arguments, **named):
            what = _what(uri, named.get("additional_headers"))
            made = self._ask(what)
            if made is None:
                return self._really(what, lambda: original(uri, *arguments, **named))
            for name in ("unix", "path", "proxy_ssl"):
                named.pop(name, None)
            named["sock"], served = made
            if what.is_secure:
                named[link_of] = _NoTls()
            return self._served(served, lambda: original(uri, *arguments, **named))

        return connect

    def reconnecting(self, original):
        """`reconnect.open_connection`."""

        def open_connection(self_, *arguments, **named):
            what = _what(self_.uri, getattr(self_, "additional_headers", None))
            made = self._ask(what)
            if made is None:
                return self._really(what, lambda: original(self_, *arguments, **named))
            own = {name: getattr(self_, name) for name in ("sock", "ssl", "proxy_ssl")}
            self_.sock, served = made
            self_.ssl, self_.proxy_ssl = _NoTls(), None
            try:
                return self._served(served, lambda: original(self_, *arguments, **named))
            finally:
                self_.__dict__.update(own)

        return open_connection

    def _really(self, what, connect):
        try:
            return connect()
        except BaseException as error:
            self._unopened(what, error)
            raise

    def _served(self, served, connect):
        token = _served.set(served)
        try:
            connection = connect()
        finally:
            _served.reset(token)
        messages.serve(connection, served)
        return connection

    # -- asyncio -------------------------------------------------------------------------------

    def asyncio(self, original):
        """`connect.open_tcp_connection`, or `create_connection` of older ones."""

        async def open_tcp_connection(self_):
            what = _what(self_.uri, getattr(self_, "additional_headers", None))
            made = await self._ask_async(what)
            if made is None:
                return await self._really_async(what, original(self_))
            name = "create_connection_kwargs"
            name = name if hasattr(self_, name) else "connection_kwargs"
            own = getattr(self_, name)
            sock, served = made
            without_tls = {"ssl": False, "server_hostname": None} if what.is_secure else {}
            setattr(self_, name, dict(without_tls, sock=sock))
            try:
                connection = await original(self_)
            finally:
                setattr(self_, name, own)
            messages.serve(connection, served)
            return connection

        return open_tcp_connection

    def legacy(self, original):
        """`Connect.__init__`, which prepares how to connect."""

        def __init__(self_, *arguments, **named):
            import functools

            original(self_, *arguments, **named)
            prepared = self_.__dict__.get("_create_connection")
            if not isinstance(prepared, functools.partial):
                return

            async def create_connection(factory, *rest, **options):
                what = _what(self_._uri, factory.keywords.get("extra_headers"))
                made = await self._ask_async(what)
                if made is None:
                    connecting = prepared.func(factory, *rest, **options)
                    return await self._really_async(what, connecting)
                import asyncio

                sock, served = made
                loop = asyncio.get_running_loop()
                transport, connection = await loop.create_connection(factory, sock=sock)
                messages.serve(connection, served)
                return transport, connection

            self_._create_connection = functools.partial(
                create_connection, *prepared.args, **prepared.keywords
            )

        return __init__

    async def _really_async(self, what, connecting):
        try:
            return await connecting
        except BaseException as error:
            self._unopened(what, error)
            raise

    # -- handshakes ----------------------------------------------------------------------------

    def handshake(self, original):
        """`ClientConnection.handshake` of threads."""

        def handshake(self_, *arguments, **named):
            if _served.get() is not None:
                return original(self_, *arguments, **named)
            headers = arguments[0] if arguments else named.get("additional_headers")
            exchange = self._begun(self_, self_.protocol, headers)
            try:
                result = original(self_, *arguments, **named)
            except BaseException as error:
                _refused(exchange, self_, error)
                raise
            _opened(exchange, self_)
            return result

        return handshake

    def async_handshake(self, original):
        """`ClientConnection.handshake` of asyncio."""

        async def handshake(self_, *arguments, **named):
            if messages.served_of(self_) is not None:
                return await original(self_, *arguments, **named)
            headers = arguments[0] if arguments else named.get("additional_headers")
            exchange = self._begun(self_, self_.protocol, headers)
            try:
                result = await original(self_, *arguments, **named)
            except BaseException as error:
                _refused(exchange, self_, error)
                raise
            _opened(exchange, self_)
            return result

        return handshake

    def legacy_handshake(self, original):
        """`WebSocketClientProtocol.handshake`."""

        async def handshake(self_, wsuri, *arguments, **named):
            if messages.served_of(self_) is not None:
                return await original(self_, wsuri, *arguments, **named)
            exchange = self._begun(self_, wsuri, named.get("extra_headers"))
            try:
                result = await original(self_, wsuri, *arguments, **named)
            except BaseException as error:
                _refused(exchange, self_, error)
                raise
            _opened(exchange, self_)
            return result

        return handshake

    @exchanges.told
    def _begun(self, connection, holder, headers):
        url = _url(messages.place_of(holder))
        exchange = exchanges.Exchange(self._link, "GET", url, _pairs(headers))
        messages.began(connection, exchange.id, exchange.parent)
        exchange.request(b"")
        return exchange


@exchanges.told
def _opened(exchange, connection):
    is_older = hasattr(connection, "response_headers")
    headers = connection.response_headers if is_older else connection.response.headers
    exchange.response(101, _pairs(headers))
    exchange.end(True)


@exchanges.told
def _refused(exchange, connection, error):
    """The server's answer where it gave one, else the error."""
    messages.unopened(connection)
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    headers, body = getattr(response, "headers", None), getattr(response, "body", None)
    if status is None:  # the older one's
        status, headers = getattr(error, "status_code", None), getattr(error, "headers", None)
        if type(error).__name__ == "RedirectHandshake":
            status, headers = 302, {"location": error.uri}
    error.__dict__[_TOLD] = True
    if status is None:
        exchange.end(False, error)
        return
    exchange.response(status, _pairs(headers))
    exchange.chunk(body or b"")
    exchange.end(True)


_FOREVER_S = 1 << 31


class _NoTls:
    """In place of an SSLContext: the pair of sockets stays in this process."""

    def wrap_socket(self, sock, **named):
        return sock


class _What:
    """What is to be opened. headers: as pairs."""

    def __init__(self, uri, headers):
        place = messages.place_of(sys.modules["websockets.uri"].parse_uri(uri))
        self.is_secure = place[0]
        self.url = _url(place)
        self.headers = _pairs(headers)


@exchanges.told
def _what(uri, headers):
    """None for what is no URI: the library will say so."""
    try:
        return _What(uri, headers)
    except sys.modules["websockets.exceptions"].InvalidURI:
        return None


def _url(place):
    """The opening's URL, without the port where it is the usual one."""
    is_secure, host, port, path = place
    if port != (443 if is_secure else 80):
        return messages.spelled(*place)
    return messages.spelled(is_secure, host, None, path)


def _pairs(headers):
    """Headers as pairs of strings. What can be read only once is left to the library."""
    for name in ("raw_items", "items"):
        if hasattr(headers, name):
            headers = list(getattr(headers, name)())
            break
    if not isinstance(headers, (list, tuple)):
        return []
    return [[str(name), str(value)] for name, value in headers]


def _as_raised(error):
    """What the agent was given when it was recorded, if it still has that name."""
    import builtins
    import socket

    name, message = str(error.get("type")), str(error.get("message"))
    own = sys.modules["websockets.exceptions"]
    for holder, base in ((builtins, OSError), (socket, OSError), (own, own.WebSocketException)):
        kind = getattr(holder, name, None)
        if not (isinstance(kind, type) and issubclass(kind, base)):
            continue
        numbered = _NUMBERED.match(message)
        try:
            if numbered is not None:
                return kind(int(numbered[1]), numbered[2])
            return kind(message)
        except TypeError:
            break
    return ConnectionError("%s: %s" % (name, message))
