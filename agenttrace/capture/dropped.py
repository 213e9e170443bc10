"""How many frames a process has dropped, in a file beside the collector's socket: should the process end before the
collector goes on, that is found there.
"""

import os

from .unhooked import getpid

_BETWEEN = ".dropped-"


def keep(socket_path, count):
    """This process has dropped so many and has not told of them."""
    try:
        file = os.open(_file(socket_path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(file, b"%16d" % count, 0)  # as long each time: one write replaces the other
        finally:
            os.close(file)
    except OSError:  # the folder is gone: it is told through the socket, or not at all
        return


def forget(socket_path):
    """It has told of them."""
    try:
        os.unlink(_file(socket_path))
    except OSError:  # there is none
        return


def left_behind(socket_path):
    """The counts that processes have not told of themselves."""
    folder, name = os.path.split(socket_path)
    counts = []
    for file in sorted(_listing(folder)):
        if file.startswith(name + _BETWEEN):
            try:
                with open(os.path.join(folder, file), "rb") as opened:
                    counts.append(int(opened.read()))
            except (OSError, ValueError):
                continue  # told of meanwhile
    return counts


def _file(socket_path):
    return "%s%s%d" % (socket_path, _BETWEEN, getpid())


def _listing(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []
