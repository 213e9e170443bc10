"""The frames that travel between an agent's processes and the collector: a head in JSON, a body in bytes.

A frame is 12 bytes, then the head, then the body: b"AT", the protocol version (1 byte), a zero byte, the lengths of
head and body (32 bits each, big-endian). A head's `ring` (place, length) says that the body stands in the ring
(`ring.py`) instead. What the heads say:

    op        from    says
    hello     agent   a hooked process is there: pid, ppid, argv, image (what tells its program from others, by the
                      system's random addresses; its forks share it; "" where the system doesn't say)
    ring      agent   with it travels the descriptor of its ring
    process   agent   it started a process: id (its span), parent, ts, argv, cwd, pid (or null), fork (whether that
                      is a copy of itself), hooked (whether the hooks get into it), unreached (why they can't get
                      into a Python, or null)
    piped     agent   bytes passed a pipe of that process: id, ts, stream (stdin, stdout or stderr); the body is the
                      bytes; none: the pipe's end
    signal    agent   it is sending a signal to that process: id, ts, number
    exit      agent   that process ended: id, ts, code (-N: by signal N), duration (ns); or it could not be started:
                      error {type, message, errno, filename}
    seen      front   a Python of the command that may be without hooks: pid, image, program, argv, why (or null)
    request   agent   an HTTP exchange begins: id (its span), ts, method, url, headers; the body is the body
    response  agent   its status and headers: id, at (ns since the request)
    chunk     agent   a piece of its answer's body: id, at
    end       agent   it is over: id, at, complete, error {type, message} or null
    ws        agent   a websocket message: id (the connection's span), parent, ts, direction (send or receive), url,
                      binary (whether it is one), part (of one in fragments: more; behind the last one: end); the body
                      is the message or fragment. Or its end (direction close): code, ended_by (server, client
                      or lost); the body is the reason
    connect   agent   a connection is made: hosts (the name that was looked up, the address), port, proxy (whether it
                      speaks for others: a proxy of the environment, or one that the agent's code gave a client)
    draw      agent   time or chance was drawn: stream (of `draws.py`), command, root and forks (whose process it is),
                      thread, ts (the first reading's); the body is a block of the stream
    event     agent   an event of a Tracer, or of the front: ts, kind, span, parent; the body is `data` in JSON
    gap       agent   frames were dropped: dropped (how many), reason; from the front: what is not recorded: reason
    output    front   what the command read or wrote: ts, stream, fd, tty
    finish    front   the command has ended: trace_end's facts
    summary   coll.   the answer to `finish`: what was recorded
    ask       agent   replay: what a `request` says, and process and turn: in which order this process asked.
                      Answered by `answer`, `diverged` or `live`
    draws     agent   replay: wants a stream's blocks; says what `draw` says, and from (how many it had). Answered by
                      `draws`: lengths (of the blocks in the body), now_ns (the time of day, in the recording)
    spawn     agent   replay: what stands in for a process? argv, cwd, is_shown (whether what it prints goes
                      elsewhere than to its parent), span. Answered by `stand_in`, `failed`, `diverged` or `live`
    stand_in  resp.   number, code (how it ended, or null), outlived (signals that it did not die of)
    failed    resp.   starting it failed: errno, filename
    play      agent   the stand-in's pipes, for the responder to play: number, streams; with it travel descriptors:
                      of a pipe to the stand-in, which ends when it reads a line; of one from it, on which it says
                      that it is there; then of the streams
    ran       agent   replay: argv was started for real
    answer    resp.   seq (of the recorded request), status, headers, lengths and times (at) of the pieces in the body,
                      error, complete; woven: whether the pieces behind the first are to be awaited
    diverged  resp.   message
    live      resp.   the real thing is to be asked, and told of as in a recording; `draws` may be answered by it too
    connecting  agent a connection is about to be made: address. Answered by `refused` or `live`
    await     agent   seq, step: the piece of this number, or behind the last one the end, is to be handed on
    go        resp.   now
    left      agent   seq: no more pieces are wanted; of a websocket: it is closed
    sent      agent   replay: a websocket that was answered sends the body: seq (of its opening), lengths (of the
                      fragments), process and turn. Answered by `go` or `diverged`
    next      agent   replay: what does its server do next? seq, step (how often that was answered). Answered by
                      `message`, `close`, `diverged` (what it waits for won't come) or `over`
    message   resp.   binary, lengths (of the fragments in the body), wait_s
    close     resp.   code, by, wait_s; the body is the reason
"""

import sys

MAGIC = b"AT"
VERSION = 1
STALLED = "the collector stalled"  # why frames were dropped
PREFIX_BYTES = 12
# A body may be as long as an expanded request; a longer one is cut by its sender.
MAX_BODY_BYTES = 64 << 20
MAX_HEAD_BYTES = 16 << 20

# json takes longer to load than all the rest of us: the first frames of a process do without it.
_encode = None
_frames_without_json = 16


class FrameError(Exception):
    """The other side does not speak this protocol, or another version of it."""


def encode(head, body=b""):
    """One frame as bytes. head: a dict that JSON can carry; body: bytes."""
    text = _spelled(head).encode("ascii")
    lengths = len(text).to_bytes(4, "big") + len(body).to_bytes(4, "big")
    return b"".join((MAGIC, bytes((VERSION, 0)), lengths, text, body))


def _spelled(head):
    global _encode, _frames_without_json
    if _encode is None:
        if _frames_without_json > 0 and "json" not in sys.modules:
            _frames_without_json -= 1
            try:
                return _json_of(head)
            except TypeError:
                pass
        import json

        options = {"ensure_ascii": True, "separators": (",", ":"), "check_circular": False}
        _encode = json.JSONEncoder(**options).encode
    return _encode(head)


def _json_of(value):
    """What json would make of it. TypeError for what no frame holds at a process's start."""
    kind = type(value)
    if kind is str:
        return _quoted(value)
    if kind is int:
        return "%d" % value
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is list:
        return "[%s]" % ",".join([_json_of(one) for one in value])
    if kind is dict:
        members = ["%s:%s" % (_json_of(name), _json_of(one)) for name, one in value.items()]
        return "{%s}" % ",".join(members)
    raise TypeError(kind)


def _quoted(text):
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return '"%s"' % text
    try:
        from _json import encode_basestring_ascii as quoted
    except ImportError:  # another implementation of Python
        from json import dumps as quoted

    return quoted(text)


class Decoder:
    """Frames out of a byte stream that comes in pieces of any size."""

    def __init__(self):
        self._buffer = bytearray()

    def feed(self, data):
        """Takes the next bytes; yields (head, body) for each frame that is complete. FrameError on anything else."""
        import json

        self._buffer += data
        while len(self._buffer) >= PREFIX_BYTES:
            head_bytes = int.from_bytes(self._buffer[4:8], "big")
            body_bytes = int.from_bytes(self._buffer[8:12], "big")
            if self._buffer[:2] != MAGIC or self._buffer[2] != VERSION:
                raise FrameError("not a frame of protocol version %d" % VERSION)
            if head_bytes > MAX_HEAD_BYTES or body_bytes > MAX_BODY_BYTES:
                raise FrameError(
                    "a frame of %d bytes is over the limit" % (head_bytes + body_bytes)
                )
            body_at = PREFIX_BYTES + head_bytes
            end = body_at + body_bytes
            if len(self._buffer) < end:
                return
            with memoryview(
                self._buffer
            ) as view:  # a slice of the buffer itself would be one more copy
                head = json.loads(bytes(view[PREFIX_BYTES:body_at]))
                body = bytes(view[body_at:end])
            del self._buffer[:end]
            yield head, body

    @property
    def pending_bytes(self):
        """Bytes of a frame that is not complete yet."""
        return len(self._buffer)
