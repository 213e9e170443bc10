"""`replay -o FILE`: the replay as a trace of its own, by the same frames and the same intake as a recording."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import Any

from agenttrace import _backend, trace_folder, trace_sink
from agenttrace.command import process
from agenttrace.errors import AgentTraceError
from agenttrace.intake.frames_to_events import Intake
from agenttrace.recording import Recording
from agenttrace.redaction import NoRedactor, Redactor
from agenttrace.replay.recorded import Recorded, RecordedRun


class Retold:
    """Takes what is asked, answered and written, and writes it. Thread-safe; nothing raises but making one.

    AgentTraceError or OSError if the file can't be opened; one that is there is refused.
    """

    def __init__(
        self,
        path: str,
        run: RecordedRun,
        command: Sequence[str],
        redactor: Redactor | NoRedactor,
    ) -> None:
        try:
            opened = trace_folder.open_for_writing(path)
        except FileExistsError:
            raise AgentTraceError(f"{path}: exists already; give another name") from None
        writer = _backend.Writer(
            opened.fd,
            trace_sink.new_trace_id(),
            compress=path.endswith(".zst"),
            redactor=redactor.engine,
        )
        self._fd = opened.fd
        self._recording = Recording(writer, redactor)
        self._intake = Intake(self._recording)
        self._lock = threading.Lock()
        self._asked: dict[int, tuple[str, int]] = {}  # by the recorded request: span, when
        start = {
            "name": run.start.get("name"),
            "command": list(command),
            "cwd": trace_sink.cwd(),
            "producer": trace_sink.producer(),
            "host": trace_sink.host(),
            "place": trace_sink.place(),
            "parent": {"trace_id": run.trace_id, "why": "replay"},
            "redaction": list(redactor.rules),
        }
        self._recording.start(start)

    def asked(self, head: dict[str, Any], body: bytes, found: Recorded | str) -> None:
        """A request. found: what answers it, or why nothing does."""
        span_id = os.urandom(8).hex()
        request = {name: head[name] for name in ("method", "url", "headers")}
        with self._lock:
            self._take("request", span_id, body, ts=time.time_ns(), parent=head["span"], **request)
            if isinstance(found, Recorded):
                self._asked[found.seq] = (span_id, time.monotonic_ns())
            else:
                error = {"type": "Diverged", "message": found}
                self._take("end", span_id, at=0, complete=False, error=error)

    def answered(self, found: Recorded, is_woven: bool) -> None:
        """Its answer goes out: all of it, or of a woven one the first piece."""
        with self._lock:
            span_id, began_ns = self._asked[found.seq]
            if found.status is not None:
                headers = list(found.headers.items())
                at = time.monotonic_ns() - began_ns
                self._take("response", span_id, at=at, status=found.status, headers=headers)
        for number in range(1 if is_woven else len(found.pieces) + 1):
            self.handed_on(found, number)

    def handed_on(self, found: Recorded, number: int) -> None:
        """A piece of an answer, or behind the last one its end."""
        with self._lock:
            span_id, began_ns = self._asked[found.seq]
            at = time.monotonic_ns() - began_ns
            if number < len(found.pieces):
                self._take("chunk", span_id, found.pieces[number], at=at)
            else:
                is_whole = found.error is None and found.status is not None
                self._take("end", span_id, at=at, complete=is_whole, error=found.error)

    def wrote(self, stream: str, fd: int, is_terminal: bool, data: bytes) -> None:
        """What the command has written."""
        with self._lock:
            self._take("output", "", data, ts=time.time_ns(), stream=stream, fd=fd, tty=is_terminal)

    def end(self, returncode: int) -> None:
        """The command has ended: the trace is closed."""
        with self._lock:
            self._intake.close()
            self._recording.end(process.end_facts(returncode))
            os.close(self._fd)

    def _take(self, op: str, span_id: str, body: bytes = b"", **head: Any) -> None:
        self._intake.take(op, {"id": span_id, **head}, body)
