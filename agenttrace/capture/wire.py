"""HTTP/1.1 as it travels (RFC 9112), for hooks that see bytes: requests and answers out of them, answers into them."""

from . import exchange as exchanges

CHUNKED = "chunked"
_BODILESS = frozenset((204, 304))
_HEAD_END = b"\r\n\r\n"
# Framing is ours when an answer is given again: the recorded one may have been unpacked since.
FRAMING_HEADERS = frozenset(("connection", "content-length", "keep-alive", "transfer-encoding"))


class Body:
    """A body out of its bytes. framing: CHUNKED, its length in bytes, or None: up to the end of the connection."""

    def __init__(self, framing):
        self._framing = framing
        self._left = framing if framing not in (None, CHUNKED) else 0
        self._line = b""
        self._expects = "size"
        self.is_complete = framing == 0

    @property
    def ends_with_connection(self):
        return self._framing is None

    def feed(self, data):
        """The pieces of the body in these bytes."""
        if self.is_complete or not data:
            return []
        if self._framing is None:
            return [data]
        if self._framing == CHUNKED:
            return list(self._chunks(data))
        piece = data[: self._left]
        self._left -= len(piece)
        self.is_complete = not self._left
        return [piece]

    def _chunks(self, data):
        at = 0
        while at < len(data) and not self.is_complete:
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                yield piece
                continue
            newline = data.find(b"\n", at)
            if newline < 0:
                self._line += data[at:]
                return
            line, self._line = self._line + data[at:newline], b""
            at = newline + 1
            self._take_line(line.strip())

    def _take_line(self, line):
        if self._expects == "size":
            try:
                self._left = int(line.partition(b";")[0], 16)
            except ValueError:  # not chunked as it should be; the client will say so
                self._left = 0
                self.is_complete = True
                return
            self._expects = "end of chunk" if self._left else "trailers"
        elif self._expects == "end of chunk":
            self._expects = "size"
        elif not line:
            self.is_complete = True


def _parse_head(head):
    """(the first line, the headers as pairs of strings)."""
    lines = head.decode("latin-1").split("\r\n")
    headers = []
    for line in lines[1:]:
        if line[:1] in (" ", "\t") and headers:
            headers[-1][1] += " " + line.strip()
        else:
            name, _, value = line.partition(":")
            headers.append([name, value.strip()])
    return lines[0], headers


def _framing(headers, without):
    """How a body is framed; `without`: where no header tells."""
    found = {name.lower(): value for name, value in headers}
    if CHUNKED in found.get("transfer-encoding", "").lower():
        return CHUNKED
    length = found.get("content-length", "")
    return int(length) if length.isdigit() else without


class _Message:
    def __init__(self):
        self._start = b""
        self._body = None
        self.headers = []

    @property
    def is_begun(self):
        return self._body is not None

    @property
    def is_complete(self):
        return self._body is not None and self._body.is_complete

    def feed(self, data):
        """Takes the next bytes; the pieces of the body in them."""
        data = bytes(data)
        while self._body is None:
            self._start += data
            head, found, data = self._start.partition(_HEAD_END)
            if not found:
                return []
            self._start = b""
            self._body = self._begin(head)
        return self._body.feed(data)


class Request(_Message):
    """A request out of its bytes. target: what its first line asks for; pieces: of its body."""

    def __init__(self):
        super().__init__()
        self.method = None
        self.target = None
        self.pieces = []

    def _begin(self, head):
        line, self.headers = _parse_head(head)
        self.method, self.target = (line.split(" ") + ["", ""])[:2]
        return Body(_framing(self.headers, 0))

    def feed(self, data):
        self.pieces += super().feed(data)

    def url(self, base):
        """Its URL at this scheme and host; a request to a proxy names them itself."""
        return self.target if "://" in self.target.partition("?")[0] else base + self.target

    @property
    def body(self):
        return b"".join(self.pieces)


class Response(_Message):
    """An answer out of its bytes, without the interim ones. method: of its request."""

    def __init__(self, method):
        super().__init__()
        self._method = method
        self.status = None

    @property
    def ends_with_connection(self):
        return self.is_begun and self._body.ends_with_connection

    def _begin(self, head):
        line, self.headers = _parse_head(head)
        self.status = int(line.split(" ")[1])
        if 100 <= self.status < 200 and self.status != 101:
            return None
        return Body(0 if is_bodiless(self._method, self.status) else _framing(self.headers, None))


def is_bodiless(method, status):
    """Whether this answer has no body, whatever its headers say."""
    return method == "HEAD" or status in _BODILESS or 100 <= status < 200


class Outgoing:
    """Tells of a request as its bytes go out. Nothing here raises into the agent.

    base: scheme and host of the URL. The exchange is there once the head was fed.
    """

    def __init__(self, link, base):
        self._link = link
        self._base = base
        self._request = Request()
        self.exchange = None
        self.error = None  # what broke the sending; an answer may come nevertheless

    @exchanges.told
    def feed(self, data):
        """The next bytes; call it before they go out."""
        request = self._request
        request.feed(data)
        if self.exchange is None and request.is_begun:
            self.exchange = exchanges.Exchange(
                self._link, request.method, request.url(self._base), request.headers
            )
        if request.is_complete:
            self.tell()

    @exchanges.told
    def tell(self, unsent=None):
        """The request is told as far as it was fed. unsent: its body, where it is known and could not go out."""
        if self.exchange is not None:
            is_unsent = unsent is not None and not self._request.is_complete
            self.exchange.request(bytes(unsent) if is_unsent else self._request.body)
            self._request.pieces = []

    @exchanges.told
    def failed(self, error, unsent=None):
        """The agent gets this error instead of an answer; None: it asked for no more."""
        if self.exchange is not None:
            self.tell(unsent)
            self.exchange.end(False, error)


@exchanges.told
def tell_unsent(link, method, url, headers, body, error):
    """An exchange that never got as far as its first byte."""
    exchange = exchanges.Exchange(link, method, url, headers)
    exchange.request(body)
    exchange.end(False, error)


def answer_bytes(answer, method, is_open=False):
    """A recorded answer that has a status as a server would send it, in pieces; cut short where an error ended it.

    is_open: more would come, but nothing does.
    """
    is_cut = is_open or answer.error is not None
    if is_bodiless(method, answer.status):
        return [_answer_head(answer, [])]
    pieces = [piece for piece in answer.pieces if piece]
    if len(pieces) <= 1 and not is_cut:
        length = ["content-length: %d" % sum(map(len, pieces))]
        return [_answer_head(answer, length), *pieces]
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    end = [] if is_cut else [b"0\r\n\r\n"]
    return [_answer_head(answer, ["transfer-encoding: chunked"]), *chunks, *end]


def _answer_head(answer, framing):
    from http import HTTPStatus

    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = ""
    lines = ["HTTP/1.1 %d %s" % (answer.status, phrase)]
    for name, value in answer.headers:
        if name.lower() not in FRAMING_HEADERS:
            # A line break would make another header, or a body, of what the trace says.
            lines.append(" ".join(("%s: %s" % (name, value)).split("\r")).replace("\n", " "))
    return "\r\n".join(lines + framing).encode("latin-1", "replace") + _HEAD_END
