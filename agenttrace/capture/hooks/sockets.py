"""Sockets that connect: told of while it is recorded, so that what no hook decodes is not silently missed; in a replay
no connection leaves the process: what no recorded answer stands in for is refused, and told.
"""

import errno
import os
import socket

from ..faults import told
from .replacing import replaced

_MOST_NAMES = 10000  # that are remembered of what was looked up
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def install(module, link, mode):
    """Watches or refuses; returns a function that undoes it."""
    return refuse(link) if mode == "replay" else watch(link)


def watch(link):
    """From now on connections by TCP are told of, each place once. Returns a function that undoes it."""
    names, told_of = {}, set()

    @told
    def tell(connection, address):
        if connection.family not in (socket.AF_INET, socket.AF_INET6):
            return
        if connection.type != socket.SOCK_STREAM or not isinstance(address[0], str):
            return
        host, port = address[0], address[1]
        place = (names.get(host, host), host, port)
        if place in told_of or len(told_of) >= _MOST_NAMES:
            return
        told_of.add(place)
        hosts = list(dict.fromkeys(place[:2]))
        proxy = any(_is_proxy(name, port) for name in hosts)
        link.send({"op": "connect", "hosts": hosts, "port": port, "proxy": proxy})

    @told
    def remember(host, found):
        if isinstance(host, bytes):
            host = host.decode("ascii", "replace")
        for _, _, _, _, address in found:
            if isinstance(host, str) and len(names) < _MOST_NAMES:
                names[address[0]] = host

    def telling(original):
        def connecting(self, address):
            tell(self, address)
            return original(self, address)

        return connecting

    def remembering(original):
        def getaddrinfo(host, *arguments, **named):
            found = original(host, *arguments, **named)
            remember(host, found)
            return found

        return getaddrinfo

    undo_sockets = replaced(socket.socket, {"connect": telling, "connect_ex": telling})
    undo_names = replaced(socket, {"getaddrinfo": remembering})

    def undo():
        undo_names()
        undo_sockets()

    return undo


def _is_proxy(host, port):
    place = "%s:%d" % (host, port)
    return any(
        place in (os.environ.get(name) or os.environ.get(name.upper()) or "") for name in _PROXIES
    )


def refuse(link):
    """From now on sockets connect to Unix sockets of this machine only. link: is told of each refusal.

    On the class itself, so that its subclasses (ssl's) refuse too. Returns a function that undoes it.
    """
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def refusing_connect(self, address):
        if self.family == socket.AF_UNIX:
            return connect(self, address)
        link.send({"op": "refused", "address": str(address)})
        raise ConnectionRefusedError(
            errno.ECONNREFUSED, "refused by agenttrace replay: %s was not recorded" % (address,)
        )

    def refusing_connect_ex(self, address):
        if self.family == socket.AF_UNIX:
            return connect_ex(self, address)
        link.send({"op": "refused", "address": str(address)})
        return errno.ECONNREFUSED

    socket.socket.connect = refusing_connect
    socket.socket.connect_ex = refusing_connect_ex

    def undo():
        socket.socket.connect = connect
        socket.socket.connect_ex = connect_ex

    return undo
