"""Transports of httpx and httpx2 that answer from a recording; nothing is sent anywhere until the replay goes live."""

from .. import answer as answers
from .. import exchange as exchanges
from . import httpx_recording


def transport(module, link):
    """The answering transport of `module.Client`."""
    pieces, live = _pieces(module), httpx_recording.transport(module, link)

    class AnsweringTransport(module.BaseTransport):
        def __init__(self, inner):
            self._inner = inner

        def handle_request(self, request):
            answer = answers.ask(link, *_asked(request, request.read()))
            if answer is None:
                return live(self._inner).handle_request(request)
            return _response(module, request, answer, pieces)

        def close(self):
            self._inner.close()

    return AnsweringTransport


def async_transport(module, link):
    """The answering transport of `module.AsyncClient`."""
    pieces, live = _async_pieces(module), httpx_recording.async_transport(module, link)

    class AsyncAnsweringTransport(module.AsyncBaseTransport):
        def __init__(self, inner):
            self._inner = inner

        async def handle_async_request(self, request):
            asked = _asked(request, await request.aread())
            answer = await answers.ask_async(link, *asked)
            if answer is None:
                return await live(self._inner).handle_async_request(request)
            if answer.status is None:
                await _given_up(answer)
            return _response(module, request, answer, pieces)

        async def aclose(self):
            await self._inner.aclose()

    return AsyncAnsweringTransport


def _asked(request, body):
    return request.method, str(request.url), exchanges.header_pairs(request.headers.raw), body


def _response(module, request, answer, pieces):
    if answer.status is None:
        raise _transport_error(module, answer.error, request)
    return module.Response(answer.status, headers=answer.headers, stream=pieces(answer, request))


def _pieces(module):
    class Pieces(module.SyncByteStream):
        def __init__(self, answer, request):
            self._answer = answer
            self._request = request

        def __iter__(self):
            for piece in self._answer.deliver():
                yield piece
            if self._answer.error is not None:
                raise _transport_error(module, self._answer.error, self._request)

    return Pieces


def _async_pieces(module):
    class AsyncPieces(module.AsyncByteStream):
        def __init__(self, answer, request):
            self._answer = answer
            self._request = request

        async def __aiter__(self):
            async for piece in self._answer.deliver_async():
                yield piece
            await _given_up(self._answer)
            if self._answer.error is not None:
                raise _transport_error(module, self._answer.error, self._request)

    return AsyncPieces


async def _given_up(answer):
    """An agent that stopped waiting by itself does so again: nothing more comes."""
    if (answer.error or {}).get("type") in ("CancelledError", "Cancelled"):  # asyncio's, trio's
        await answers.sleep(1e7)


def _transport_error(module, error, request):
    """What the agent was given when it was recorded, if the library still knows it by that name."""
    error = error or {"type": "ReadError", "message": "no answer was recorded"}
    kind = getattr(module, str(error.get("type")), None)
    if not (isinstance(kind, type) and issubclass(kind, module.TransportError)):
        kind = module.ReadError
    return kind(str(error.get("message")), request=request)
