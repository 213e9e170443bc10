"""The collector's end of a process's ring of long bodies (`capture/ring.py`)."""

from __future__ import annotations

import functools
import mmap
import os
import socket

from agenttrace.capture.frames import MAX_BODY_BYTES
from agenttrace.capture.ring import KEPT_BYTES, PLACE_BYTES, RING_BYTES

# glibc's names for what `mallopt` sets, and its highest threshold.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_KEPT_BLOCK_BYTES = 32 << 20
_KEPT_HEAP_BYTES = 128 << 20
_OFFER = bytes(PLACE_BYTES)


def offer(peer: socket.socket) -> None:
    """Tells a process that its bodies may come so."""
    _send(peer, _OFFER)


class RingReader:
    """Reads bodies in the order in which they were written, and says how far that is."""

    def __init__(self, file: int) -> None:
        """file: the descriptor that the process has sent; it is this object's from now on."""
        _keep_memory()
        self._file = file
        self._read = 0
        self._told = 0
        self._memory: mmap.mmap | None = None

    def take(self, place: int, size: int) -> bytes:
        """The body at this place. ValueError if there is none."""
        if place < self._read or not 0 <= size <= MAX_BODY_BYTES:
            raise ValueError("a body's place in the ring is not behind the one before")
        start = place % RING_BYTES
        # Read, not mapped: whose file it is could make it shorter at any moment.
        body = os.pread(self._file, size, start)
        if len(body) != size:
            raise ValueError("a body is not in the ring")
        self._read = place + size
        if start + size > KEPT_BYTES:
            self._give_back(start, start + size)
        return body

    def tell(self, peer: socket.socket, untold_bytes: int = 1) -> None:
        """Tells the process how far it was read, if so many bytes were since it was last told."""
        if self._read - self._told >= untold_bytes and _send(
            peer, self._read.to_bytes(PLACE_BYTES, "big")
        ):
            self._told = self._read

    def close(self) -> None:
        """Gives up what is left."""
        os.close(self._file)
        if self._memory is not None:
            self._memory.close()

    def _give_back(self, start: int, end: int) -> None:
        """The memory of these places goes back to the system: whole pages, whose neighbours may be in use."""
        start = -(-max(start, KEPT_BYTES) // mmap.PAGESIZE) * mmap.PAGESIZE
        pages = (end - start) // mmap.PAGESIZE
        if pages <= 0:
            return
        if self._memory is None:
            self._memory = mmap.mmap(self._file, RING_BYTES)
        self._memory.madvise(mmap.MADV_REMOVE, start, pages * mmap.PAGESIZE)


@functools.lru_cache(maxsize=1)
def _keep_memory() -> None:
    """The memory of one long body serves the next. Given back and fetched anew, page by page, it would cost as much as
    all else that is done with a body.
    """
    try:
        import ctypes

        mallopt = ctypes.CDLL(None).mallopt
    except (ImportError, OSError, AttributeError):  # another C library: it has its own ways
        return
    mallopt(_M_MMAP_THRESHOLD, _KEPT_BLOCK_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEPT_HEAP_BYTES)


def _send(peer: socket.socket, data: bytes) -> bool:
    try:
        return peer.send(data, socket.MSG_DONTWAIT) == len(data)
    except OSError:  # no room at the moment, or nobody there any more
        return False
