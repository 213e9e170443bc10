"""A folder of one run with the Unix socket that the hooks of its command speak to; closed to other users."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

# A Unix socket's path holds some hundred bytes; what we add takes some forty.
_MAX_BASE_BYTES = 60
_SHARED_MEMORY = "/dev/shm"


class SocketFolder(NamedTuple):
    """path: of the socket. listener: bound to it, listening."""

    path: str
    listener: socket.socket

    @property
    def folder(self) -> str:
        """The folder itself."""
        return os.path.dirname(self.path)


@contextlib.contextmanager
def socket_folder(name: str) -> Iterator[SocketFolder]:
    """Makes the folder (0700) and listens on a socket of this name in it; both are gone afterwards."""
    folder = tempfile.mkdtemp(prefix="agenttrace-", dir=_base())
    try:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with listener:
            path = os.path.join(folder, name)
            listener.bind(path)
            listener.listen(128)
            yield SocketFolder(path, listener)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _base() -> str:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and len(os.fsencode(runtime)) < _MAX_BASE_BYTES and os.access(runtime, os.W_OK):
        return runtime
    try:
        usual = tempfile.gettempdir()
    except FileNotFoundError:
        return _SHARED_MEMORY  # in a container with a read-only root it can be written as a rule
    return usual if len(os.fsencode(usual)) < _MAX_BASE_BYTES else "/tmp"


def is_own_peer(peer: socket.socket) -> bool:
    """Whether the other end is a process of this user, as far as the system says.

    Where it doesn't, the folder's mode alone keeps others out.
    """
    credentials = _credentials(peer)
    return credentials is None or credentials[1] == os.geteuid()


def peer_pid(peer: socket.socket) -> int | None:
    """The process at the other end, as far as the system says."""
    credentials = _credentials(peer)
    return None if credentials is None else credentials[0]


def _credentials(peer: socket.socket) -> tuple[int, int] | None:
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    layout = struct.Struct("3i")
    pid, uid, _ = layout.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size))
    return pid, uid
