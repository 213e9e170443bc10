"""aiohttp's client: told of, or answered for; and its websockets."""

from . import aiohttp_answering, aiohttp_recording, websockets_client


def install(module, link, mode):
    """Hooks aiohttp, in mode "record" or "replay". Returns a function that undoes it."""
    kinds = aiohttp_answering if mode == "replay" else aiohttp_recording
    undo_http = kinds.install(module, link)
    undo_websockets = websockets_client.install_aiohttp(module, link)

    def undo():
        undo_http()
        undo_websockets()

    return undo
