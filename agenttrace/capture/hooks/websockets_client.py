"""The clients of websockets, threaded, asyncio and the older asyncio one; and aiohttp's: hooked.

In a replay their connections are served from the recording (`websockets_openings.py`); once it has gone live they are
told of, as in a recording.
"""

import functools

from . import websockets_messages as messages
from . import websockets_openings as openings
from .replacing import replaced


def install(module, link, mode):
    """Hooks `websockets.sync.client`, `websockets.asyncio.client` or `websockets.legacy.client`. Returns a function
    that undoes it.
    """
    is_sync = module.__name__.endswith("sync.client")
    is_legacy = module.__name__.endswith("legacy.client")
    kind = module.WebSocketClientProtocol if is_legacy else module.ClientConnection
    undo_opening = openings.install(module, kind, link, mode)
    undo_messages = _hooked(kind, link, _SYNC if is_sync else _ASYNC)

    def undo():
        undo_messages()
        undo_opening()

    return undo


def install_aiohttp(module, link):
    """Hooks `aiohttp`'s websockets. Returns a function that undoes it."""
    return _hooked(module.ClientWebSocketResponse, link, _AIOHTTP)


def _hooked(kind, link, hooks):
    hooks = {
        name: functools.partial(hook, link) for name, hook in hooks.items() if hasattr(kind, name)
    }
    return replaced(kind, hooks)


def _send(link, original):
    def send(self, message, *arguments, **named):
        served = messages.served_of(self)
        if served is not None:
            compared = messages.Compared(served, message)
            try:
                return original(self, compared.message, *arguments, **named)
            finally:
                compared.sent()
        try:
            return original(self, messages.sending(link, self, message), *arguments, **named)
        except Exception as error:
            messages.failed(link, self, error)
            raise

    return send


def _recv(link, original):
    def recv(self, *arguments, **named):
        try:
            message = original(self, *arguments, **named)
        except Exception as error:
            messages.failed(link, self, error)
            raise
        messages.received(link, self, message)
        return message

    return recv


def _recv_streaming(link, original):
    def recv_streaming(self, *arguments, **named):
        try:
            for fragment in original(self, *arguments, **named):
                messages.received(link, self, fragment, part="more")
                yield fragment
        except Exception as error:
            messages.failed(link, self, error)
            raise
        messages.received(link, self, b"", part="end")

    return recv_streaming


def _close(link, original):
    def close(self, *arguments, **named):
        messages.closing(self)
        result = original(self, *arguments, **named)
        messages.ended(link, self)
        return result

    return close


def _wait_closed(link, original):
    def wait_closed(self, *arguments, **named):
        is_closed = original(self, *arguments, **named)
        if is_closed:
            messages.ended(link, self)
        return is_closed

    return wait_closed


def _async_send(link, original):
    async def send(self, message, *arguments, **named):
        served = messages.served_of(self)
        if served is not None:
            compared = messages.Compared(served, message)
            try:
                return await original(self, compared.message, *arguments, **named)
            finally:
                await compared.sent_async()
        message = messages.sending(link, self, message)
        try:
            return await original(self, message, *arguments, **named)
        except Exception as error:
            messages.failed(link, self, error)
            raise

    return send


def _async_recv(link, original):
    async def recv(self, *arguments, **named):
        try:
            message = await original(self, *arguments, **named)
        except Exception as error:
            messages.failed(link, self, error)
            raise
        messages.received(link, self, message)
        return message

    return recv


def _async_recv_streaming(link, original):
    async def recv_streaming(self, *arguments, **named):
        try:
            async for fragment in original(self, *arguments, **named):
                messages.received(link, self, fragment, part="more")
                yield fragment
        except Exception as error:
            messages.failed(link, self, error)
            raise
        messages.received(link, self, b"", part="end")

    return recv_streaming


def _async_close(link, original):
    async def close(self, *arguments, **named):
        messages.closing(self)
        result = await original(self, *arguments, **named)
        messages.ended(link, self)
        return result

    return close


def _async_wait_closed(link, original):
    async def wait_closed(self):
        await original(self)
        messages.ended(link, self)

    return wait_closed


_SYNC = {
    "send": _send,
    "recv": _recv,
    "recv_streaming": _recv_streaming,
    "close": _close,
    "wait_closed": _wait_closed,
}
_ASYNC = {
    "send": _async_send,
    "recv": _async_recv,
    "recv_streaming": _async_recv_streaming,
    "close": _async_close,
    "wait_closed": _async_wait_closed,
}


def _aiohttp_send(link, original):
    async def send(self, data, *arguments, **named):
        served = messages.served_of(self)
        if served is not None and messages.is_whole(data):
            try:
                return await original(self, data, *arguments, **named)
            finally:
                await messages.Compared(served, data).sent_async()
        if messages.is_whole(data):
            messages.tell(link, self, "send", data)
        return await original(self, data, *arguments, **named)

    return send


def _aiohttp_receive(link, original):
    async def receive(self, *arguments, **named):
        message = await original(self, *arguments, **named)
        kind = message.type.name
        if kind in ("TEXT", "BINARY"):
            messages.received(link, self, message.data)
            return message
        served = messages.served_of(self)
        if served is not None:
            served.check()
        elif kind == "CLOSE":
            messages.tell_end(link, self, "server", message.data, message.extra or "")
        elif kind in ("CLOSED", "ERROR"):
            messages.tell_end(link, self, "lost", messages.LOST, "")
        return message

    return receive


def _aiohttp_close(link, original):
    async def close(self, *arguments, **named):
        # What `receive` closes by itself is told of there.
        is_own = not (self._closing or self._closed)
        if is_own:
            messages.closing(self)
        result = await original(self, *arguments, **named)
        if is_own:
            messages.tell_end(link, self, "client", self._close_code or messages.LOST, "")
        return result

    return close


_AIOHTTP = {
    "send_str": _aiohttp_send,
    "send_bytes": _aiohttp_send,
    "receive": _aiohttp_receive,
    "close": _aiohttp_close,
}
