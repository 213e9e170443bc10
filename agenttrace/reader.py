"""TraceReader: the events of a trace, one after another, and what was damaged."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import IO, Any, Literal, Union

from agenttrace import _backend, errors
from agenttrace.event import Event, Finding
from agenttrace.expanding import BuiltOnLost, Expander

CHUNK_BYTES = 1 << 18
_FOLLOW_PAUSE_S = 0.05

Source = Union[str, bytes, "os.PathLike[str]", IO[bytes]]

_ERROR_OF = {
    "checksum_mismatch": errors.ChecksumError,
    "torn_line": errors.TruncatedTraceError,
    "no_end": errors.TruncatedTraceError,
    "unsupported_version": errors.UnsupportedVersionError,
}

_BASE_KINDS = ("missing_base", "bad_base")


class TraceReader:
    """Iterates over the events of a trace, lazily; damaged lines are left out and told in `findings`.

    source: a path, an open binary file, or "-" for standard input; packed (.zst) or not.
    start: the first `seq` to hand on. follow: wait for more at the end, until every trace has ended.
    A pipe's end is its end. full: conversations are handed on in full (`base` expanded); where one is
    lost, what goes on with it is left out, with one finding.
    strict: raise at the first finding, after the events before it
    (ChecksumError, TruncatedTraceError, UnsupportedVersionError, else TraceFormatError).
    judge: "trace" judges whole traces, "partial" filtered or joined ones, "lines" each line alone.
    selection: hand on only the events it matches. Memory does not grow with the trace.
    Iterate once: a file that was opened here is closed when the iteration ends or is given up.
    """

    def __init__(
        self,
        source: Source,
        *,
        start: int = 0,
        follow: bool = False,
        full: bool = False,
        strict: bool = False,
        judge: Literal["lines", "trace", "partial"] = "trace",
        allow_unsealed: bool = True,
        selection: Any = None,
        max_line_bytes: int = _backend.MAX_LINE_BYTES,
    ) -> None:
        self._start = start
        self._strict = strict
        self._selection = selection
        self._conversations = Expander(max_line_bytes=max_line_bytes) if full else None
        self._scanner = _backend.Scanner(
            judge=judge,
            allow_unsealed=allow_unsealed,
            # What lies before damage is known by the count of good lines, so all must be counted.
            selection=None if strict else selection,
            max_line_bytes=max_line_bytes,
        )
        self.findings: list[Finding] = []
        self._file, self._owned = _opened(source)
        self._follow = follow and self._file.seekable()

    def __iter__(self) -> Iterator[Event]:
        for lines in self.batches():
            for line in lines.split(b"\n")[:-1]:
                event = self._event(line + b"\n")
                if event is not None:
                    yield event

    def _event(self, line: bytes) -> Event | None:
        if self._conversations is not None:
            try:
                line = self._conversations.expand(line)
            except BuiltOnLost:
                return None  # the finding is that of the request which is lost
            except errors.TraceFormatError as error:
                self._keep_expansion_error(line, error)
                return None
        event = Event(line)
        if self._start and event.seq < self._start:
            return None
        return event

    def batches(self) -> Iterator[bytes]:
        """The good lines as they came, many at a time: each bytes object holds whole lines."""
        try:
            while True:
                chunk = self._read()
                if not chunk:
                    break
                yield from self._judged(self._scanner.feed(chunk))
            yield from self._judged(self._scanner.finish())
        finally:
            self.close()

    def _judged(self, lines: bytes) -> Iterator[bytes]:
        found = [Finding(*finding) for finding in self._scanner.take_findings()]
        if self._strict:
            lines = self._before(found, lines)
        else:
            self.findings += found
        if lines:
            yield lines
        if self._strict and found:
            self._keep(found[0])

    def _before(self, found: list[Finding], lines: bytes) -> bytes:
        """Those that match, of the lines before the first finding."""
        if not (found or self._selection):
            return lines
        each = [line + b"\n" for line in lines.split(b"\n")[:-1]]
        if found and found[0].line is not None:
            # Strict: every line before it was good.
            del each[max(0, len(each) + found[0].line - 1 - self._scanner.passed) :]
        if self._selection is not None:
            each = [line for line in each if self._selection.matches(line)]
        return b"".join(each)

    def report(self) -> dict[str, Any]:
        """What `agenttrace verify` says, for what was read so far."""
        names = ("status", "traces", "events", "bytes", "sealed", "findings_total")
        return {**dict(zip(names, self._scanner.report())), "findings": self.findings}

    def close(self) -> None:
        """Closes the file, if it was opened here."""
        if self._owned:
            self._file.close()

    def __enter__(self) -> TraceReader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _read(self) -> bytes:
        while True:
            chunk = _read_some(self._file)
            if chunk or not self._follow or self._scanner.all_ended:
                return chunk
            time.sleep(_FOLLOW_PAUSE_S)

    def _keep(self, finding: Finding) -> None:
        self.findings.append(finding)
        if self._strict:
            error = _ERROR_OF.get(finding.kind, errors.TraceFormatError)(finding.message)
            error.finding = finding
            raise error

    def _keep_expansion_error(self, line: bytes, error: errors.TraceFormatError) -> None:
        event = Event(line)
        for found in self.findings:
            if found.kind in _BASE_KINDS and found[1:3] == (event.trace_id, event.seq):
                return  # the scanner found it too
        kind = _BASE_KINDS["names no" not in str(error)]
        self._keep(Finding(kind, event.trace_id, event.seq, None, None, None, None, str(error)))


def _opened(source: Source) -> tuple[IO[bytes], bool]:
    if isinstance(source, (str, bytes, os.PathLike)):
        if source == "-":
            return sys.stdin.buffer, False
        return open(source, "rb", buffering=0), True
    return source, False


def _read_some(file: IO[bytes]) -> bytes:
    # read1 and unbuffered reads return what is there; a plain read would wait for a whole chunk and
    # a live pipe would not be live.
    read = getattr(file, "read1", file.read)
    return read(CHUNK_BYTES) or b""
