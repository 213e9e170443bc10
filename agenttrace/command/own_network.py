"""A network of its own for a replayed command, and for all below it: loopback alone, so that nothing leaves.

Linux, where the system allows it: at once for the superuser, for others in a user namespace in which they stay who they
are. Elsewhere a command that no hook reaches has the system's network.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET
_GET_FLAGS, _SET_FLAGS = 0x8913, 0x8914  # SIOCGIFFLAGS, SIOCSIFFLAGS
_UP = 1  # IFF_UP
_REQUEST = struct.Struct("16sh14x")  # ifreq


def enter() -> bool:
    """Puts this process, and all that it starts from now on, into a network of its own. Whether it could be done; if
    not, nothing has changed. Before the process has threads.
    """
    # In a fork first: some systems let one in and then give one no rights there.
    pid = os.fork()
    if not pid:
        try:
            os._exit(0 if _enter() else 1)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    return status == 0 and _enter()


def _enter() -> bool:
    uid, gid = os.geteuid(), os.getegid()
    try:
        if uid == 0:
            _unshare(_NEW_NET)
        else:
            _unshare(_NEW_USER | _NEW_NET)
            Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            asked = fcntl.ioctl(any_socket, _GET_FLAGS, _REQUEST.pack(b"lo", 0))
            flags = _REQUEST.unpack(asked)[1] | _UP
            fcntl.ioctl(any_socket, _SET_FLAGS, _REQUEST.pack(b"lo", flags))
    except (OSError, AttributeError):  # not allowed; or no Linux
        return False
    return True


def _unshare(kinds: int) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(kinds):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
