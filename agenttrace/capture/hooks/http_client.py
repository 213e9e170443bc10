"""http.client, where requests, urllib3, urllib and botocore all end: told of, or answered for."""

from . import http_client_answering, http_client_recording


def install(module, link, mode):
    """Hooks http.client, in mode "record" or "replay". Returns a function that undoes it."""
    kinds = http_client_answering if mode == "replay" else http_client_recording
    return kinds.install(module, link)
