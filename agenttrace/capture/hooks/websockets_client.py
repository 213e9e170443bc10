"""The clients of websockets, threaded, asyncio and the older asyncio one; and aiohttp's: each message is told of, or
each fragment of one.

In a replay there is nothing to tell until it goes live: no connection leaves the process.
"""

import functools

from .. import context
from .. import exchange as exchanges
from ..unhooked import time_ns
from .replacing import replaced

_SPAN = "_agenttrace_span"  # in a connection's __dict__


def install(module, link, mode):
    """Hooks `websockets.sync.client`, `websockets.asyncio.client`, `websockets.legacy.client` or `aiohttp`. Returns a
    function that undoes it.
    """
    if module.__name__ == "aiohttp":
        hooks = {"receive": _aiohttp_receive, "send_str": _async_send, "send_bytes": _async_send}
        return replaced(
            module.ClientWebSocketResponse,
            {name: functools.partial(hook, link) for name, hook in hooks.items()},
        )
    if module.__name__.endswith(".legacy.client"):
        hooks = {"send": _async_send, "recv": _async_recv}
        return replaced(
            module.WebSocketClientProtocol,
            {name: functools.partial(hook, link) for name, hook in hooks.items()},
        )
    if module.__name__.rpartition(".")[0].endswith("asyncio"):
        hooks = {"send": _async_send, "recv": _async_recv, "recv_streaming": _async_recv_streaming}
    else:
        hooks = {"send": _send, "recv": _recv, "recv_streaming": _recv_streaming}
    hooks = {
        name: functools.partial(hook, link)
        for name, hook in hooks.items()
        if hasattr(module.ClientConnection, name)
    }
    return replaced(module.ClientConnection, hooks)


@exchanges.told
def _tell(link, connection, direction, message, part=None):
    is_text = isinstance(message, str)
    body = message.encode("utf-8", "surrogatepass") if is_text else bytes(message)
    if _SPAN not in connection.__dict__:
        span = context.current_span.get()
        connection.__dict__[_SPAN] = (context.new_span_id(), span and span[0])
    span_id, parent = connection.__dict__[_SPAN]
    head = {"op": "ws", "id": span_id, "parent": parent, "ts": time_ns()}
    if part is not None:
        head["part"] = part
    link.send(dict(head, direction=direction, url=_url(connection)), body)


def _url(connection):
    response = getattr(connection, "_response", None)
    if response is not None and not hasattr(connection, "handshake"):  # aiohttp's
        return str(response.url).replace("http", "ws", 1)
    if hasattr(connection, "path"):  # the older one
        place = (connection.secure, connection.host, connection.port, connection.path)
    else:
        uri = connection.protocol.uri
        place = (uri.secure, uri.host, uri.port, uri.resource_name)
    secure, host, port, path = place
    host = "[%s]" % host if ":" in host else host
    return "%s://%s:%d%s" % ("wss" if secure else "ws", host, port, path)


def _told_before(link, connection, message):
    """The message to send: one that is whole was told of, one in fragments tells as they are taken."""
    if isinstance(message, (str, bytes, bytearray, memoryview)):
        _tell(link, connection, "send", message)
    elif hasattr(message, "__aiter__"):
        return _async_fragments(link, connection, message)
    elif hasattr(message, "__iter__") and not hasattr(message, "keys"):
        return _fragments(link, connection, message)
    return message


def _fragments(link, connection, message):
    for fragment in message:
        _tell(link, connection, "send", fragment, "more")
        yield fragment
    _tell(link, connection, "send", b"", "end")


async def _async_fragments(link, connection, message):
    async for fragment in message:
        _tell(link, connection, "send", fragment, "more")
        yield fragment
    _tell(link, connection, "send", b"", "end")


def _send(link, original):
    def send(self, message, *arguments, **named):
        return original(self, _told_before(link, self, message), *arguments, **named)

    return send


def _recv(link, original):
    def recv(self, *arguments, **named):
        message = original(self, *arguments, **named)
        _tell(link, self, "receive", message)
        return message

    return recv


def _recv_streaming(link, original):
    def recv_streaming(self, *arguments, **named):
        for fragment in original(self, *arguments, **named):
            _tell(link, self, "receive", fragment, "more")
            yield fragment
        _tell(link, self, "receive", b"", "end")

    return recv_streaming


def _async_send(link, original):
    async def send(self, message, *arguments, **named):
        return await original(self, _told_before(link, self, message), *arguments, **named)

    return send


def _async_recv(link, original):
    async def recv(self, *arguments, **named):
        message = await original(self, *arguments, **named)
        _tell(link, self, "receive", message)
        return message

    return recv


def _async_recv_streaming(link, original):
    async def recv_streaming(self, *arguments, **named):
        async for fragment in original(self, *arguments, **named):
            _tell(link, self, "receive", fragment, "more")
            yield fragment
        _tell(link, self, "receive", b"", "end")

    return recv_streaming


def _aiohttp_receive(link, original):
    async def receive(self, *arguments, **named):
        message = await original(self, *arguments, **named)
        if message.type.name in ("TEXT", "BINARY"):
            _tell(link, self, "receive", message.data)
        return message

    return receive
