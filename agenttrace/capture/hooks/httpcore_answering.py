"""Requests of httpcore's pools and connections, answered from a recording; nothing is sent until it goes live."""

from .. import answer as answers
from .. import exchange as exchanges
from . import httpcore_recording


def handler(module, link):
    """Stands in for `handle_request`, with the original, its object, the request and its URL."""
    live = httpcore_recording.handler(module, link)

    def handle(original, self, request, url):
        pieces = list(request.stream)
        answer = answers.ask(link, *_asked(request, url, pieces))
        if answer is None:
            request.stream = _Sent(pieces)
            return live(original, self, request, url)
        return _response(module, answer)

    return handle


def async_handler(module, link):
    """The same for `handle_async_request`."""
    live = httpcore_recording.async_handler(module, link)

    async def handle(original, self, request, url):
        pieces = [piece async for piece in request.stream]
        answer = await answers.ask_async(link, *_asked(request, url, pieces))
        if answer is None:
            request.stream = _Sent(pieces)
            return await live(original, self, request, url)
        return _response(module, answer)

    return handle


def _asked(request, url, pieces):
    method, headers = request.method.decode("latin-1"), exchanges.header_pairs(request.headers)
    return method, url, headers, b"".join(pieces)


class _Sent:
    """A body that was read already, to be sent after all."""

    def __init__(self, pieces):
        self._pieces = pieces

    def __iter__(self):
        return iter(self._pieces)

    async def __aiter__(self):
        for piece in self._pieces:
            yield piece


def _response(module, answer):
    if answer.status is None:
        raise _error(module, answer.error)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    # What is about the recorded connection; nobody can go on with it.
    extensions = {"http_version": b"HTTP/1.1", "network_stream": None}
    return module.Response(
        answer.status, headers=headers, content=_Pieces(module, answer), extensions=extensions
    )


class _Pieces:
    """The pieces of an answer, for readers of both kinds."""

    def __init__(self, module, answer):
        self._module = module
        self._answer = answer

    def __iter__(self):
        for piece in self._answer.deliver():
            yield piece
        if self._answer.error is not None:
            raise _error(self._module, self._answer.error)

    async def __aiter__(self):
        async for piece in self._answer.deliver_async():
            yield piece
        if self._answer.error is not None:
            raise _error(self._module, self._answer.error)


def _error(module, error):
    """What the agent was given when it was recorded, if the library still knows it by that name."""
    error = error or {"type": "ReadError", "message": "no answer was recorded"}
    kind = getattr(module, str(error.get("type")), None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        kind = module.ReadError
    return kind(str(error.get("message")))
