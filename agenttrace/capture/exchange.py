"""One HTTP exchange as the hooks tell it: begun, answered, its pieces, its end."""

import time
from contextvars import ContextVar

from . import context, environment
from .faults import told
from .unhooked import time_ns

# (method, URL) of the exchange that a library hands on to another one, whose hook sees it too.
_carried = ContextVar("agenttrace_carried", default=None)


def header_pairs(raw):
    """Pairs of bytes as HTTP libraries keep headers, to pairs of strings."""
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in raw]


class Carrying:
    """While it is entered, this exchange is told of already: a library below that carries it is not heard."""

    def __init__(self, method, url):
        self._what = (method, url)
        self._token = None

    def __enter__(self):
        self._token = _carried.set(self._what)

    @told
    def __exit__(self, *exc_info):
        _carried.reset(self._token)


def is_carried(method, url):
    """Whether this exchange is told of by the library above."""
    carried = _carried.get()
    return carried is not None and _place(*carried) == _place(method, url)


def is_carrying():
    """Whether a library above tells of what it hands on."""
    return _carried.get() is not None


def _place(method, url):
    # Libraries spell one URL in several ways; what is quoted, and default ports, differ.
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    return method.upper(), parts.hostname, unquote(parts.path) or "/"


class _Silence:
    def send(self, head, body=b""):
        return None


class Exchange:
    """Tells the collector of one exchange as it goes. Every method is safe to call from the agent's path."""

    def __init__(self, channel, method, url, headers):
        # What passes through the gateway is told of by the gateway.
        self._channel = _Silence() if environment.is_gateway(url) else channel
        self._began_ns = time.monotonic_ns()
        self._is_asked = False
        self._is_over = False
        self._head = {
            "op": "request",
            "ts": time_ns(),
            "method": method,
            "url": url,
            "headers": headers,
        }
        self._name()

    @told
    def _name(self):
        span = context.current_span.get()
        self.id = context.new_span_id()
        self.parent = span and span[0]
        self._head["id"] = self.id
        if span is not None:
            self._head["within" if span[1] else "parent"] = span[0]

    def _at(self):
        return time.monotonic_ns() - self._began_ns

    @told
    def request(self, body, size=None):
        """The request goes out, with this body; only the first call counts. size: of the whole where it was cut."""
        if self._is_asked:
            return
        self._is_asked = True
        if size is not None and size > len(body):
            self._head["truncated"] = size
        self._channel.send(self._head, body)

    @told
    def response(self, status, headers):
        """The answer's status and headers are there."""
        self._channel.send(
            {
                "op": "response",
                "id": self.id,
                "at": self._at(),
                "status": status,
                "headers": headers,
            }
        )

    @told
    def chunk(self, data):
        """A piece of the answer's body came; call it before the agent gets the piece."""
        if data:
            self._channel.send({"op": "chunk", "id": self.id, "at": self._at()}, bytes(data))

    @told
    def end(self, complete=True, error=None):
        """It is over; only the first call counts. error: what the agent was given instead of an answer."""
        if self._is_over:
            return
        self._is_over = True
        self.request(b"")  # an exchange that failed before it was asked is told of too
        told_error = None
        if error is not None:
            told_error = {"type": type(error).__name__, "message": str(error)}
        self._channel.send(
            {
                "op": "end",
                "id": self.id,
                "at": self._at(),
                "complete": complete,
                "error": told_error,
            }
        )
