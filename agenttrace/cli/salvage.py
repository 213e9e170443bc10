"""Finds what is still whole inside damaged lines, and says what is lost. For `cat --salvage`."""

from __future__ import annotations

import re
from typing import Any, Optional

from agenttrace import _backend
from agenttrace.cli.terminal import say
from agenttrace.errors import TraceFormatError

_ZSTD_MAGIC = (b"\x28\xb5\x2f\xfd",) + tuple(
    bytes([n]) + b"\x2a\x4d\x18" for n in range(0x50, 0x60)
)
_SEAL_AT_END = re.compile(rb',"crc32c":"[0-9a-f]{8}"\}\Z')
_PADDING = b"\0\r \t"  # what stands between whole events where a disk or an editor left it
_MAX_WORK_BYTES = (
    1 << 30
)  # a line can hold a million beginnings, each to be tried to the line's end
_MAX_GAPS_TOLD = 20


class SalvagingScanner:
    """Like a Scanner, whose findings it tells; hands on what is whole in bad lines too.

    A compressed stream is only known to its Scanner: there, whole lines alone are kept.
    """

    def __init__(self) -> None:
        self._scanner = _backend.Scanner(judge="lines")
        self._start: Optional[bytes] = b""  # the first bytes, until it is known what they are
        self._is_packed = False
        self._tail = bytearray()
        self._is_too_long = False
        self.loss = Loss()

    def feed(self, chunk: Any) -> bytes:
        good = self._scanner.feed(chunk)
        piece = bytes(chunk)
        if self._start is not None:
            piece = self._start + piece
            self._start = piece if len(piece) < 4 else None
            self._is_packed = piece[:4] in _ZSTD_MAGIC
        if self._is_packed:
            return good
        return b"" if self._start is not None else self._saved(piece)

    def finish(self) -> bytes:
        good = self._scanner.finish()
        if self._is_packed:
            return good
        piece = self._start or b""
        saved = self._saved(piece) if piece else b""
        tail = b"" if self._is_too_long else bytes(self._tail)
        return saved + (b"".join(self._events_in(tail)) if tail else b"")

    def take_findings(self) -> list[Any]:
        return self._scanner.take_findings()

    @property
    def findings_total(self) -> int:
        return self._scanner.findings_total

    @property
    def all_ended(self) -> bool:
        return self._scanner.all_ended

    def _saved(self, piece: bytes) -> bytes:
        lines = piece.split(b"\n")
        lines[0] = bytes(self._tail) + lines[0]
        self._tail = bytearray(lines.pop())
        if lines and self._is_too_long:
            self.loss.damaged_line(len(lines.pop(0)), 0)
            self._is_too_long = False
        if len(self._tail) > _backend.MAX_LINE_BYTES:
            self._is_too_long = True
            self.loss.lose_bytes(len(self._tail))
            self._tail.clear()
        return b"".join([event for line in lines for event in self._events_in(line)])

    def _events_in(self, line: bytes) -> list[bytes]:
        if self._is_whole(line):
            return self._new([line + b"\n"])
        saved = []
        rest = line
        while True:
            rest = rest.rstrip(_PADDING)
            start = _last_whole(rest)
            if start is None:
                break
            saved.append(rest[start:] + b"\n")
            rest = rest[:start]
        saved.reverse()
        self.loss.damaged_line(len(rest), len(saved))
        return self._new(saved)

    @staticmethod
    def _is_whole(line: bytes) -> bool:
        try:
            _backend.open_line(line)
        except TraceFormatError:
            return False
        return True

    def _new(self, events: list[bytes]) -> list[bytes]:
        """Without those whose number was there before: in a new trace they would pass for more."""
        frames = [_backend.open_line(event) for event in events]
        return [e for e, frame in zip(events, frames) if self.loss.is_new(frame[1], frame[3])]


def _last_whole(text: bytes) -> Optional[int]:
    """Where the last event that runs to the end of `text`, with a seal that fits, begins."""
    if not _SEAL_AT_END.search(text):
        return None
    start = len(text)
    work = 0
    while work < _MAX_WORK_BYTES:
        start = text.rfind(b'{"v":', 0, start)
        if start < 0:
            return None
        work += len(text) - start
        try:
            _backend.open_line(text[start:])
        except TraceFormatError:
            continue
        return start
    return None


class Loss:
    """What one input lost: damaged lines, bytes, numbers; and what it held twice."""

    def __init__(self) -> None:
        self.damaged_lines = 0
        self.saved_events = 0
        self.lost_bytes = 0
        self.repeats = 0
        self._next: dict[str, int] = {}
        self._gaps: dict[str, list[tuple[int, int]]] = {}  # first and last number that is missing

    def is_new(self, trace_id: str, seq: int) -> bool:
        """Notes an event's number; whether it is the first of that number in its trace."""
        expected = self._next.get(trace_id, 0)
        if seq >= expected:
            if seq > expected:
                self._gaps.setdefault(trace_id, []).append((expected, seq - 1))
            self._next[trace_id] = seq + 1
            return True
        gaps = self._gaps.get(trace_id, [])
        for place, (first, last) in enumerate(gaps):
            if first <= seq <= last:
                parts = [(first, seq - 1), (seq + 1, last)]
                gaps[place : place + 1] = [part for part in parts if part[0] <= part[1]]
                return True
        self.repeats += 1
        return False

    def lose_bytes(self, count: int) -> None:
        """Bytes of a line too long to be kept."""
        self.lost_bytes += count

    def damaged_line(self, lost_bytes: int, saved_events: int) -> None:
        """One bad line, with what was whole in it."""
        self.damaged_lines += 1
        self.saved_events += saved_events
        self.lost_bytes += lost_bytes

    def tell(self) -> None:
        """The report of `--salvage`, on standard error."""
        said = [
            _counted(self.damaged_lines, "damaged line"),
            f"{_counted(self.saved_events, 'event')} saved from them",
            f"{_counted(self.lost_bytes, 'byte')} lost",
        ]
        if self.repeats:
            said.append(f"{_counted(self.repeats, 'repeated event')} left out")
        say(f"salvage: {', '.join(said)}")
        for trace_id, gaps in self._gaps.items():
            if gaps:
                say(f"salvage: trace {trace_id} lacks seq {_ranges(gaps)}")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _ranges(gaps: list[tuple[int, int]]) -> str:
    shown = [f"{a}" if a == b else f"{a}-{b}" for a, b in gaps[:_MAX_GAPS_TOLD]]
    more = len(gaps) - len(shown)
    return ", ".join(shown) + (f" … and {more} more" if more else "")
