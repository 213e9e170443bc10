"""Picks who keeps the contract of `_native.pyi`: the native module, else the pure one.

The environment variable AGENTTRACE_BACKEND forces one: `native` or `pure`.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import TYPE_CHECKING

from agenttrace.errors import AgentTraceError

__all__ = [
    "BACKEND",
    "FORMAT_VERSION",
    "MAX_DEPTH",
    "MAX_LINE_BYTES",
    "Conversations",
    "Index",
    "Projection",
    "Redactor",
    "Scanner",
    "Selection",
    "Totals",
    "Writer",
    "ZstdUnpacker",
    "compact_json",
    "crc32c",
    "ed25519_is_signed",
    "ed25519_sign",
    "format_ts",
    "may_surprise",
    "open_line",
    "seal",
]


def _pick() -> ModuleType:
    wanted = os.environ.get("AGENTTRACE_BACKEND") or None
    if wanted not in (None, "native", "pure"):
        raise AgentTraceError(f"AGENTTRACE_BACKEND is native or pure, not {wanted!r}")
    if wanted != "pure":
        try:
            from agenttrace import _native

            return _native
        except ImportError as error:
            if wanted == "native":
                raise AgentTraceError(
                    "AGENTTRACE_BACKEND is native, and the native module is not installed"
                ) from error
    from agenttrace import _pure

    return _pure


# Spelled out, so that a name that either module lacks fails here and is seen by type checkers.
if TYPE_CHECKING:
    from agenttrace._native import (
        BACKEND,
        FORMAT_VERSION,
        MAX_DEPTH,
        MAX_LINE_BYTES,
        Conversations,
        Index,
        Projection,
        Redactor,
        Scanner,
        Selection,
        Totals,
        Writer,
        ZstdUnpacker,
        compact_json,
        crc32c,
        ed25519_is_signed,
        ed25519_sign,
        format_ts,
        may_surprise,
        open_line,
        seal,
    )
else:
    _picked = _pick()
    BACKEND = _picked.BACKEND
    FORMAT_VERSION = _picked.FORMAT_VERSION
    MAX_DEPTH = _picked.MAX_DEPTH
    MAX_LINE_BYTES = _picked.MAX_LINE_BYTES
    Conversations = _picked.Conversations
    Index = _picked.Index
    Projection = _picked.Projection
    Redactor = _picked.Redactor
    Scanner = _picked.Scanner
    Selection = _picked.Selection
    Totals = _picked.Totals
    Writer = _picked.Writer
    ZstdUnpacker = _picked.ZstdUnpacker
    compact_json = _picked.compact_json
    crc32c = _picked.crc32c
    ed25519_is_signed = _picked.ed25519_is_signed
    ed25519_sign = _picked.ed25519_sign
    format_ts = _picked.format_ts
    may_surprise = _picked.may_surprise
    open_line = _picked.open_line
    seal = _picked.seal
