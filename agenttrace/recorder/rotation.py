"""A recording in several files: a long-lived command's trace goes on in the next one when a file is full."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from agenttrace import _backend, trace_folder
from agenttrace.errors import AgentTraceError
from agenttrace.origin import new_trace_id
from agenttrace.recording import Recording
from agenttrace.redaction import NoRedactor, Redactor
from agenttrace.telling import tell

_MOST_FILES = 1_000_000


class TraceFile(NamedTuple):
    """An opened file and the writer of the trace in it."""

    path: str
    fd: int
    writer: _backend.Writer


class RotatingRecording(Recording):
    """A Recording that ends its trace, and goes on with a new one in the next file, once a file holds limit_bytes.

    The next file's trace names the one before as its parent; `trace_end` of that one names the next. If the next file
    can't be made it is told once, and the recording goes on where it is.
    """

    def __init__(self, first: TraceFile, redactor: Redactor | NoRedactor, limit_bytes: int) -> None:
        super().__init__(first.writer, redactor)
        self._file = first
        self._first_path = first.path
        self._limit_bytes = limit_bytes
        self._number = 0
        self._start: dict[str, Any] = {}
        self._earlier: dict[str, Any] = {}
        self._earlier_events = 0
        self._is_stuck = False

    def start(self, facts: Mapping[str, Any], ts_ns: int = 0) -> None:
        self._start = dict(facts)
        super().start(facts, ts_ns)

    def write(
        self,
        kind: str,
        data: Mapping[str, Any] | bytes,
        span_id: str | None = None,
        parent_span_id: str | None = None,
        ts_ns: int = 0,
    ) -> None:
        super().write(kind, data, span_id, parent_span_id, ts_ns)
        if not self._is_stuck and os.fstat(self._file.fd).st_size >= self._limit_bytes:
            self._rotate()

    def run_events(self) -> int:
        return self._earlier_events + self.events

    def run_totals(self) -> dict[str, Any]:
        return _added(self._earlier, self.totals())

    def _rotate(self) -> None:
        try:
            following = self._opened()
        except (OSError, AgentTraceError) as error:
            self._is_stuck = True
            tell(
                f"agenttrace: the trace can't be rotated: {error}; it goes on in {self._file.path}\n"
            )
            return
        before = self.trace_id
        self.end({"status": "ok", "continued_in": following.writer.trace_id})
        self._earlier, self._earlier_events = self.run_totals(), self.run_events()
        os.close(self._file.fd)
        self._file = following
        self.go_on(following.writer)
        # Its own size must not make it rotate at once, without an event.
        parent = {"trace_id": before, "why": "rotated"}
        super().start({**self._start, "parent": parent})

    def _opened(self) -> TraceFile:
        while self._number < _MOST_FILES:
            self._number += 1
            path = numbered(self._first_path, self._number)
            try:
                opened = trace_folder.open_for_writing(path, if_exists="refuse")
            except FileExistsError:
                continue
            return TraceFile(path, opened.fd, self._new_writer(opened.fd, path))
        raise AgentTraceError("there are too many files")

    def _new_writer(self, fd: int, path: str) -> _backend.Writer:
        return _backend.Writer(
            fd, new_trace_id(), compress=path.endswith(".zst"), redactor=self._redactor.engine
        )


def numbered(path: str, number: int) -> str:
    """`run.jsonl` to `run.1.jsonl`."""
    folder, name = os.path.split(path)
    base, dot, rest = name.partition(".jsonl")
    return os.path.join(folder, f"{base}.{number}{dot}{rest}")


def _added(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
