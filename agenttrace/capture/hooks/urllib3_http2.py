"""urllib3's HTTP/2: a connection that has http.client's methods and none of its bytes; told of, or answered for.

It reads an answer as a whole, so that is told of as one piece.
"""

import functools

from .. import answer as answers
from .. import exchange as exchanges
from . import connections, http_client_answering
from .replacing import replaced

# In a connection's __dict__.
_EXCHANGE = "_agenttrace_exchange"
_ANSWER = "_agenttrace_answer"


def install(module, link, mode):
    """Hooks `urllib3.http2.connection`. Returns a function that undoes it."""
    request, getresponse = _request(link), _getresponse
    if mode == "replay":
        request = functools.partial(_asking, link, request)
        getresponse = functools.partial(_answering, module)
    hooks = {"request": request, "getresponse": getresponse}
    return replaced(module.HTTP2Connection, hooks)


def _request(link):
    def hook(original):
        def recording(self, method, url, body=None, headers=None, **named):
            body, exchange = _begun(self, link, method, url, body, headers)
            try:
                return original(self, method, url, body, headers, **named)
            except BaseException as error:
                if exchange is not None:
                    exchange.end(False, error)
                raise

        return recording

    return hook


def _begun(connection, link, method, url, body, headers):
    """(the body to send, the exchange or None)."""
    connections.take_unsent(connection)  # from here on it is told of here
    connection.__dict__.pop(_EXCHANGE, None)
    full = connections.full_url(connection, url)
    if exchanges.is_carried(method, full):
        return body, None
    pairs = [[_text(name), _text(value)] for name, value in (headers or {}).items()]
    exchange = exchanges.Exchange(link, method, full, pairs)
    connection.__dict__[_EXCHANGE] = exchange
    if isinstance(body, str):
        body = body.encode()
    if not body or isinstance(body, bytes):
        exchange.request(body or b"")
        return body, exchange
    return _told_pieces(exchange, connections.blocks(connection, body)), exchange


def _told_pieces(exchange, pieces):
    sent = []
    try:
        for piece in pieces:
            piece = piece.encode() if isinstance(piece, str) else bytes(piece)
            sent.append(piece)
            yield piece
    finally:
        exchange.request(b"".join(sent))


def _text(word):
    return word.decode("latin-1") if isinstance(word, bytes) else str(word)


def _getresponse(original):
    def recording(self):
        exchange = self.__dict__.pop(_EXCHANGE, None)
        try:
            response = original(self)
        except BaseException as error:
            if exchange is not None:
                exchange.end(False, error)
            raise
        if exchange is not None:
            _answered(exchange, response)
        return response

    return recording


@exchanges.told
def _answered(exchange, response):
    exchange.response(response.status, [list(pair) for pair in response.headers.items()])
    exchange.chunk(response.data)
    exchange.end(True)


def _asking(link, live, original):
    """In a replay: asks for the recorded answer; `getresponse` hands it on."""
    going_live = live(original)

    def asking(self, method, url, body=None, headers=None, **named):
        self.__dict__.pop(_ANSWER, None)
        full = connections.full_url(self, url)
        if body and not isinstance(body, (str, bytes)):
            pieces = connections.blocks(self, body)
            body = b"".join(
                piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces
            )
        if isinstance(body, str):
            body = body.encode()
        answer = None
        if not exchanges.is_carried(method, full):
            pairs = [[_text(name), _text(value)] for name, value in (headers or {}).items()]
            answer = answers.ask(link, method, full, pairs, body or b"")
        if answer is None:
            http_client_answering.connect_live(self)
            return going_live(self, method, url, body, headers, **named)
        self._request_url = url
        self.__dict__[_ANSWER] = answer
        return None

    return asking


def _answering(module, original):
    live = _getresponse(original)

    def answering(self):
        answer = self.__dict__.pop(_ANSWER, None)
        if answer is None:
            return live(self)
        self.sock = None  # each request gets a socket of its own
        if answer.status is None:
            raise http_client_answering.as_raised(answer.error, self)
        headers = module.HTTPHeaderDict()
        for name, value in answer.headers:
            headers.add(name, value)
        data = b"".join(answer.deliver())
        return module.HTTP2Response(
            status=answer.status, headers=headers, request_url=self._request_url, data=data
        )

    return answering
