"""Takes the host, the path and a model's name out of a request's URL."""

from __future__ import annotations

import re
from typing import Optional
from urllib.parse import unquote, urlsplit

# Azure's deployments; Bedrock's `invoke`; Vertex's `rawPredict`.
_MODEL = re.compile(
    r"/deployments/([^/]+)/"
    r"|/model/(.+)/invoke(?:-with-response-stream)?$"
    r"|/models/([^/:]+):(?:streamR|r)awPredict$"
)


def host_and_path(url: str) -> tuple[str, str]:
    """The host in lower case, the path without a last slash; both empty where it is no URL."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.path.rstrip("/")
    except (ValueError, TypeError, AttributeError):
        return "", ""


def model_in_path(url: str) -> Optional[str]:
    """The model that a cloud's URL names, in place of the body."""
    found = _MODEL.search(host_and_path(url)[1])
    return unquote(found[1] or found[2] or found[3]) if found else None
