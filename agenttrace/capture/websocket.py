"""A websocket in a replay: the server's side of it (RFC 6455), with the messages that were recorded."""

import time

from . import wire
from .answer import Diverged, asked, turn, unreachable

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
NO_STATUS, LOST = 1005, 1006  # what stands for a close frame without a code; for none at all
_FINAL, _MASKED = 0x80, 0x80
_ACCEPTED = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# What an opening says beyond these was agreed on with a server that is not there: compression, and proofs of its keys.
_OWN_HEADERS = frozenset(
    ("upgrade", "connection", "sec-websocket-accept", "sec-websocket-extensions")
)


def opening(answer, request_headers):
    """The bytes that accept a websocket. request_headers: pairs, as the client sent them."""
    import base64
    import hashlib

    sent = {name.lower(): value for name, value in request_headers}
    key = sent.get("sec-websocket-key", "").encode("latin-1")
    proof = base64.b64encode(hashlib.sha1(key + _ACCEPTED).digest()).decode()
    answer.headers = [
        [name, value] for name, value in answer.headers if name.lower() not in _OWN_HEADERS
    ]
    head = b"".join(wire.answer_bytes(answer, "GET"))
    own = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n" % proof
    return head[:-2] + own.encode("ascii")


def frame(opcode, payload, is_last=True):
    """One frame as a server sends it."""
    size = len(payload)
    if size < 126:
        length = bytes((size,))
    elif size < 1 << 16:
        length = b"\x7e" + size.to_bytes(2, "big")
    else:
        length = b"\x7f" + size.to_bytes(8, "big")
    return bytes((opcode | (_FINAL if is_last else 0),)) + length + payload


def close_frame(code, reason):
    """A close frame; of NO_STATUS one without a code."""
    return frame(CLOSE, b"" if code == NO_STATUS else code.to_bytes(2, "big") + reason[:123])


class ServerSide:
    """What a server makes of a client's bytes: it answers pings and closing; messages it does not read.

    is_closed: the client has closed. echo: (code, reason) with which its closing is answered, None: with its own.
    """

    def __init__(self):
        self._buffer = bytearray()
        self.is_closed = False
        self.has_closed = False  # this side
        self.echo = None

    def receive(self, data):
        """Takes the client's next bytes; the bytes that answer them."""
        self._buffer += data
        answers = []
        while not self.is_closed:
            found = self._next()
            if found is None:
                break
            opcode, payload = found
            if opcode == PING:
                answers.append(frame(PONG, payload))
            elif opcode == CLOSE:
                self.is_closed = True
                if not self.has_closed:
                    self.has_closed = True
                    own = frame(CLOSE, payload)
                    answers.append(own if self.echo is None else close_frame(*self.echo))
        return b"".join(answers)

    def _next(self):
        """(opcode, payload) of the next frame that is whole, else None."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, at = buffer[1] & 0x7F, 2
        if size >= 126:
            at = 4 if size == 126 else 10
            size = int.from_bytes(buffer[2:at], "big")
        is_masked = buffer[1] & _MASKED
        end = at + (4 if is_masked else 0) + size
        if len(buffer) < end:
            return None
        opcode = buffer[0] & 0x0F
        payload = b""
        if opcode in (PING, CLOSE):  # of the others nobody needs it
            payload = bytes(buffer[end - size : end])
            if is_masked:
                mask = buffer[at : at + 4]
                payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        del buffer[:end]
        return opcode, payload


class Served:
    """One connection that is served from the recording: what the agent sends is compared, what it gets is handed out.

    answer: to its opening. diverged: why no more comes, once the agent waits for what nothing will bring.
    """

    def __init__(self, link, answer):
        self._link = link
        self.answer = answer
        self.diverged = None
        self._step = 0

    def _sent(self, parts):
        lengths = [len(part) for part in parts]
        return {"op": "sent", "seq": self.answer.seq, "lengths": lengths, **turn()}

    def send(self, parts):
        """The agent has sent this, in these fragments. Diverged if it was not recorded."""
        try:
            head, _ = self._link.ask(self._sent(parts), b"".join(parts))
        except (OSError, ValueError) as error:
            raise unreachable(error) from None
        self._go(head)

    async def send_async(self, parts):
        """The same for a coroutine."""
        try:
            head, _ = await asked(self._link, self._sent(parts), b"".join(parts))
        except (OSError, ValueError) as error:
            raise unreachable(error) from None
        self._go(head)

    def _go(self, head):
        if head["op"] == "diverged":
            raise Diverged(head["message"])

    def check(self):
        """Diverged if the agent waits for what nothing will bring."""
        if self.diverged is not None:
            raise Diverged(self.diverged)

    def _wanted(self):
        return {"op": "next", "seq": self.answer.seq, "step": self._step}

    def next(self):
        """(what the server does next, the bytes that do it); waits for it. None where it is over."""
        while True:
            try:
                head, body = self._link.ask(self._wanted())
            except TimeoutError:  # a connection may be idle for long
                continue
            except (OSError, ValueError):
                return None
            time.sleep(head.get("wait_s", 0.0))
            return self._made(head, body)

    async def next_async(self):
        """The same for a coroutine of asyncio."""
        import asyncio

        try:
            head, body = await asked(self._link, self._wanted())
        except (OSError, ValueError):
            return None
        await asyncio.sleep(head.get("wait_s", 0.0))
        return self._made(head, body)

    def _made(self, head, body):
        self._step += 1
        if head["op"] == "message":
            opcode = BINARY if head["binary"] else TEXT
            return head, b"".join(_fragments(opcode, body, head["lengths"]))
        if head["op"] == "diverged":
            self.diverged = head["message"]
            return dict(head, op="close", by="lost"), b""
        if head["op"] != "close":
            return None
        return head, close_frame(head["code"], body) if head["by"] == "server" else body

    def leave(self):
        """The connection is closed."""
        self._link.send({"op": "left", "seq": self.answer.seq})


def _fragments(opcode, body, lengths):
    at = 0
    for number, length in enumerate(lengths, 1):
        piece = body[at : at + length]
        yield frame(opcode if number == 1 else CONTINUATION, piece, number == len(lengths))
        at += length
