"""TraceReader: the events of a trace, one after another, and what was damaged."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import IO, Any, Literal, Union

from agenttrace import _backend, errors
from agenttrace.event import Event, Finding

CHUNK_BYTES = 1 << 18
_FOLLOW_PAUSE_S = 0.05

Source = Union[str, "os.PathLike[str]", IO[bytes]]

_ERROR_OF = {
    "checksum_mismatch": errors.ChecksumError,
    "torn_line": errors.TruncatedTraceError,
    "no_end": errors.TruncatedTraceError,
    "unsupported_version": errors.UnsupportedVersionError,
}


class TraceReader:
    """Iterates over the events of a trace, lazily; damaged lines are left out and told in `findings`.

    source: a path, an open binary file, or "-" for standard input; packed (.zst) or not.
    start: the first `seq` to hand on. follow: wait for more at the end, until every trace has ended.
    full: conversations are handed on in full (`base` expanded). strict: raise at the first finding
    (ChecksumError, TruncatedTraceError, UnsupportedVersionError, else TraceFormatError).
    judge: "trace" judges whole traces, "partial" filtered or joined ones, "lines" each line alone.
    selection: hand on only the events it matches. Memory does not grow with the trace.
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
        self._file, self._owned = _opened(source)
        self._start = start
        self._follow = follow
        self._strict = strict
        self._conversations = (
            _backend.Conversations(max_line_bytes=max_line_bytes) if full else None
        )
        self._scanner = _backend.Scanner(
            judge=judge,
            allow_unsealed=allow_unsealed,
            selection=selection,
            max_line_bytes=max_line_bytes,
        )
        self.findings: list[Finding] = []

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
            except errors.TraceFormatError as error:
                self._keep_expansion_error(line, error)
                return None
        event = Event(line)
        if self._start and event.seq < self._start:
            return None
        return event

    def batches(self) -> Iterator[bytes]:
        """The good lines as they came, many at a time: each bytes object holds whole lines."""
        while True:
            chunk = self._read()
            if not chunk:
                break
            lines = self._scanner.feed(chunk)
            self._keep_findings()
            if lines:
                yield lines
        lines = self._scanner.finish()
        if lines:
            yield lines
        self._keep_findings()
        self.close()

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

    def _keep_findings(self) -> None:
        for found in self._scanner.take_findings():
            self._keep(Finding(*found))

    def _keep(self, finding: Finding) -> None:
        self.findings.append(finding)
        if self._strict:
            error = _ERROR_OF.get(finding.kind, errors.TraceFormatError)(finding.message)
            error.finding = finding
            raise error

    def _keep_expansion_error(self, line: bytes, error: errors.TraceFormatError) -> None:
        event = Event(line)
        self._keep(
            Finding("missing_base", event.trace_id, event.seq, None, None, None, None, str(error))
        )


def _opened(source: Source) -> tuple[IO[bytes], bool]:
    if isinstance(source, (str, os.PathLike)):
        if source == "-":
            return sys.stdin.buffer, False
        return open(source, "rb", buffering=0), True
    return source, False


def _read_some(file: IO[bytes]) -> bytes:
    # read1 and unbuffered reads return what is there; a plain read would wait for a whole chunk and a live pipe would not be live.
    read = getattr(file, "read1", file.read)
    return read(CHUNK_BYTES) or b""
