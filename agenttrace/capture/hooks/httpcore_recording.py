"""Requests of httpcore's pools and connections, passed on the moment they come, and told of."""

from .. import exchange as exchanges
from . import httpx_recording


class Streams:
    """httpcore takes any iterable for a stream: there are no classes of its own to build on."""

    SyncByteStream = AsyncByteStream = object


def handler(module, link):
    """Stands in for `handle_request`, with the original, its object, the request and its URL."""
    stream, upload = httpx_recording.stream(Streams), httpx_recording.upload(Streams)

    def handle(original, self, request, url):
        exchange = _begun(link, request, url, upload)
        try:
            with exchanges.Carrying(request.method.decode("latin-1"), url):
                response = original(self, request)
        except BaseException as error:
            httpx_recording.tell_upload(request)
            exchange.end(False, error)
            raise
        return _answered(exchange, request, response, stream)

    return handle


def async_handler(module, link):
    """The same for `handle_async_request`."""
    stream, upload = httpx_recording.async_stream(Streams), httpx_recording.async_upload(Streams)

    async def handle(original, self, request, url):
        exchange = _begun(link, request, url, upload)
        try:
            with exchanges.Carrying(request.method.decode("latin-1"), url):
                response = await original(self, request)
        except BaseException as error:
            httpx_recording.tell_upload(request)
            exchange.end(False, error)
            raise
        return _answered(exchange, request, response, stream)

    return handle


def _begun(link, request, url, upload):
    method = request.method.decode("latin-1")
    exchange = exchanges.Exchange(link, method, url, exchanges.header_pairs(request.headers))
    body = getattr(request.stream, "_content", None)
    if isinstance(body, bytes):
        exchange.request(body)
    else:
        request.stream = upload(request.stream, exchange)
    return exchange


def _answered(exchange, request, response, stream):
    httpx_recording.tell_upload(request)
    exchange.response(response.status, exchanges.header_pairs(response.headers))
    response.stream = stream(response.stream, exchange)
    return response
