"""What the hooks on HTTP clients know of a connection: its URL, what it was about to send, the proxy behind it."""

from ..faults import told

# In a connection's __dict__: the body of the request that is about to begin.
_UNSENT = "_agenttrace_unsent"

_proxies = set()  # (link, host, port) that was told of


def base_url(connection):
    """Scheme and host of what a connection asks for; behind a tunnel, those of its far end."""
    is_tls = connection.default_port == 443
    host, port = connection.host, connection.port
    if connection._tunnel_host:
        host, port = connection._tunnel_host, connection._tunnel_port
    host = "[%s]" % host if ":" in host and not host.startswith("[") else host
    if port and port != (443 if is_tls else 80):
        host = "%s:%d" % (host, port)
    return ("https://" if is_tls else "http://") + host


def full_url(connection, target):
    """The URL that a connection is asked for; one that goes to a proxy is whole already."""
    return target if "://" in target.partition("?")[0] else base_url(connection) + target


def keep_unsent(connection, body, encoding):
    """Remembers a body, for the case that the connection fails before it."""
    connection.__dict__[_UNSENT] = _Unsent(body, encoding)


def take_unsent(connection):
    """The body that was remembered; None if none was, or a request took it."""
    return connection.__dict__.pop(_UNSENT, None)


class _Unsent:
    """A body as a client has it. What can only be read once is left to the client."""

    def __init__(self, body, encoding):
        self._body = body
        self._encoding = encoding

    def __bytes__(self):
        body = self._body
        if isinstance(body, str):
            return body.encode(self._encoding, "replace")
        if hasattr(body, "getbuffer"):  # io.BytesIO
            return bytes(body.getbuffer()[body.tell() :])
        return bytes(body) if isinstance(body, (bytes, bytearray, memoryview)) else b""


def blocks(connection, data):
    """What http.client's `send` takes besides bytes, as the bytes that it makes of it."""
    if hasattr(data, "read"):
        return connection._read_readable(data)
    try:
        return (memoryview(data),)
    except TypeError:
        if isinstance(data, str) or not hasattr(data, "__iter__"):
            raise
        return data


@told
def is_through(link, host, port):
    """What is asked goes through the proxy at this place: a connection to it is no secret of the agent's."""
    place = (link, host, port)
    if host and port and place not in _proxies:
        _proxies.add(place)
        link.send({"op": "connect", "hosts": [host], "port": port, "proxy": True})


def tell_proxy(link, connection, target):
    """Tells of the proxy that a connection of http.client asks for this target, if there is one."""
    socks = getattr(connection, "_socks_options", None)  # urllib3's
    if socks:
        is_through(link, socks.get("proxy_host"), socks.get("proxy_port") or 1080)
    elif connection._tunnel_host or "://" in target.partition("?")[0]:
        is_through(link, connection.host, connection.port)
