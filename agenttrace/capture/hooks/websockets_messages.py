"""The messages of websockets' clients, and how a connection ends: each is told of, or each fragment of one; on a
connection that is served from a recording, what the agent sends is compared with what it sent then.
"""

from .. import context
from .. import exchange as exchanges
from ..unhooked import time_ns

_SPAN = "_agenttrace_span"  # in a connection's __dict__: its span, and what that is part of
_SERVED = "_agenttrace_served"  # likewise, in a replay: who serves it
_ENDING = "_agenttrace_ending"  # likewise: who ends it; "told" once that was told of
LOST = 1006


def began(connection, span_id, parent):
    """Its messages belong to the span of its opening."""
    connection.__dict__[_SPAN] = (span_id, parent)


def serve(connection, served):
    """It is served from the recording."""
    connection.__dict__[_SERVED] = served


def served_of(connection):
    """Who serves it; None for a real one. aiohttp's connection has it of its transport."""
    facts = connection.__dict__
    if _SERVED not in facts:
        transport = getattr(facts.get("_conn"), "transport", None)
        facts[_SERVED] = getattr(transport, "served", None)
    return facts[_SERVED]


@exchanges.told
def tell(link, connection, direction, message, **more):
    """Tells of a message, or of a fragment (part); of a closing (direction "close") with its reason, code and by."""
    is_binary = not isinstance(message, str)
    body = bytes(message) if is_binary else message.encode("utf-8", "surrogatepass")
    span_id, parent = _span_of(connection)
    head = {"op": "ws", "id": span_id, "parent": parent, "ts": time_ns()}
    if is_binary and more.get("part") != "end":
        head["binary"] = True
    link.send(dict(head, direction=direction, url=url_of(connection), **more), body)


def _span_of(connection):
    opening = connection.__dict__.get("_response")  # aiohttp's
    for holder in (connection, opening):
        if _SPAN in getattr(holder, "__dict__", ()):
            return holder.__dict__[_SPAN]
    span = context.current_span.get()
    began(connection, context.new_span_id(), span and span[0])
    return connection.__dict__[_SPAN]


def url_of(connection):
    """The URL that it was opened at."""
    response = getattr(connection, "_response", None)
    if response is not None and not hasattr(connection, "handshake"):  # aiohttp's
        return str(response.url).replace("http", "ws", 1)
    if hasattr(connection, "path"):  # the older one
        return spelled(connection.secure, connection.host, connection.port, connection.path)
    return spelled(*place_of(connection.protocol))


def place_of(holder):
    """(whether it is secure, host, port, path and query) of a URI as websockets has it, or of what holds one."""
    for name in ("uri", "wsuri"):
        uri = getattr(holder, name, holder)
        if hasattr(uri, "resource_name"):
            return uri.secure, uri.host, uri.port, uri.resource_name
    raise AttributeError("a websocket without a URI")


def spelled(is_secure, host, port, path):
    """The URL. port: None for the usual one."""
    place = "[%s]" % host if ":" in host else host
    place += "" if port is None else ":%d" % port
    return "%s://%s%s" % ("wss" if is_secure else "ws", place, path)


def sending(link, connection, message):
    """The message to send: one that is whole is told of, one in fragments tells as they are taken."""
    if is_whole(message):
        tell(link, connection, "send", message)
    elif hasattr(message, "__aiter__"):
        return _told_fragments_async(link, connection, message)
    elif hasattr(message, "__iter__") and not hasattr(message, "keys"):
        return _told_fragments(link, connection, message)
    return message


def is_whole(message):
    """Whether it comes in one."""
    return isinstance(message, (str, bytes, bytearray, memoryview))


def _told_fragments(link, connection, message):
    for fragment in message:
        tell(link, connection, "send", fragment, part="more")
        yield fragment
    tell(link, connection, "send", b"", part="end")


async def _told_fragments_async(link, connection, message):
    async for fragment in message:
        tell(link, connection, "send", fragment, part="more")
        yield fragment
    tell(link, connection, "send", b"", part="end")


class Compared:
    """A message that a served connection sends: what has gone out of it is compared with what was recorded.

    That comes behind the sending: what answers it must not come before. message: as it is to be sent.
    """

    def __init__(self, served, message):
        self._served = served
        self._taken = []
        self._is_message = True
        self.message = message
        if is_whole(message):
            self._take(message)
        elif hasattr(message, "__aiter__"):
            self.message = self._fragments_async(message)
        elif hasattr(message, "__iter__") and not hasattr(message, "keys"):
            self.message = self._fragments(message)
        else:  # the library will say so
            self._is_message = False

    def _take(self, part):
        if isinstance(part, str):
            part = part.encode("utf-8", "surrogatepass")
        self._taken.append(bytes(part) if is_whole(part) else b"")

    def _fragments(self, message):
        for fragment in message:
            self._take(fragment)
            yield fragment

    async def _fragments_async(self, message):
        async for fragment in message:
            self._take(fragment)
            yield fragment

    def sent(self):
        """Diverged if it was not recorded."""
        if self._is_message:
            self._served.send(self._taken)

    async def sent_async(self):
        """The same for a coroutine."""
        if self._is_message:
            await self._served.send_async(self._taken)


def received(link, connection, message, **more):
    """The agent gets this."""
    if served_of(connection) is None:
        tell(link, connection, "receive", message, **more)


def failed(link, connection, error):
    """The agent gets this error in place of a message, or of sending one. Diverged where that is what was missing."""
    served = served_of(connection)
    if served is not None:
        served.check()
    elif any(kind.__name__ == "ConnectionClosed" for kind in type(error).__mro__):
        ended(link, connection)


def unopened(connection):
    """Its opening has failed, which was told of: its end is none."""
    connection.__dict__[_ENDING] = "told"


def closing(connection):
    """The agent closes it by itself."""
    connection.__dict__.setdefault(_ENDING, "client")


@exchanges.told
def ended(link, connection):
    """It has ended, and the agent knows: told of once."""
    holder = connection if hasattr(connection, "close_rcvd") else connection.protocol
    received, sent = holder.close_rcvd, holder.close_sent
    by = connection.__dict__.get(_ENDING, "lost")
    if received is not None and (sent is None or holder.close_rcvd_then_sent):
        by = "server"
    close = received or sent
    code, reason = (close.code, close.reason) if close is not None else (LOST, "")
    if close is None:
        by = "lost"
        if connection.__dict__.get(_ENDING) == "client":  # it had gone before
            del connection.__dict__[_ENDING]
    tell_end(link, connection, by, int(code), reason)


def tell_end(link, connection, by, code, reason):
    """by: "server", "client" (the agent) or "lost"."""
    ending = connection.__dict__.get(_ENDING)
    is_own = (
        ending == "client" and by == "lost"
    )  # seen by a task that waits, while another one closes it
    if served_of(connection) is None and ending != "told" and not is_own:
        connection.__dict__[_ENDING] = "told"
        by = "lost" if code == LOST else by
        tell(link, connection, "close", str(reason), code=code, ended_by=by)
