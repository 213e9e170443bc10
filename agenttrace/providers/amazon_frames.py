"""Cuts a stream of bytes into Amazon's event stream frames, wherever the pieces were cut.

Source: https://smithy.io/2.0/aws/amazon-eventstream.html. A frame is its length, its headers' length
and a CRC-32 of both; headers; a payload; and a CRC-32 of all that. Numbers are big-endian.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
import zlib
from typing import Optional

from .base import mapping, parsed, string

_PRELUDE_BYTES = 12
_SMALLEST_BYTES = _PRELUDE_BYTES + 4
_LARGEST_BYTES = 24 * 2**20  # what the specification allows, a little rounded up
# By its type: how many bytes the value of a header has. 6 and 7, bytes and text, say it themselves.
_VALUE_BYTES = {b"\0": 0, b"\1": 0, b"\2": 1, b"\3": 2, b"\4": 4, b"\5": 8, b"\b": 8, b"\t": 16}
_TEXT = b"\7"


class AmazonFrames:
    """An incremental splitter with the interface of `EventStream`; a frame is an event.

    Its name is the frame's `:event-type`, its data the payload; of a payload that wraps a model's own
    event (`{"bytes": BASE64}`) that event. Exceptions are events `error` with the usual object.
    Behind a frame that is damaged nothing is read: where the next begins is not known.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._is_damaged = False

    def feed(self, piece: bytes) -> list[tuple[Optional[str], str]]:
        """The frames that this piece completes; those without a payload are passed over."""
        frames = self.frames(piece)
        self.refused()
        return [event for frame in frames if (event := _event(frame)) is not None]

    def close(self) -> list[tuple[Optional[str], str]]:
        """Nothing: what the end of the bytes cut is no frame."""
        return []

    def frames(self, piece: bytes) -> list[bytes]:
        """The frames that this piece completes, whole, with right checksums."""
        self._rest += piece
        found, at = [], 0
        while len(self._rest) - at >= _PRELUDE_BYTES and not self._is_damaged:
            prelude = bytes(self._rest[at : at + _PRELUDE_BYTES])
            length, headers, crc = struct.unpack(">III", prelude)
            self._is_damaged = (
                zlib.crc32(prelude[:8]) != crc
                or not headers + _SMALLEST_BYTES <= length <= _LARGEST_BYTES
            )
            if self._is_damaged or len(self._rest) - at < length:
                break
            frame = bytes(self._rest[at : at + length])
            self._is_damaged = zlib.crc32(frame[:-4]) != int.from_bytes(frame[-4:], "big")
            if not self._is_damaged:
                found.append(frame)
                at += length
        del self._rest[:at]
        return found

    def refused(self, is_over: bool = False) -> bytes:
        """Takes out the bytes behind a damaged frame's beginning; once it is over, all that is left."""
        if not (self._is_damaged or is_over):
            return b""
        refused = bytes(self._rest)
        self._rest.clear()
        return refused


def payload_of(frame: bytes) -> bytes:
    """What a whole frame carries."""
    return frame[_PRELUDE_BYTES + int.from_bytes(frame[4:8], "big") : -4]


def with_payload(frame: bytes, payload: bytes) -> bytes:
    """A whole frame that carries this in place of its own payload."""
    headers = frame[_PRELUDE_BYTES : _PRELUDE_BYTES + int.from_bytes(frame[4:8], "big")]
    lengths = struct.pack(">II", _SMALLEST_BYTES + len(headers) + len(payload), len(headers))
    changed = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return changed + struct.pack(">I", zlib.crc32(changed))


def wrapped(payload: bytes) -> Optional[bytes]:
    """The model's own event in a payload that wraps one."""
    inner = mapping(parsed(payload.decode("utf-8", "replace"))).get("bytes")
    try:
        return base64.b64decode(inner) if isinstance(inner, str) else None
    except (binascii.Error, ValueError):
        return None


def _event(frame: bytes) -> Optional[tuple[Optional[str], str]]:
    headers = _headers(frame[_PRELUDE_BYTES : _PRELUDE_BYTES + int.from_bytes(frame[4:8], "big")])
    payload = payload_of(frame)
    kind = headers.get(":exception-type") or headers.get(":error-code")
    if kind:
        told = mapping(parsed(payload.decode("utf-8", "replace")))
        message = string(told.get("message")) or headers.get(":error-message", "")
        return "error", json.dumps({"error": {"type": kind, "message": message}})
    if not payload:
        return None
    inner = wrapped(payload)
    data = payload if inner is None else inner
    return headers.get(":event-type"), data.decode("utf-8", "replace")


def _headers(block: bytes) -> dict[str, str]:
    """The headers that are text; of nonsense, nothing that matters."""
    found: dict[str, str] = {}
    rest = block
    while rest:
        name, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
        kind, rest = rest[:1], rest[1:]
        length = _VALUE_BYTES.get(kind)
        if length is None:
            length, rest = int.from_bytes(rest[:2], "big"), rest[2:]
        if kind == _TEXT:
            found[name.decode("utf-8", "replace")] = rest[:length].decode("utf-8", "replace")
        rest = rest[length:]
    return found
