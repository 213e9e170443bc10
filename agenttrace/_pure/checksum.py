"""CRC-32C (Castagnoli, RFC 3720): the one place of the pure backend that knows it."""

from __future__ import annotations

import struct
from typing import Any, Callable, Optional, Union

# What can be read as bytes; `collections.abc.Buffer` came with Python 3.12.
Buffer = Union[bytes, bytearray, memoryview]


def as_bytes(data: Buffer) -> bytes:
    """A bytes-like object as bytes: itself, or a copy. (`bytes(5)` would be five zeros.)"""
    return data if isinstance(data, bytes) else memoryview(data).tobytes()


_POLYNOMIAL = 0x82F63B78
_BLOCK_WORDS = 16384
_WIDE_FROM_BYTES = 4096


def _byte_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _byte_table()
_wide: Optional[tuple[list[int], list[int]]] = None


def _wide_tables() -> tuple[list[int], list[int]]:
    """Two tables of 65,536: four bytes a step. Made when first needed, it takes some 50 ms."""
    global _wide
    if _wide is None:
        table = _TABLE
        near = [0] * 65536
        for pair in range(65536):
            crc = table[pair & 0xFF] ^ (pair >> 8)
            near[pair] = table[crc & 0xFF] ^ (crc >> 8)
        far = []
        for crc in near:
            crc = table[crc & 0xFF] ^ (crc >> 8)
            far.append(table[crc & 0xFF] ^ (crc >> 8))
        _wide = (near, far)
    return _wide


def _over_words(view: memoryview, crc: int) -> int:
    near, far = _wide_tables()
    for start in range(0, len(view), _BLOCK_WORDS * 4):
        block = view[start : start + _BLOCK_WORDS * 4]
        for word in struct.unpack(f"<{len(block) // 4}I", block):
            crc ^= word
            crc = far[crc & 0xFFFF] ^ near[crc >> 16]
    return crc


def table_crc32c(data: Buffer, value: int = 0) -> int:
    """CRC-32C by tables alone; what `crc32c` is where the package of that name is missing."""
    view = memoryview(data).cast("B")
    crc = (value & 0xFFFFFFFF) ^ 0xFFFFFFFF
    whole = len(view) & ~3 if len(view) >= _WIDE_FROM_BYTES else 0
    if whole:
        crc = _over_words(view[:whole], crc)
    table = _TABLE
    for byte in view[whole:]:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


_fast: Optional[Callable[..., Any]]
try:
    from crc32c import crc32c as _fast
except ImportError:
    _fast = None


def crc32c(data: Buffer, value: int = 0) -> int:
    """CRC-32C of `data`, going on from `value`. b"123456789" -> 0xe3069283."""
    if _fast is None:
        return table_crc32c(data, value)
    return int(_fast(data, value))
