"""Where a request is asked: its server, as far as it is meant, and its path."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_LOOPBACK = re.compile(r"(?:127\.\d+\.\d+\.\d+|0\.0\.0\.0|localhost|\[::1?\])(?::\d*)?\Z")


def place_of(url: str, is_of_model: bool) -> bytes:
    """What of its server a request means."""
    if is_of_model:
        return b"a model "
    server = server_of(url)
    return b"here " if _LOOPBACK.match(server) else f"{server} ".encode("utf-8", "replace")


def places_of(url: str) -> tuple[bytes, ...]:
    """Where what is asked there may have been recorded."""
    return place_of(url, is_of_model=False), place_of(url, is_of_model=True)


def server_of(url: str) -> str:
    """Host and port; the whole of a URL that is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return url


def path_of(url: str) -> str:
    """Path and query, what is asked of whichever server; the whole of a URL that is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return f"{parts.path}?{parts.query}"
