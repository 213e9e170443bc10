"""Sockets that connect: told of while it is recorded, so that what no hook decodes is not silently missed; in a replay
no connection leaves the process until it goes live: what no recorded answer stands in for is refused, and told.
"""

import errno
import os
import socket

from .. import live
from ..faults import told
from .replacing import replaced

_MOST_NAMES = 10000  # that are remembered of what was looked up
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def install(module, link, mode):
    """Watches or refuses; returns a function that undoes it."""
    return refuse(link) if mode == "replay" else watch(link)


def watch(link):
    """From now on connections by TCP are told of, each place once. Returns a function that undoes it."""
    seen = _Seen(link)

    def telling(original):
        def connecting(self, address):
            seen.tell(self, address)
            return original(self, address)

        return connecting

    undo_sockets = replaced(socket.socket, {"connect": telling, "connect_ex": telling})
    undo_names = replaced(socket, {"getaddrinfo": seen.remembering})

    def undo():
        undo_names()
        undo_sockets()

    return undo


def refuse(link):
    """From now on sockets connect to Unix sockets of this machine only. Once the replay has gone live they connect, and
    are told of. link: is asked for each connection until then, and so told of each refusal.

    On the class itself, so that its subclasses (ssl's) refuse too. Returns a function that undoes it.
    """
    seen = _Seen(link)

    def refusing(refusal):
        def hook(original):
            def connecting(self, address):
                if self.family != socket.AF_UNIX:
                    if not live.has_begun() and not _may_connect(link, address):
                        return refusal(address)
                    seen.tell(self, address)
                return original(self, address)

            return connecting

        return hook

    hooks = {"connect": refusing(_raise_refused), "connect_ex": refusing(_refused_number)}
    undo_sockets = replaced(socket.socket, hooks)
    undo_names = replaced(socket, {"getaddrinfo": seen.remembering})

    def undo():
        undo_names()
        undo_sockets()

    return undo


def _may_connect(link, address):
    """Whether the replay has gone live by now, perhaps in another process. One that can't be reached has not."""
    try:
        head, _ = link.ask({"op": "connecting", "address": str(address)})
    except (OSError, ValueError):
        return False
    if head["op"] == "live":
        live.begin()
    return live.has_begun()


def _raise_refused(address):
    raise ConnectionRefusedError(
        errno.ECONNREFUSED, "refused by agenttrace replay: %s was not recorded" % (address,)
    )


def _refused_number(address):
    return errno.ECONNREFUSED


class _Seen:
    """Where this process has connected to; the names that it had looked up."""

    def __init__(self, link):
        self._link = link
        self._names = {}
        self._told_of = set()

    @told
    def tell(self, connection, address):
        if connection.family not in (socket.AF_INET, socket.AF_INET6):
            return
        if connection.type != socket.SOCK_STREAM or not isinstance(address[0], str):
            return
        host, port = address[0], address[1]
        place = (self._names.get(host, host), host, port)
        if place in self._told_of or len(self._told_of) >= _MOST_NAMES:
            return
        self._told_of.add(place)
        hosts = list(dict.fromkeys(place[:2]))
        proxy = any(_is_proxy(name, port) for name in hosts)
        self._link.send({"op": "connect", "hosts": hosts, "port": port, "proxy": proxy})

    @told
    def _remember(self, host, found):
        if isinstance(host, bytes):
            host = host.decode("ascii", "replace")
        for _, _, _, _, address in found:
            if isinstance(host, str) and len(self._names) < _MOST_NAMES:
                self._names[address[0]] = host

    def remembering(self, original):
        """A `getaddrinfo` whose answers are remembered."""

        def getaddrinfo(host, *arguments, **named):
            found = original(host, *arguments, **named)
            self._remember(host, found)
            return found

        return getaddrinfo


def _is_proxy(host, port):
    place = "%s:%d" % (host, port)
    return any(
        place in (os.environ.get(name) or os.environ.get(name.upper()) or "") for name in _PROXIES
    )
