"""Whether a client that sends no more still reads: on the wire, a close and the end of its sending look the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def is_listening(transport: asyncio.BaseTransport) -> bool:
    """Whether somebody still holds the other end of this connection, which is on this machine.

    Linux tells: a socket that nobody holds any more has no inode. False where it can't be told: more
    clients give up than shut one half.
    """
    here, there = (transport.get_extra_info(name) for name in ("sockname", "peername"))
    if not here or not there:
        return False
    return any(_holds(table, there[1], here[1]) for table in _TABLES)


def _holds(table: Path, local_port: int, remote_port: int) -> bool:
    """Columns: a number, the local and the remote address, …, the inode as the tenth (proc_net_tcp.rst)."""
    try:
        rows = table.read_text(encoding="ascii", errors="replace").splitlines()[1:]
    except OSError:
        return False
    ends = (f":{local_port:04X}", f":{remote_port:04X}")
    for row in rows:
        columns = row.split()
        if len(columns) > 9 and (columns[1][-5:], columns[2][-5:]) == ends and columns[9] != "0":
            return True
    return False
