"""Cleans, numbers, seals, writes and adds up the lines of one trace."""

from __future__ import annotations

import re
import threading
import time
from typing import Any, Optional

from agenttrace._pure import words
from agenttrace._pure.checksum import as_bytes, crc32c
from agenttrace._pure.jsontext import may_surprise
from agenttrace._pure.line import MAX_INTEGER, MAX_LINE_BYTES, format_ts, seal_open
from agenttrace._pure.output import Unwritten, open_output
from agenttrace._pure.redaction import Redactor
from agenttrace._pure.shortening import Draft, Shortener
from agenttrace._pure.totals import Totals

BATCH_BYTES = 64 * 1024
BATCH_LIMIT_S = 0.1
_KIND = re.compile(r"[a-z][a-z0-9_]*\Z")
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}\Z")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}\Z")
_SEAL_AND_END_BYTES = 22


def _span(name: bytes, span_id: Optional[str]) -> bytes:
    if span_id is None:
        return b""
    if not _SPAN_ID.match(span_id):
        raise ValueError(words.BAD_SPAN_ID)
    return b'"%b":"%b",' % (name, span_id.encode())


def _check_object(data: bytes) -> bytes:
    data = as_bytes(data)
    is_object = data[:1] == b"{" and data[-1:] == b"}" and len(data) >= 2
    # A line feed inside would make two lines of it, the others a malformed one.
    if not is_object or b"\n" in data or b"\r" in data or b"\0" in data:
        raise ValueError(words.BAD_DATA)
    return data


class Writer:
    """Numbers, seals and writes the lines of one trace to a file descriptor.

    The descriptor stays the caller's. Safe from any thread.
    """

    def __init__(
        self,
        fd: int,
        trace_id: str,
        *,
        flush: str = "event",
        compress: bool = False,
        first_lf: bool = False,
        max_line_bytes: int = MAX_LINE_BYTES,
        redactor: Optional[Redactor] = None,
    ) -> None:
        if not _TRACE_ID.match(trace_id):
            raise ValueError(words.BAD_TRACE_ID)
        if flush not in ("event", "batch", "sync"):
            raise ValueError("flush is one of event, batch, sync")
        self._trace_id = trace_id
        self._output = open_output(fd, compress, first_lf, flush == "sync")
        self._is_batch = flush == "batch"
        self._limit = max_line_bytes
        self._lock = threading.Lock()
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._seq = 0
        self._chain = 0
        self._ended = False
        self._shortener = Shortener()
        self._flushed_s = time.monotonic()
        self._redactor = redactor
        self._redactions = 0
        self._totals = Totals()

    @property
    def trace_id(self) -> str:
        """The trace that is written."""
        return self._trace_id

    @property
    def events(self) -> int:
        """How many lines count so far."""
        return self._seq

    def totals(self) -> dict[str, Any]:
        """What the events so far add up to, as `trace_end` has it."""
        return self._totals.to_dict()

    @property
    def redactions(self) -> int:
        """How many placeholders were put in."""
        return self._redactions

    @property
    def ended(self) -> bool:
        """Whether trace_end was written."""
        return self._ended

    def write(
        self,
        kind: str,
        data: bytes,
        span_id: Optional[str] = None,
        parent_span_id: Optional[str] = None,
        ts_ns: int = 0,
    ) -> int:
        """One event, `data` a compact JSON object; ts_ns 0 is now. Returns `seq`.

        ValueError: bad kind or ids, not an object, line over the limit. OSError: not written.
        """
        if not _KIND.match(kind):
            raise ValueError(words.BAD_KIND)
        if kind == "trace_end":
            raise ValueError("trace_end is written by end()")
        data = _check_object(data)
        spans = _span(b"span_id", span_id) + _span(b"parent_span_id", parent_span_id)
        with self._lock:
            self._check_open()
            data, redactions = self._cleaned(data)
            draft = self._shortener.draft(data) if kind == "llm_request" else None
            spelled = data if draft is None else draft.data
            # What expands to more than a line could never be read whole again.
            longest = max(len(data), len(spelled))
            line = self._line(kind, spelled, spans, ts_ns, longest - len(spelled))
            self._put(line)
            self._redactions += redactions
            self._totals.count(kind, data)
            return self._count(line, draft)

    def write_sure(
        self,
        kind: str,
        data: bytes,
        span_id: Optional[str],
        parent_span_id: Optional[str],
        depth: int,
    ) -> bool:
        """As `write`, now; False, and nothing is written, where `may_surprise(data, depth)`."""
        if may_surprise(data, depth):
            return False
        self.write(kind, data, span_id, parent_span_id)
        return True

    def end(self, data: bytes, ts_ns: int = 0) -> int:
        """Writes `trace_end`: `data` with `events` and `chain` behind its members; flushes."""
        data = _check_object(data)
        with self._lock:
            self._check_open()
            data, redactions = self._cleaned(data)
            promise = b'"events":%d,"chain":"%08x"}' % (self._seq, self._chain)
            joint = b"" if data == b"{}" else b","
            line = self._line("trace_end", data[:-1] + joint + promise, b"", ts_ns, 0)
            self._flush()
            self._put_now(line, is_last=True)
            self._ended = True
            self._redactions += redactions
            return self._count(line, None)

    def flush(self) -> None:
        """Writes what was gathered. OSError: what is not written stays for the next time."""
        with self._lock:
            self._flush()

    def _cleaned(self, data: bytes) -> tuple[bytes, int]:
        return (data, 0) if self._redactor is None else self._redactor.clean(data)

    def _check_open(self) -> None:
        if self._ended:
            raise ValueError(words.ENDED)
        if self._seq >= MAX_INTEGER:
            raise ValueError(words.SEQ_USED_UP)

    def _line(self, kind: str, data: bytes, spans: bytes, ts_ns: int, saved: int) -> bytes:
        start = b'{"v":1,"trace_id":"%b","ts":"%b","seq":%d,"kind":"%b",%b"data":%b' % (
            self._trace_id.encode(),
            format_ts(ts_ns or time.time_ns()).encode(),
            self._seq,
            kind.encode(),
            spans,
            data,
        )
        length = len(start) + _SEAL_AND_END_BYTES
        if length + saved > self._limit:
            raise ValueError(f"{words.TOO_LONG}: {length + saved} bytes, {self._limit} are allowed")
        return seal_open(start)

    def _count(self, line: bytes, draft: Optional[Draft]) -> int:
        """The line stands: it counts from now on."""
        seq, self._seq = self._seq, self._seq + 1
        crc = line[-11:-3]
        self._chain = crc32c(bytes.fromhex(crc.decode()), self._chain)
        if draft is not None:
            self._shortener.remember(draft, seq, crc.decode())
        return seq

    def _put(self, line: bytes) -> None:
        if not self._is_batch:
            self._put_now(line)
            return
        is_late = time.monotonic() - self._flushed_s >= BATCH_LIMIT_S
        if is_late or self._batch_bytes + len(line) > BATCH_BYTES:
            self._flush()
        if is_late or len(line) >= BATCH_BYTES:
            self._flushed_s = time.monotonic()
            self._put_now(line)
            return
        self._batch.append(line)
        self._batch_bytes += len(line)

    def _put_now(self, line: bytes, is_last: bool = False) -> None:
        try:
            self._output.put(line, is_last)
        except Unwritten as unwritten:
            raise unwritten.error from None

    def _flush(self) -> None:
        self._flushed_s = time.monotonic()
        if not self._batch:
            return
        lines = b"".join(self._batch)
        try:
            self._output.put(lines)
        except Unwritten as unwritten:
            left = lines[unwritten.kept :]
            self._batch, self._batch_bytes = ([left] if left else []), len(left)
            raise unwritten.error from None
        self._batch, self._batch_bytes = [], 0
