"""httpcore and httpcore2 used by themselves: their pools and connections tell, or answer.

Where a library above (httpx, httpx2) tells of a request, these keep still; what a pool tells of, its connections do
not: a tunnel's CONNECT and the request to a proxy are the pool's own affair.
"""

from .. import exchange as exchanges
from . import connections, httpcore_answering, httpcore_recording
from .replacing import replaced

_DEFAULT_PORTS = {b"http": 80, b"https": 443}


def install(module, link, mode):
    """Hooks one of the two libraries, in mode "record" or "replay". Returns a function that undoes it."""
    kinds = httpcore_answering if mode == "replay" else httpcore_recording
    handle, handle_async = kinds.handler(module, link), kinds.async_handler(module, link)
    undos = [
        replaced(module.ConnectionPool, {"handle_request": _of_pool(link, handle)}),
        replaced(module.HTTPConnection, {"handle_request": _of_connection(handle)}),
        replaced(
            module.AsyncConnectionPool, {"handle_async_request": _of_pool(link, handle_async)}
        ),
        replaced(
            module.AsyncHTTPConnection, {"handle_async_request": _of_connection(handle_async)}
        ),
    ]

    def undo():
        for one in undos:
            one()

    return undo


def _of_pool(link, handle):
    """What stands in for a pool's method. handle: told the method, the pool, the request and its URL."""

    def hook(original):
        def handling(self, request):
            _tell_proxy(link, self)
            url = _url(request.url)
            if exchanges.is_carried(_method(request), url):
                return original(self, request)
            return handle(original, self, request, url)

        return handling

    return hook


def _of_connection(handle):
    def hook(original):
        def handling(self, request):
            if exchanges.is_carrying():
                return original(self, request)
            return handle(original, self, request, _url(request.url))

        return handling

    return hook


def _method(request):
    return request.method.decode("latin-1")


def _url(url):
    host = b"[%b]" % url.host if b":" in url.host else url.host
    if url.port is not None and url.port != _DEFAULT_PORTS.get(url.scheme):
        host = b"%b:%d" % (host, url.port)
    return (url.scheme + b"://" + host + url.target).decode("latin-1")


@exchanges.told
def _tell_proxy(link, pool):
    proxy = getattr(pool, "_proxy", None)
    url = getattr(pool, "_proxy_url", None) if proxy is None else proxy.url
    if url is not None:
        port = url.port or _DEFAULT_PORTS.get(url.scheme, 1080)
        connections.is_through(link, url.host.decode("latin-1"), port)
