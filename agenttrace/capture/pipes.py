"""What passes through the pipes between this process and the children that it started: told of, each byte.

Nothing stands between the two: the parent's own reads and writes tell. Its file objects are made anew, over a FileIO
that tells; what reads and writes by descriptor (`communicate`, asyncio) passes `os.read` and `os.write`, which are
hooked when the first such child is started.
"""

import io
import os

from .faults import told
from .unhooked import getpid, time_ns

_streams = {}  # descriptor -> Stream
_is_hooked = False
_READ_BYTES = 1 << 16  # what a pipe holds


class Stream:
    """One pipe of one child. name: as the child sees it."""

    def __init__(self, link, span_id, name):
        self._link = link
        self._head = {"op": "piped", "id": span_id, "stream": name}
        self._pid = getpid()
        self._is_over = False

    @told
    def passed(self, data):
        """These bytes; no bytes: its end, which the parent has made or met."""
        # A fork has these pipes too; what it does with them is not told apart.
        if self._pid == getpid() and not self._is_over:
            self._is_over = not data
            self._link.send(dict(self._head, ts=time_ns()), bytes(data))


class _TellingFile(io.FileIO):
    """The parent's end of a pipe."""

    def __init__(self, fd, mode, stream):
        super().__init__(fd, mode)
        self._stream = stream
        self._fd = fd
        _streams[fd] = stream

    def read(self, size=-1):
        if size is None or size < 0:
            return self.readall()
        data = super().read(size)
        if data is not None and size:
            self._stream.passed(data)
        return data

    def readinto(self, buffer):
        count = super().readinto(buffer)
        if count is not None and len(buffer):
            self._stream.passed(memoryview(buffer).cast("B")[:count])
        return count

    def readall(self):
        # Piece by piece: what came is told of when the next is waited for.
        pieces = []
        while True:
            data = self.read(_READ_BYTES)
            if not data:
                return b"".join(pieces) if pieces or data is not None else None
            pieces.append(data)

    def write(self, data):
        return _written(self._stream, self._fd, super().write, data)

    def close(self):
        if not self.closed:
            if _streams.get(self._fd) is self._stream:
                del _streams[self._fd]
            if self.writable():
                self._stream.passed(b"")
        super().close()


def _written(stream, fd, write, data):
    # Told before it is written, so that nothing which comes of it is told first; where only a part may be taken, after.
    if os.get_blocking(fd):
        stream.passed(data)
        return write(data)
    count = write(data)
    if count:
        stream.passed(memoryview(data).cast("B")[:count])
    return count


def watched(file, link, span_id, name):
    """What stands for this file object, the parent's end of a child's pipe; itself where it can't be watched.

    The descriptor has another number then: call it before anyone has seen the old one.
    """
    made = _watched(file, link, span_id, name)
    return file if made is None else made


@told
def _watched(file, link, span_id, name):
    buffered = file.buffer if isinstance(file, io.TextIOWrapper) else file
    raw = buffered.raw if isinstance(buffered, (io.BufferedReader, io.BufferedWriter)) else buffered
    if type(raw) is not io.FileIO:
        return None
    _hook()
    made = _TellingFile(os.dup(raw.fileno()), raw.mode, Stream(link, span_id, name))
    if buffered is not raw:
        size = buffered.__sizeof__() - type(buffered).__basicsize__
        made = type(buffered)(made, size if size > 0 else io.DEFAULT_BUFFER_SIZE)
    if file is not buffered:
        made = io.TextIOWrapper(
            made,
            encoding=file.encoding,
            errors=file.errors,
            line_buffering=file.line_buffering,
            write_through=file.write_through,
        )
    file.close()
    return made


def _hook():
    global _is_hooked
    if _is_hooked:
        return
    _is_hooked = True
    read, write = os.read, os.write

    def telling_read(fd, *size):
        data = read(fd, *size)
        stream = _streams.get(fd)
        if stream is not None and size != (0,):
            stream.passed(data)
        return data

    def telling_write(fd, *data):
        stream = _streams.get(fd)
        if stream is None:
            return write(fd, *data)
        return _written(stream, fd, lambda data: write(fd, data), *data)

    for name, hook in (("read", telling_read), ("write", telling_write)):
        for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(hook, attribute, getattr(getattr(os, name), attribute, None))
        setattr(os, name, hook)
