"""Keys for tests, and forgeries that no checksum catches."""

from __future__ import annotations

import base64
import hashlib
import json

from agenttrace import _backend

# The example of RFC 8410, section 10; and a key of somebody else.
_PRIVATE = b"MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"
_PUBLIC = b"MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
_OTHER_PRIVATE = base64.b64encode(
    base64.b64decode(_PRIVATE)[:-32] + hashlib.sha256(b"other").digest()
)


def _pem(kind: str, text: bytes) -> str:
    return f"-----BEGIN {kind} KEY-----\n{text.decode()}\n-----END {kind} KEY-----\n"


PRIVATE, PUBLIC = _pem("PRIVATE", _PRIVATE), _pem("PUBLIC", _PUBLIC)
OTHER_PRIVATE = _pem("PRIVATE", _OTHER_PRIVATE)


def forged(raw: bytes, word: bytes, other: bytes) -> bytes:
    """A word changed, every line sealed again, the end's chain recomputed: as good a forgery as can be made."""
    assert word in raw
    lines = [json.loads(line) for line in raw.replace(word, other).splitlines()]
    sealed, chain = [], 0
    for event in lines:
        event.pop("crc32c")
        if event["kind"] == "trace_end":
            event["data"]["chain"] = f"{chain:08x}"
        line = _backend.seal(json.dumps(event, separators=(",", ":")).encode())
        chain = _backend.crc32c(int(line[-11:-3], 16).to_bytes(4, "big"), chain)
        sealed.append(line)
    return b"".join(sealed)
