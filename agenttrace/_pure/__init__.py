"""The contract of `_native.pyi` in the standard library alone: slower, the same bytes and findings.

Uses the package `crc32c` and a zstd (Python 3.14's, or the package `zstandard`) where they are.
"""

from __future__ import annotations

from agenttrace._pure.checksum import crc32c
from agenttrace._pure.conversation import Conversations
from agenttrace._pure.index import Index
from agenttrace._pure.jsontext import MAX_DEPTH, compact_json, may_surprise
from agenttrace._pure.line import (
    FORMAT_VERSION,
    MAX_LINE_BYTES,
    format_ts,
    open_line,
    seal,
    seal_event,
)
from agenttrace._pure.redaction import Redactor
from agenttrace._pure.scanner import Scanner
from agenttrace._pure.selection import Projection, Selection
from agenttrace._pure.signing import ed25519_is_signed, ed25519_sign
from agenttrace._pure.totals import Totals
from agenttrace._pure.writer import Writer
from agenttrace._pure.zst import ZstdUnpacker

BACKEND = "pure"

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
    "seal_event",
]
