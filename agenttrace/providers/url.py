"""Takes the host and the path out of a request's URL."""

from __future__ import annotations

from urllib.parse import urlsplit


def host_and_path(url: str) -> tuple[str, str]:
    """The host in lower case, the path without a last slash; both empty where it is no URL."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.path.rstrip("/")
    except (ValueError, TypeError, AttributeError):
        return "", ""
