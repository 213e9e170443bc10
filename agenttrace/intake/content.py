"""Bodies as they travelled, to what a trace holds: unpacked, limited in size, as JSON where they are JSON."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Protocol

from agenttrace import _backend, encoding
from agenttrace.errors import AgentTraceError
from agenttrace.event import parse_json

MAX_BODY_BYTES = 48 << 20  # leaves room for the rest of a line of 64 MiB


class Unpacker(Protocol):
    """Undoes a content encoding, piece by piece."""

    def decompress(self, data: bytes) -> bytes:
        """What came out, cut where it is longer than a body may be. ValueError for what is not packed so."""


class _Plain:
    def decompress(self, data: bytes) -> bytes:
        return data


class _Zlib:
    """gzip and deflate, with or without zlib's header, as servers send them."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._is_first = True

    def decompress(self, data: bytes) -> bytes:
        try:
            return self._unpacked(data)
        except zlib.error as error:
            raise ValueError(str(error)) from None
        finally:
            self._is_first = False

    def _unpacked(self, data: bytes) -> bytes:
        try:
            return self._object.decompress(data, MAX_BODY_BYTES)
        except zlib.error:
            if not self._is_first:
                raise
            self._object = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._object.decompress(data, MAX_BODY_BYTES)


class _Zstd:
    def __init__(self) -> None:
        self._unpacker = _backend.ZstdUnpacker()

    def decompress(self, data: bytes) -> bytes:
        return self._unpacker.decompress(data, MAX_BODY_BYTES)


class _Brotli:
    def __init__(self) -> None:
        import brotli

        self._unpacker = brotli.Decompressor()
        self._error: type[Exception] = brotli.error

    def decompress(self, data: bytes) -> bytes:
        try:
            unpacked: bytes = self._unpacker.process(data, output_buffer_limit=MAX_BODY_BYTES)
        except self._error as error:
            raise ValueError(str(error)) from None
        return unpacked


_UNPACKERS: dict[str, Callable[[], Unpacker]] = {
    "": _Plain,
    "identity": _Plain,
    "gzip": _Zlib,
    "x-gzip": _Zlib,
    "deflate": _Zlib,
    "zstd": _Zstd,
    "br": _Brotli,
}


def unpacker(encoding_name: str) -> Unpacker | None:
    """What undoes this `content-encoding`; None if nothing here does (the bytes are then kept as they came)."""
    make = _UNPACKERS.get(encoding_name.strip().lower())
    try:
        return make() if make is not None else None
    except (ImportError, AgentTraceError):  # a library is missing
        return None


def read_json(body: bytes) -> tuple[encoding.RawJson | None, Any]:
    """(the body as the format carries JSON, its value), or (None, None) if it can't be carried so."""
    if body[:1] not in (b"{", b"[", b'"') and not body[:16].strip().startswith((b"{", b"[")):
        return None, None
    try:
        # Two levels for `data` and the line around it, one for a member in it.
        compact = _backend.compact_json(body, _backend.MAX_DEPTH - 3)
        return encoding.RawJson(compact), parse_json(compact)
    except (ValueError, RecursionError):
        return None, None


def body_members(name: str, body: bytes) -> tuple[dict[str, Any], Any]:
    """(what an event's data holds of a body: {name: JSON} or {"body": …} or nothing; its value if it is JSON)."""
    if not body:
        return {}, None
    truncated = {}
    if len(body) > MAX_BODY_BYTES:
        truncated = {"truncated": len(body)}
        body = body[:MAX_BODY_BYTES]
    raw, value = read_json(body)
    if raw is not None:
        return {name: raw, **truncated}, value
    return {"body": encoding.bytes_value(body), **truncated}, None
