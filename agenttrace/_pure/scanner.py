"""Finds the lines of a byte stream, has each judged, hands on the good ones.

Bounded: a line over the limit is dropped as it streams by.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Callable, Optional

from agenttrace._pure import words
from agenttrace._pure.checksum import Buffer, as_bytes
from agenttrace._pure.index import Index
from agenttrace._pure.judge import WAIVED_IN_PARTS, Checked, Findings, FindingTuple, Judge
from agenttrace._pure.line import (
    FORMAT_VERSION,
    MAX_LINE_BYTES,
    Line,
    Malformed,
    check_data,
    crc_of,
    end_promise,
    parse_line,
)
from agenttrace._pure.output import write_all
from agenttrace._pure.selection import Selection, is_error
from agenttrace._pure.zst import SNIFF_BYTES, FrameStart, Piece, Unpacker, is_zst, may_be_magic

_PIECE_BYTES = 1 << 18
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
        self._tail_bytes += len(rest)
        if self._tail_bytes > self._limit:
            self._tail = []
        elif rest:
            self._tail.append(rest)

    def _end_line(self, rest: bytes) -> None:
        length = self._tail_bytes + len(rest) + 1
        body = None
        if length <= self._limit:
            self._tail.append(rest)
            body = b"".join(self._tail)
        self._take(body, self.number, self.offset)
        self._next(length)

    def _next(self, length: int) -> None:
        self.number += 1
        self.offset += length
        self._tail = []
        self._tail_bytes = 0

    @property
    def has_tail(self) -> bool:
        """Whether bytes without LF are held."""
        return self._tail_bytes > 0

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
        index: Optional[Index] = None,
    ) -> None:
        if judge not in _WAIVED:
            raise ValueError("judge is one of lines, trace, partial")
        self._findings = Findings(_WAIVED[judge], max_findings)
        self._judge = None if judge == _LINES else Judge(self._findings, allow_unsealed)
        self._lines = _Lines(self._take_line, max_line_bytes)
        self._deep = deep
        self._selection = selection
        self._invert = invert
        self._index = index
        self._out: list[bytes] = []
        self._hands_on = True
        self._head: Optional[bytes] = b""
        self._unpacker: Optional[Unpacker] = None
        self._frame = (1, 0, 0)
        self._trace_ids: set[str] = set()
        self._open_traces: set[str] = set()
        self._events = 0
        self._sealed = 0
        self._passed = 0
        self._is_finished = False

    def feed(self, chunk: Buffer) -> bytes:
        """The good lines that became complete (and match), as they came, concatenated."""
        self._hands_on = True
        self._push(as_bytes(chunk))
        return self._take_out()

    def judge_only(self, chunk: Buffer) -> None:
        """As `feed`, without handing anything on."""
        self._hands_on = False
        self._push(as_bytes(chunk))

    def judge_file(
        self,
        fd: int,
        start: int,
        end: int,
        *,
        seconds: float = 0.1,
        threads: Optional[int] = None,
        piece_bytes: Optional[int] = None,
    ) -> int:
        """As `judge_only` of what a file holds between two places; here one piece a call."""
        if fd < 0 or seconds < 0:
            raise ValueError("no file descriptor" if fd < 0 else "a time is not negative")
        if self._head is not None:
            return 0
        chunk = os.pread(fd, min(piece_bytes or _PIECE_BYTES, end - start), start)
        self.judge_only(chunk)
        return len(chunk)

    def pass_file(
        self,
        fd: int,
        start: int,
        end: int,
        out: int,
        *,
        seconds: float = 0.1,
        threads: Optional[int] = None,
        piece_bytes: Optional[int] = None,
    ) -> int:
        """As `judge_file`; what `feed` would return is written to `out`. An error has the descriptor that failed."""
        if fd < 0 or out < 0 or seconds < 0:
            raise ValueError("a time is not negative" if seconds < 0 else "no file descriptor")
        if self._head is not None:
            return 0
        try:
            chunk = os.pread(fd, min(piece_bytes or _PIECE_BYTES, end - start), start)
        except OSError as error:
            raise OSError(error.errno, error.strerror, fd) from None
        write_all(out, self.feed(chunk))
        return len(chunk)

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
            self._pour(self._unpacker.finish())
            is_cut = self._unpacker.is_cut
        self._is_finished = True
        self._judge_end(is_cut, self._findings)
        return self._take_out()

    def peek_end(self) -> tuple[str, int, list[FindingTuple]]:
        """(status, findings_total, new findings) that `finish` would come to here."""
        findings = self._findings.copied()
        if not self._is_finished:
            self._judge_end(False, findings)
        return findings.status(), findings.total, findings.take()

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
            self._lines.bytes + len(self._head or b""),
            self._sealed,
            self._findings.total,
        )

    def _take_out(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    def _push(self, chunk: bytes) -> None:
        if self._head is not None:
            chunk = self._head + chunk
            if len(chunk) < SNIFF_BYTES and may_be_magic(chunk):
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
            elif isinstance(piece, FrameStart):
                self._frame = (self._lines.number, self._lines.offset, piece.packed_offset)
            else:
                self._found_damage()

    def _found_damage(self) -> None:
        number, offset, packed_offset = self._frame
        why = f"{words.FINDINGS['damaged_frame']} that begins at byte {packed_offset} of the file"
        self._findings.add("damaged_frame", number, offset, why=why)
        # A frame holds whole lines: the next one doesn't go on where this one broke off.
        self._lines.drop_tail()

    def _judge_end(self, is_cut: bool, findings: Findings) -> None:
        lines = self._lines
        if is_cut or lines.has_tail:
            why = None if lines.has_tail else words.CUT_FRAME
            findings.add("torn_line", lines.number, lines.offset, why=why)
        if lines.bytes == 0 and findings.total == 0:
            findings.is_empty_stream = True
            findings.add("no_start", None, None, why=words.EMPTY)
        if self._judge is not None:
            self._judge.finish(findings)

    def _take_line(self, body: Optional[bytes], number: int, offset: int) -> None:
        try:
            checked = self._form(body)
        except Malformed as error:
            self._findings.add("malformed", number, offset, why=str(error))
            return
        line, computed = checked.line, f"{checked.crc:08x}"
        if line.stored_crc not in (None, computed):
            self._findings.add("checksum_mismatch", number, offset, None, line.stored_crc, computed)
            return
        self._note_trace(line.trace_id, line.kind)
        if self._judge is not None:
            self._judge.take(checked, number, offset)
        elif line.v != FORMAT_VERSION:
            self._findings.add("unsupported_version", number, offset, line, FORMAT_VERSION, line.v)
        if line.v == FORMAT_VERSION:
            self._take_good(checked, offset)

    def _form(self, body: Optional[bytes]) -> Checked:
        """The line's parts, its data looked into as far as the format and `deep` ask for."""
        if body is None:
            raise Malformed(words.TOO_LONG)
        line, promise = parse_line(body), None
        if line.v == FORMAT_VERSION:
            if self._deep and line.stored_crc is not None:
                check_data(body, line)
            if line.kind == "trace_end":
                promise = end_promise(body, line)
        return Checked(line, body, crc_of(body, line), promise)

    def _take_good(self, checked: Checked, offset: int) -> None:
        self._events += 1
        if self._index is not None:
            line, body = checked.line, checked.body
            self._index.push(offset, len(body) + 1, line, is_error(line, body))
        self._sealed += checked.line.stored_crc is not None
        if self._hands_on and self._is_selected(checked.line, checked.body):
            self._passed += 1
            self._out.append(checked.body + b"\n")

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
