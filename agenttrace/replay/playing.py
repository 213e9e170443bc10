"""The pipes of one recorded process, played: its output goes out when the input before it has come."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Mapping

from agenttrace.replay.processes import Piece, RecordedProcess, joined

_READ_BYTES = 1 << 16


class InputDiffers(Exception):
    """Other bytes were written to the process than were recorded."""

    def __init__(self, recorded: bytes, written: bytes) -> None:
        super().__init__("other input")
        self.recorded = recorded.decode("utf-8", "replace")
        self.written = written.decode("utf-8", "replace")


class _Gone(Exception):
    """The stand-in has ended: its parent killed it."""


class Player:
    """Of one stand-in. control: a pipe to it; it ends when it reads a line. presence: a pipe from it;
    it writes when it is there, and the pipe ends when it does. streams: the other ends of its own.
    is_same: whether input says what was recorded, if it does not to the letter.
    """

    def __init__(
        self,
        process: RecordedProcess,
        control: int,
        presence: int,
        streams: Mapping[str, int],
        is_same: Callable[[bytes, bytes], bool],
    ) -> None:
        self._process = process
        self._control = control
        self._presence = presence
        self._streams = dict(streams)
        self._is_same = is_same
        self._read = bytearray()
        self._has_ended = False  # the input
        for fd in streams.values():
            os.set_blocking(fd, False)

    def play(self) -> None:
        """All of it, to the end of the stand-in. InputDiffers if other input comes."""
        try:
            if not os.read(self._presence, 1):
                return
            for stream, data in joined(self._process.pieces):
                if stream == "stdin":
                    self._take(data)
                else:
                    self._give(stream, data)
            self._end()
        except _Gone:
            return
        self._receive()
        if self._read:
            raise InputDiffers(b"", bytes(self._read))

    def close(self) -> None:
        """Lets go of the pipes."""
        for fd in (self._control, self._presence, *self._streams.values()):
            os.close(fd)
        self._streams = {}

    # -- the input ---------------------------------------------------------------------------

    def _take(self, expected: bytes) -> None:
        """Waits until this has come; no bytes: the end."""
        if "stdin" not in self._streams:
            return
        while True:
            length = self._length(expected)
            if length is not None:
                del self._read[:length]
                return
            self._wait("stdin", select.POLLIN)
            self._receive()

    def _length(self, expected: bytes) -> int | None:
        """How many bytes of what came are this; None: more must come. InputDiffers if they are not."""
        came = bytes(self._read)
        if not expected:
            if came:
                raise InputDiffers(b"", came)
            return 0 if self._has_ended else None
        if came.startswith(expected):
            return len(expected)
        if not self._has_ended and expected.startswith(came):
            return None
        # Values may differ, and lengths with them: the lines tell how far it goes, or the end.
        lines = expected.count(b"\n")
        if expected.endswith(b"\n") and came.count(b"\n") >= lines:
            came = b"".join(came.splitlines(keepends=True)[:lines]) if b"\r" not in came else came
        elif not self._has_ended and (expected.endswith(b"\n") or len(came) < len(expected)):
            return None
        if not self._is_same(expected, came):
            raise InputDiffers(expected, came)
        return len(came)

    def _receive(self) -> None:
        """Takes what is there to be read."""
        fd = self._streams.get("stdin")
        while fd is not None and not self._has_ended:
            try:
                data = os.read(fd, _READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            self._read += data
            self._has_ended = not data

    # -- the output --------------------------------------------------------------------------

    def _give(self, stream: str, data: bytes) -> None:
        if not data and stream in self._streams:
            os.close(self._streams.pop(stream))
        rest = memoryview(data)
        while rest and stream in self._streams:
            try:
                rest = rest[os.write(self._streams[stream], rest) :]
            except BlockingIOError:
                self._wait(stream, select.POLLOUT)
            except OSError:  # its parent has closed the pipe
                os.close(self._streams.pop(stream))

    # -- the process -------------------------------------------------------------------------

    def _end(self) -> None:
        """Ends it; where it was ended, or nobody saw its end, waits until that happens."""
        process = self._process
        # Whose output ended has ended too, if nobody looked.
        is_over = process.code is not None or Piece("stdout", b"") in process.pieces
        if is_over and not process.signals:
            try:
                os.write(self._control, b"\n")
            except OSError:
                return
        # What is written to it meanwhile is read, so that its parent is not held up.
        watched = select.poll()
        watched.register(self._presence, 0)
        if "stdin" in self._streams and not self._has_ended:
            watched.register(self._streams["stdin"], select.POLLIN)
        while True:
            ready = dict(watched.poll())
            if self._presence in ready:
                return
            self._receive()
            if self._has_ended:
                watched.unregister(self._streams["stdin"])

    def _wait(self, stream: str, event: int) -> None:
        """Until the stream is ready. _Gone if the process has ended before."""
        watched = select.poll()
        watched.register(self._presence, 0)
        watched.register(self._streams[stream], event)
        ready = dict(watched.poll())
        if self._presence in ready and self._streams[stream] not in ready:
            raise _Gone
