"""Packs and unpacks zstd with whatever the installation has; walks frames block by block.

One block at a time bounds the memory (a block unpacks to 128 KiB at most) and says exactly
where a damaged frame stops being good. RFC 8878.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional, Union

from agenttrace.errors import AgentTraceError

MAGIC = b"\x28\xb5\x2f\xfd"
_ANY_MAGIC = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
SNIFF_BYTES = 4
MAX_WINDOW_BYTES = 128 * 1024 * 1024
_LEVEL = 3
_MAX_BLOCK_BYTES = 128 * 1024
_MISSING = (
    "zstd needs the native backend, Python 3.14 or the package zstandard; none of them is here"
)


class FrameStart(NamedTuple):
    """A frame begins, at this place of the packed stream."""

    packed_offset: int


class Damage(NamedTuple):
    """The frame that began last is bad; what follows comes from the next that could be found."""


# Unpacked bytes, or what stands between them.
Piece = Union[bytes, FrameStart, Damage]


def _is_skippable(head: bytes) -> bool:
    return bool(head) and head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F


def may_be_magic(head: bytes) -> bool:
    """Whether these, less than 4 bytes, may become a frame's first 4."""
    skippable = (head[:1] or b"\x50") + b"\x2a\x4d\x18"
    return MAGIC.startswith(head) or (_is_skippable(skippable) and skippable.startswith(head))


def is_zst(head: bytes) -> bool:
    """Whether a stream that begins with these 4 bytes is a zstd stream."""
    return head[:4] == MAGIC or _is_skippable(head)


class _Standard:
    """Python 3.14's own."""

    def __init__(self) -> None:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]

        self._zstd: Any = zstd
        self.error: type[Exception] = zstd.ZstdError

    def decompress(self) -> Any:
        log = MAX_WINDOW_BYTES.bit_length() - 1
        options = {self._zstd.DecompressionParameter.window_log_max: log}
        return self._zstd.ZstdDecompressor(options=options).decompress

    def compressor(self) -> _Frame:
        parameter = self._zstd.CompressionParameter
        options = {parameter.compression_level: _LEVEL, parameter.checksum_flag: 1}
        packer = self._zstd.ZstdCompressor(options=options)
        return _Frame(packer, self._zstd.ZstdCompressor.FLUSH_BLOCK, packer.FLUSH_FRAME)


class _Package:
    """The package `zstandard`."""

    def __init__(self) -> None:
        import zstandard

        self._zstd: Any = zstandard
        self.error: type[Exception] = zstandard.ZstdError

    def decompress(self) -> Any:
        unpacker = self._zstd.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
        return unpacker.decompressobj().decompress

    def compressor(self) -> _Frame:
        packer = self._zstd.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
        return _Frame(
            packer, self._zstd.COMPRESSOBJ_FLUSH_BLOCK, self._zstd.COMPRESSOBJ_FLUSH_FINISH
        )


class _Frame:
    """One frame being packed."""

    def __init__(self, packer: Any, flush_block: int, flush_frame: int) -> None:
        self._packer = packer
        self._flush_block = flush_block
        self._flush_frame = flush_frame

    def pack(self, data: bytes, is_last: bool) -> bytes:
        """`data` packed and flushed, the frame closed if it `is_last`."""
        packed = self._packer.compress(data)
        return bytes(
            packed + self._packer.flush(self._flush_frame if is_last else self._flush_block)
        )


def library() -> Union[_Standard, _Package]:
    """Whichever zstd there is; AgentTraceError if there is none."""
    for kind in (_Standard, _Package):
        try:
            return kind()
        except ImportError:
            continue
    raise AgentTraceError(_MISSING)


class Unpacker:
    """Unpacks a stream of frames, pushed in pieces of any size."""

    def __init__(self) -> None:
        self._library = library()
        self._held = bytearray()
        self._held_at = 0
        self._decompress: Optional[Any] = None
        self._has_checksum = False
        self._step = self._frame_start
        self._skip_bytes = 0
        self._frame_at = 0
        self._header_bytes = 0
        # The part before, the header with the first block: one that was cut, or has a wrong length, takes in the next
        # frame's beginning, and nothing tells until later. No byte before `_again_from` is gone through again.
        self._before = b""
        self._again_from = 0
        self._out: list[Piece] = []

    def feed(self, packed: bytes) -> Iterator[Piece]:
        """What became whole blocks, unpacked, and the damage between them, in order.

        One at a time: a few bytes may unpack to gigabytes.
        """
        self._held += packed
        while self._step():
            if self._out:
                yield from self._out
                self._out.clear()

    def finish(self) -> Iterator[Piece]:
        """The stream is over: what can't become a frame is damage, what could is a cut frame."""
        # A block whose damaged length reaches beyond the end was waited for; there may be frames in what came instead.
        while self._is_in_frame and self._holds_another_magic:
            self._damage()
            yield from self.feed(b"")
            yield from self._out
            self._out.clear()
        if self._step == self._frame_start and self._held and not may_be_magic(bytes(self._held)):
            yield FrameStart(self._held_at)
            yield Damage()
            self._step = self._search

    @property
    def is_cut(self) -> bool:
        """Whether the stream, if it is over, ends within a frame."""
        if self._step == self._search:
            return False
        return bool(self._held) or self._step != self._frame_start

    @property
    def _is_in_frame(self) -> bool:
        is_begun = self._step == self._frame_magic and self._held[:4] == MAGIC
        return is_begun or self._step in (self._block, self._checksum)

    @property
    def _holds_another_magic(self) -> bool:
        is_own = self._held_at - len(self._before) == self._frame_at
        return MAGIC in (self._before + self._held)[4 if is_own else 0 :]

    def _eat(self, count: int) -> bytes:
        eaten = bytes(self._held[:count])
        del self._held[:count]
        self._held_at += len(eaten)
        return eaten

    def _frame_start(self) -> bool:
        if len(self._held) < 4:
            return False
        self._out.append(FrameStart(self._held_at))
        self._frame_at = self._held_at
        self._before = b""
        self._step = self._frame_magic
        return True

    def _frame_magic(self) -> bool:
        head = bytes(self._held[:4])
        if _is_skippable(head):
            if len(self._held) < 8:
                return False
            self._skip_bytes = int.from_bytes(self._eat(8)[4:], "little")
            self._step = self._skip
            return True
        if head != MAGIC:
            return self._damage()
        return self._frame_header()

    def _frame_header(self) -> bool:
        if len(self._held) < 5:
            return False
        flags = self._held[4]
        is_single = flags >> 5 & 1
        size_bytes = (is_single, 2, 4, 8)[flags >> 6]
        length = 5 + (1 - is_single) + (0, 1, 2, 4)[flags & 3] + size_bytes
        if len(self._held) < length:
            return False
        self._has_checksum = bool(flags & 4)
        self._header_bytes = length
        self._decompress = self._library.decompress()
        if self._unpack(length) and self._step == self._frame_magic:
            self._step = self._block
        return True

    def _skip(self) -> bool:
        self._skip_bytes -= len(self._eat(min(self._skip_bytes, len(self._held))))
        if self._skip_bytes:
            return False
        self._step = self._frame_start
        return True

    def _block(self) -> bool:
        if len(self._held) < 3:
            return False
        head = int.from_bytes(self._held[:3], "little")
        is_last, kind, size = head & 1, head >> 1 & 3, head >> 3
        if kind == 3 or size > _MAX_BLOCK_BYTES:
            return self._damage()
        length = 3 + (1 if kind == 1 else size)
        if len(self._held) < length:
            return False
        if not self._unpack(length):
            return False
        if is_last and self._step == self._block:
            self._step = self._checksum if self._has_checksum else self._frame_start
        return True

    def _checksum(self) -> bool:
        if len(self._held) < 4:
            return False
        if self._unpack(4) and self._step == self._checksum:
            self._step = self._frame_start
        return True

    def _unpack(self, length: int) -> bool:
        assert self._decompress is not None  # set with the frame's header
        try:
            unpacked = self._decompress(bytes(self._held[:length]))
        except (self._library.error, EOFError):
            return self._damage()
        is_first = self._before and self._held_at - len(self._before) == self._frame_at
        is_first = is_first and len(self._before) == self._header_bytes
        self._before = (self._before if is_first else b"") + self._eat(length)
        if unpacked:
            self._out.append(unpacked)
        return True

    def _damage(self) -> bool:
        self._out.append(Damage())
        before, at = self._before, self._held_at - len(self._before)
        is_header = at == self._frame_at and len(before) <= self._header_bytes
        if is_header or (before and at >= self._again_from):
            if not is_header:
                self._again_from = self._held_at
            self._held[:0] = before
            self._held_at = at
        self._before = b""
        # A frame's own magic must not be found again; another's may stand where its next block is looked for.
        self._eat(4 if self._held_at == self._frame_at else 0)
        self._step = self._search
        return True

    def _search(self) -> bool:
        found = _ANY_MAGIC.search(self._held)
        if found is None:
            self._eat(max(len(self._held) - 3, 0))
            return False
        self._eat(found.start())
        self._step = self._frame_start
        return True


class ZstdUnpacker:
    """Unpacks a zstd stream piece by piece: the body of an HTTP answer."""

    def __init__(self) -> None:
        self._unpacker = Unpacker()

    def decompress(self, data: bytes, max_bytes: int) -> bytes:
        """What became whole blocks, its first `max_bytes`. ValueError for what is no zstd."""
        unpacked = bytearray()
        for piece in self._unpacker.feed(data):
            if isinstance(piece, Damage):
                raise ValueError("the zstd stream is damaged")
            if isinstance(piece, bytes):
                unpacked += piece[: max_bytes - len(unpacked)]
        return bytes(unpacked)
