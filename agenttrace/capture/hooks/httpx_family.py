"""httpx and httpx2 (a fork of it under its own name): each transport that a client picks is wrapped.

Wrapping what `_transport_for_url` returns sees custom transports too, which a hook on HTTPTransport
would miss.
"""

from . import httpx_answering, httpx_recording


def install(module, link, mode):
    """Hooks one of the two libraries, in mode "record" or "replay". Returns a function that undoes it."""
    kinds = httpx_answering if mode == "replay" else httpx_recording
    undo_sync = _hook(module.Client, kinds.transport(module, link))
    undo_async = _hook(module.AsyncClient, kinds.async_transport(module, link))

    def undo():
        undo_sync()
        undo_async()

    return undo


def _hook(client, wrap):
    original = client._transport_for_url

    def _transport_for_url(self, url):
        return wrap(original(self, url))

    def undo():
        client._transport_for_url = original

    client._transport_for_url = _transport_for_url
    return undo
