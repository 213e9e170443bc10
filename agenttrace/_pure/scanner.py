"""Finds the lines of a byte stream, has each judged, hands on the good ones.

Bounded: a line over the limit is dropped as it streams by.
"""

from __future__ import annotations

from typing import Callable, Iterable, Optional

from agenttrace._pure import words
from agenttrace._pure.checksum import Buffer
from agenttrace._pure.judge import WAIVED_IN_PARTS, FindingTuple, Findings, Judge
from agenttrace._pure.line import (
    FORMAT_VERSION,
    MAX_LINE_BYTES,
    Line,
    Malformed,
    Mismatch,
    parse_line,
)
from agenttrace._pure.selection import Selection
from agenttrace._pure.zst import SNIFF_BYTES, Piece, Unpacker, is_zst

_LINES, _TRACE, _PARTIAL = "lines", "trace", "partial"
_WAIVED = {
    # One line by itself can't be unsupported for lack of its neighbours.
    _LINES: frozenset({"no_start", "no_end"}),
    _TRACE: frozenset[str](),
    _PARTIAL: WAIVED_IN_PARTS,
}


class _Lines:
    """Cuts a stream at its LFs; bodies over the limit are given as None."""

    def __init__(self, take: Callable[[Optional[bytes], int, int], None], limit: int) -> None:
        self._take = take
        self._limit = limit
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self._is_dropping = False
        self.number = 1
        self.offset = 0
        self.bytes = 0

    def push(self, piece: bytes) -> None:
        """The stream goes on with `piece`."""
        self.bytes += len(piece)
        start = 0
        while True:
            end = piece.find(b"\n", start)
            if end < 0:
                break
            self._end_line(piece[start:end])
            start = end + 1
        self._keep(piece[start:])

    def _keep(self, rest: bytes) -> None:
        if not rest:
            return
        self._tail_bytes += len(rest)
        if self._is_dropping:
            return
        self._tail.append(rest)
        # The LF counts, and is not here yet.
        if self._tail_bytes >= self._limit:
            self._take(None, self.number, self.offset)
            self._is_dropping = True
            self._tail = []

    def _end_line(self, rest: bytes) -> None:
        length = self._tail_bytes + len(rest) + 1
        if not self._is_dropping:
            is_long = length > self._limit
            self._tail.append(rest)
            body = None if is_long else b"".join(self._tail)
            self._take(body, self.number, self.offset)
        self._next(length)

    def _next(self, length: int) -> None:
        self.number += 1
        self.offset += length
        self._tail = []
        self._tail_bytes = 0
        self._is_dropping = False

    @property
    def has_tail(self) -> bool:
        """Whether bytes without LF are held."""
        return self._tail_bytes > 0

    @property
    def is_tail_judged(self) -> bool:
        """Whether the tail was found too long already."""
        return self._is_dropping

    def drop_tail(self) -> None:
        """What comes next begins a line."""
        if self._tail_bytes:
            self._next(self._tail_bytes)


class Scanner:
    """Judges the lines of one byte stream, pushed in pieces of any size; hands on the good ones."""

    def __init__(
        self,
        *,
        judge: str = "lines",
        allow_unsealed: bool = False,
        deep: bool = False,
        selection: Optional[Selection] = None,
        invert: bool = False,
        max_findings: int = 100,
        max_line_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        if judge not in _WAIVED:
            raise ValueError("judge is one of lines, trace, partial")
        self._findings = Findings(_WAIVED[judge], max_findings)
        self._judge = None if judge == _LINES else Judge(self._findings, allow_unsealed)
        self._lines = _Lines(self._take_line, max_line_bytes)
        self._deep = deep
        self._selection = selection
        self._invert = invert
        self._out: list[bytes] = []
        self._hands_on = True
        self._head: Optional[bytes] = b""
        self._unpacker: Optional[Unpacker] = None
        self._trace_ids: set[str] = set()
        self._open_traces: set[str] = set()
        self._events = 0
        self._sealed = 0
        self._passed = 0
        self._is_finished = False

    def feed(self, chunk: Buffer) -> bytes:
        """The good lines that became complete (and match), as they came, concatenated."""
        self._hands_on = True
        self._push(bytes(chunk))
        return self._take_out()

    def judge_only(self, chunk: Buffer) -> None:
        """As `feed`, without handing anything on."""
        self._hands_on = False
        self._push(bytes(chunk))

    def finish(self) -> bytes:
        """The stream is over. A tail without LF is `torn_line`, never an event."""
        if self._is_finished:
            return b""
        self._hands_on = True
        if self._head is not None:
            head, self._head = self._head, None
            self._lines.push(head)
        is_cut = False
        if self._unpacker is not None:
            is_cut = self._unpacker.is_cut
        self._is_finished = True
        self._judge_end(is_cut)
        return self._take_out()

    def take_findings(self) -> list[FindingTuple]:
        """Findings since the last call (of those kept)."""
        return self._findings.take()

    @property
    def all_ended(self) -> bool:
        """Whether every trace seen so far has its trace_end."""
        return bool(self._trace_ids) and not self._open_traces

    @property
    def findings_total(self) -> int:
        """All findings so far, kept or not."""
        return self._findings.total

    @property
    def passed(self) -> int:
        """Lines handed on so far."""
        return self._passed

    def report(self) -> tuple[str, int, int, int, int, int]:
        """(status, traces, events, bytes, sealed, findings_total)."""
        return (
            self._findings.status(),
            len(self._trace_ids),
            self._events,
            self._lines.bytes,
            self._sealed,
            self._findings.total,
        )

    def _take_out(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    def _push(self, chunk: bytes) -> None:
        if self._is_finished:
            raise ValueError("the stream is finished")
        if self._head is not None:
            chunk = self._head + chunk
            if len(chunk) < SNIFF_BYTES:
                self._head = chunk
                return
            self._head = None
            if is_zst(chunk):
                self._unpacker = Unpacker()
        if self._unpacker is None:
            self._lines.push(chunk)
        else:
            self._pour(self._unpacker.feed(chunk))

    def _pour(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            if isinstance(piece, bytes):
                self._lines.push(piece)
            else:
                self._found_damage(piece.frame_offset)

    def _found_damage(self, frame_offset: int) -> None:
        lines = self._lines
        why = f"{words.FINDINGS['damaged_frame']}: the one at byte {frame_offset} of the file"
        self._findings.add("damaged_frame", lines.number, lines.offset, why=why)
        lines.drop_tail()

    def _judge_end(self, is_cut: bool) -> None:
        lines = self._lines
        if is_cut or (lines.has_tail and not lines.is_tail_judged):
            why = words.CUT_FRAME if is_cut else None
            self._findings.add("torn_line", lines.number, lines.offset, why=why)
        if lines.bytes == 0 and self._findings.total == 0:
            self._findings.is_empty_stream = True
            self._findings.add("no_start", None, None, why=words.EMPTY)
        if self._judge is not None:
            self._judge.finish()

    def _take_line(self, body: Optional[bytes], number: int, offset: int) -> None:
        try:
            if body is None:
                raise Malformed(words.TOO_LONG)
            line = parse_line(body, self._deep)
        except Malformed as error:
            self._findings.add("malformed", number, offset, why=str(error))
            return
        except Mismatch as error:
            self._findings.add(
                "checksum_mismatch", number, offset, None, error.stored, error.computed
            )
            return
        self._note_trace(line.trace_id, line.kind)
        if self._judge is not None:
            self._judge.take(line, body, number, offset)
        elif line.v != FORMAT_VERSION:
            self._findings.add(
                "unsupported_version", number, offset, line, FORMAT_VERSION, line.v
            )
        if line.v != FORMAT_VERSION:
            return
        self._events += 1
        self._sealed += line.stored_crc is not None
        if self._hands_on and self._is_selected(line, body):
            self._passed += 1
            self._out.append(body + b"\n")

    def _is_selected(self, line: Line, body: bytes) -> bool:
        if self._selection is None:
            return not self._invert
        return self._selection.matches_parsed(line, body) != self._invert

    def _note_trace(self, trace_id: str, kind: str) -> None:
        if trace_id not in self._trace_ids:
            self._trace_ids.add(trace_id)
            self._open_traces.add(trace_id)
        if kind == "trace_end":
            self._open_traces.discard(trace_id)
