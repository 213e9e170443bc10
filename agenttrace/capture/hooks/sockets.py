"""In a replay no connection leaves the process: what no recorded answer stands in for is refused, and told."""

import errno
import socket


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
