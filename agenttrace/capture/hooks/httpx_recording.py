"""Transports of httpx and httpx2 that pass everything on, the moment it comes, and tell of it."""

from .. import exchange as exchanges


def transport(module, link):
    """The recording transport of `module.Client`."""
    told, uploaded = stream(module), upload(module)

    class RecordingTransport(module.BaseTransport):
        def __init__(self, inner):
            self._inner = inner

        def handle_request(self, request):
            exchange = _begun(link, request, uploaded)
            try:
                with exchanges.Carrying(request.method, str(request.url)):
                    response = self._inner.handle_request(request)
            except BaseException as error:
                _failed(exchange, request, error)
                raise
            return _answered(exchange, request, response, told)

        def close(self):
            self._inner.close()

    return RecordingTransport


def async_transport(module, link):
    """The recording transport of `module.AsyncClient`."""
    told, uploaded = async_stream(module), async_upload(module)

    class AsyncRecordingTransport(module.AsyncBaseTransport):
        def __init__(self, inner):
            self._inner = inner

        async def handle_async_request(self, request):
            exchange = _begun(link, request, uploaded)
            try:
                with exchanges.Carrying(request.method, str(request.url)):
                    response = await self._inner.handle_async_request(request)
            except BaseException as error:
                _failed(exchange, request, error)
                raise
            return _answered(exchange, request, response, told)

        async def aclose(self):
            await self._inner.aclose()

    return AsyncRecordingTransport


def _begun(link, request, uploaded):
    exchange = exchanges.Exchange(
        link, request.method, str(request.url), exchanges.header_pairs(request.headers.raw)
    )
    body = getattr(request, "_content", None)
    if body is None:  # a stream that is yet to be read
        request.stream = uploaded(request.stream, exchange)
    else:
        exchange.request(body)
    return exchange


def _answered(exchange, request, response, told):
    tell_upload(request)
    exchange.response(response.status_code, exchanges.header_pairs(response.headers.raw))
    response.stream = told(response.stream, exchange)
    return response


def _failed(exchange, request, error):
    tell_upload(request)
    exchange.end(False, error)


def tell_upload(request):
    """A body that was sent as it was made is told of as far as it came."""
    # A server may answer, and a connection break, before the whole body was read.
    tell = getattr(request.stream, "told", None)
    if tell is not None:
        tell()


def stream(module):
    """The stream of an answer's pieces, over the library's own, which tells of each."""

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
                # The reader stopped: close() ends it; the protocol tells whether that was the end.
                raise
            except BaseException as error:
                self._exchange.end(False, error)
                raise
            self._exchange.end(True)

        def close(self):
            try:
                self._inner.close()
            finally:
                self._exchange.end(False)

    return RecordingStream


def async_stream(module):
    """The same, asynchronous."""

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

    return AsyncRecordingStream


class _Upload:
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


def upload(module):
    """The stream of a request's body, over the agent's own."""

    class Upload(_Upload, module.SyncByteStream):
        def __iter__(self):
            for piece in self._inner:
                self._keep(piece)
                yield piece
            self.told()

        def close(self):
            self._inner.close()

    return Upload


def async_upload(module):
    """The same, asynchronous."""

    class AsyncUpload(_Upload, module.AsyncByteStream):
        async def __aiter__(self):
            async for piece in self._inner:
                self._keep(piece)
                yield piece
            self.told()

        async def aclose(self):
            await self._inner.aclose()

    return AsyncUpload
