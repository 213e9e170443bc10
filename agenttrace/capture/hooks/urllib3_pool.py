"""urllib3's pools: requests whose connection fails before http.client hears of them or of their body."""

import functools

from .. import exchange as exchanges
from .. import wire
from . import connections
from .replacing import replaced


def install(module, link, mode):
    """Hooks `urllib3.connectionpool`. Returns a function that undoes it. In a replay no connection fails by itself."""
    if mode == "replay":
        return lambda: None
    return replaced(
        module.HTTPConnectionPool, {"_make_request": functools.partial(_make_request, link)}
    )


def _make_request(link, original):
    def recording(self, conn, method, url, *arguments, **named):
        connections.keep_unsent(conn, named.get("body"), "utf-8")
        try:
            return original(self, conn, method, url, *arguments, **named)
        except BaseException as error:
            _tell(link, conn, method, url, named.get("headers"), error)
            raise

    return recording


@exchanges.told
def _tell(link, conn, method, url, headers, error):
    body = connections.take_unsent(conn)
    if body is None:  # the request was begun: http.client's hook tells of it
        return
    full = connections.full_url(conn, url)
    if not exchanges.is_carried(method, full):
        pairs = [[str(name), str(value)] for name, value in (headers or {}).items()]
        wire.tell_unsent(link, method, full, pairs, bytes(body), error)
