"""Long bodies beside the socket: in a ring of shared memory, so that the agent pays a copy and no wait.

A socket holds a few hundred kilobytes; behind them the agent would wait until the collector has looked at what it got.
The ring is a file in memory that has no name. The agent makes it with its first long body, if the collector has
offered to read it, and sends its descriptor. A body is written there first, then told of by a frame whose head says
where it stands; so what was told of can be read whatever happens to the agent. The collector answers with the place
up to which it has read, eight bytes each time, the first ones being the offer. Where there is no room, no ring, or no
such memory (it is Linux's), bodies travel in the frames.

Places count on, round after round. It is written to with `pwrite`: memory that the system does not have is then an
error, and no signal.
"""

import _socket
import os
import sys

from . import frames
from .unhooked import getpid

RING_BYTES = 64 << 20
# As long as the collector keeps up, no more than this is used, again and again: memory that is at hand costs a quarter.
AT_HAND_BYTES = 2 << 20
KEPT_BYTES = 16 << 20  # what lies behind is given back to the system when it was read
PLACE_BYTES = 8


class Ring:
    """The agent's end; under its channel's lock."""

    def __init__(self, connection):
        self._connection = connection
        self._process = getpid()
        self._file = None
        self._identity = None
        self._is_off = False
        self._written = 0
        self._before = 0  # where `_written` was before the last body
        self._read = None  # up to where the collector has read; None: it has offered nothing
        self._torn = b""

    def put(self, body):
        """Puts a body in; its place, None where it must travel in its frame."""
        size = len(body)
        if self._process != getpid():  # forked by C code, with its parent's ring
            return None
        if self._is_off or (self._file is None and not self._make()):
            return None
        place = self._place_for(size)
        if place is None:
            return None
        try:
            # A program may have closed what it hasn't opened, and opened something else under this number.
            status = os.fstat(self._file)
            if (status.st_dev, status.st_ino) != self._identity:
                self._is_off = True
                return None
            if os.pwrite(self._file, body, place % RING_BYTES) != size:
                return None
        except OSError:
            return None
        self._before, self._written = self._written, place + size
        return place

    def take_back(self):
        """The frame of the last body was dropped: nobody will read it."""
        self._written = self._before

    def close(self):
        """Gives it up, in this process; the collector reads what was told of."""
        file, self._file, self._is_off = self._file, None, True
        try:
            if file is not None and _identity(file) == self._identity:
                os.close(file)
        except OSError:  # it was closed by the program
            pass

    def _place_for(self, size):
        place = self._written
        if place % RING_BYTES + size > AT_HAND_BYTES:
            self._hear()
            if self._read == place:  # all was read: from the beginning again
                place = self._read = _next_round(place)
        if place % RING_BYTES + size > RING_BYTES:
            place = _next_round(place)
        return place if place + size - self._read <= RING_BYTES else None

    def _make(self):
        try:
            self._hear()
            if self._read is None:
                return False
            if _files_are_limited():
                self._is_off = True
                return False
            self._file = _memory()
            self._identity = _identity(self._file)
            os.ftruncate(self._file, RING_BYTES)
            rights = self._file.to_bytes(4, sys.byteorder)
            frame = frames.encode({"op": "ring"})  # so short that it goes out whole or not at all
            self._connection.sendmsg([frame], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        except BlockingIOError:  # no room at the moment
            self.close()
            self._is_off = False
            return False
        except (OSError, AttributeError):  # there is no such memory
            self.close()
            return False
        return True

    def _hear(self):
        try:
            data = self._torn + self._connection.recv(4096)
        except BlockingIOError:
            return
        whole = len(data) // PLACE_BYTES * PLACE_BYTES
        self._torn = data[whole:]
        if whole:
            self._read = int.from_bytes(data[whole - PLACE_BYTES : whole], "big")


def _next_round(place):
    return -(-place // RING_BYTES) * RING_BYTES


def _identity(file):
    status = os.fstat(file)
    return status.st_dev, status.st_ino


def _files_are_limited():
    """Whether a file may not be that long: to try might be a signal, which might end the program."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return 0 <= limit < RING_BYTES


def _memory():
    """A file in memory, above 2: where one of those was closed, the program must find it so."""
    file = os.memfd_create("agenttrace")
    if file > 2:
        return file
    import fcntl

    try:
        return fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(file)
