"""httpx and httpx2 (a fork of it under its own name): each transport that a client picks is wrapped.

Wrapping what `_transport_for_url` returns sees custom transports too, which a hook on HTTPTransport would miss.
"""

from .. import exchange as exchanges


def install(module, link, mode):
    """Hooks one of the two libraries, in mode "record" or "replay". Returns a function that undoes it."""
    wrap_sync, wrap_async = _wrappers(module, link, mode)
    undo_sync = _hook(module.Client, wrap_sync)
    undo_async = _hook(module.AsyncClient, wrap_async)

    def undo():
        undo_sync()
        undo_async()

    return undo


def _hook(client, wrap):
    original = client._transport_for_url

    def _transport_for_url(self, url):
        return wrap(original(self, url))

    def undo():
        client._transport_for_url = original

    client._transport_for_url = _transport_for_url
    return undo


def _wrappers(module, link, mode):
    if mode == "replay":
        return _answering(module, link)
    return _recording(module, link)


def _sent_body(request):
    """The body if it is in memory, else None: a stream that is yet to be read."""
    return getattr(request, "_content", None)


def _begin(link, request):
    return exchanges.Exchange(
        link, request.method, str(request.url), exchanges.header_pairs(request.headers.raw)
    )


def _recording(module, link):
    sync_stream, async_stream = _recording_streams(module)
    sync_upload, async_upload = _tee_uploads(module)

    class RecordingTransport(module.BaseTransport):
        """Passes everything on, and tells of it."""

        def __init__(self, inner):
            self._inner = inner

        def handle_request(self, request):
            exchange = _begin(link, request)
            body = _sent_body(request)
            if body is None:
                request.stream = sync_upload(request.stream, exchange)
            else:
                exchange.request(body)
            try:
                response = self._inner.handle_request(request)
            except BaseException as error:
                _tell_upload(request)
                exchange.end(False, error)
                raise
            return _answered(exchange, request, response, sync_stream)

        def close(self):
            self._inner.close()

    class AsyncRecordingTransport(module.AsyncBaseTransport):
        """Passes everything on, and tells of it."""

        def __init__(self, inner):
            self._inner = inner

        async def handle_async_request(self, request):
            exchange = _begin(link, request)
            body = _sent_body(request)
            if body is None:
                request.stream = async_upload(request.stream, exchange)
            else:
                exchange.request(body)
            try:
                response = await self._inner.handle_async_request(request)
            except BaseException as error:
                _tell_upload(request)
                exchange.end(False, error)
                raise
            return _answered(exchange, request, response, async_stream)

        async def aclose(self):
            await self._inner.aclose()

    return RecordingTransport, AsyncRecordingTransport


def _tell_upload(request):
    # A server may answer, and a connection break, before the whole body was read.
    tell = getattr(request.stream, "told", None)
    if tell is not None:
        tell()


def _answered(exchange, request, response, stream_type):
    _tell_upload(request)
    exchange.response(response.status_code, exchanges.header_pairs(response.headers.raw))
    response.stream = stream_type(response.stream, exchange)
    return response


def _recording_streams(module):
    class RecordingStream(module.SyncByteStream):
        """Hands each piece on the moment it came, after it was told of."""

        def __init__(self, inner, exchange):
            self._inner = inner
            self._exchange = exchange

        def __iter__(self):
            try:
                for piece in self._inner:
                    self._exchange.chunk(piece)
                    yield piece
            except GeneratorExit:
                raise  # the reader stopped; close() ends it, and the protocol tells whether that was the end
            except BaseException as error:
                self._exchange.end(False, error)
                raise
            self._exchange.end(True)

        def close(self):
            try:
                self._inner.close()
            finally:
                self._exchange.end(False)

    class AsyncRecordingStream(module.AsyncByteStream):
        """Hands each piece on the moment it came, after it was told of."""

        def __init__(self, inner, exchange):
            self._inner = inner
            self._exchange = exchange

        async def __aiter__(self):
            try:
                async for piece in self._inner:
                    self._exchange.chunk(piece)
                    yield piece
            except GeneratorExit:
                raise
            except BaseException as error:
                self._exchange.end(False, error)
                raise
            self._exchange.end(True)

        async def aclose(self):
            try:
                await self._inner.aclose()
            finally:
                self._exchange.end(False)

    return RecordingStream, AsyncRecordingStream


class _Uploaded:
    """The pieces of a request body that is sent as it is made; told as one when the last one is out."""

    def __init__(self, inner, exchange):
        self._inner = inner
        self._exchange = exchange
        self._pieces = []

    def told(self):
        if self._pieces is not None:
            pieces, self._pieces = self._pieces, None
            self._exchange.request(b"".join(pieces))

    def _keep(self, piece):
        if self._pieces is not None:
            self._pieces.append(bytes(piece))


def _tee_uploads(module):
    class TeeUpload(_Uploaded, module.SyncByteStream):
        def __iter__(self):
            for piece in self._inner:
                self._keep(piece)
                yield piece
            self.told()

        def close(self):
            self._inner.close()

    class AsyncTeeUpload(_Uploaded, module.AsyncByteStream):
        async def __aiter__(self):
            async for piece in self._inner:
                self._keep(piece)
                yield piece
            self.told()

        async def aclose(self):
            await self._inner.aclose()

    return TeeUpload, AsyncTeeUpload


def _answering(module, link):
    sync_pieces, async_pieces = _piece_streams(module)

    def respond(request, body, stream_type):
        answer = exchanges.ask(
            link,
            request.method,
            str(request.url),
            exchanges.header_pairs(request.headers.raw),
            body,
        )
        if answer.status is None:
            raise _transport_error(module, answer.error, request)
        return module.Response(
            answer.status, headers=answer.headers, stream=stream_type(answer, request)
        )

    class AnsweringTransport(module.BaseTransport):
        """Answers from the recording; nothing is sent anywhere."""

        def __init__(self, inner):
            self._inner = inner

        def handle_request(self, request):
            body = _sent_body(request)
            return respond(request, request.read() if body is None else body, sync_pieces)

        def close(self):
            self._inner.close()

    class AsyncAnsweringTransport(module.AsyncBaseTransport):
        """Answers from the recording; nothing is sent anywhere."""

        def __init__(self, inner):
            self._inner = inner

        async def handle_async_request(self, request):
            body = _sent_body(request)
            return respond(request, await request.aread() if body is None else body, async_pieces)

        async def aclose(self):
            await self._inner.aclose()

    return AnsweringTransport, AsyncAnsweringTransport


def _piece_streams(module):
    class PieceStream(module.SyncByteStream):
        def __init__(self, answer, request):
            self._answer = answer
            self._request = request

        def __iter__(self):
            yield from self._answer.pieces
            if self._answer.error is not None:
                raise _transport_error(module, self._answer.error, self._request)

    class AsyncPieceStream(module.AsyncByteStream):
        def __init__(self, answer, request):
            self._answer = answer
            self._request = request

        async def __aiter__(self):
            for piece in self._answer.pieces:
                yield piece
            if self._answer.error is not None:
                raise _transport_error(module, self._answer.error, self._request)

    return PieceStream, AsyncPieceStream


def _transport_error(module, error, request):
    """What the agent was given when it was recorded, if the library still knows it by that name."""
    error = error or {"type": "ReadError", "message": "no answer was recorded"}
    kind = getattr(module, str(error.get("type")), None)
    if not (isinstance(kind, type) and issubclass(kind, module.TransportError)):
        kind = module.ReadError
    return kind(str(error.get("message")), request=request)
