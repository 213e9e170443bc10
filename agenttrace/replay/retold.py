"""The replay as a trace of its own, by the same frames and the same intake as a recording: `-o FILE`, and forks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

from agenttrace import _backend, encoding, origin, trace_folder
from agenttrace.command import process
from agenttrace.errors import AgentTraceError
from agenttrace.intake.frames_to_events import Intake
from agenttrace.recording import Recording
from agenttrace.redaction import NoRedactor, Redactor
from agenttrace.replay.processes import RecordedProcess
from agenttrace.replay.recorded import Recorded, RecordedRun
from agenttrace.replay.recorded_websockets import Close, Message

_IN_A_PROCESS = frozenset(("request", "ws", "event", "process"))


class Retold:
    """Takes what is asked, answered and written, and writes it. Thread-safe; nothing raises but making one.

    One that may become a fork keeps what it takes until it is known whether it does: the first line says so.
    """

    def __init__(
        self,
        path: str | None,
        run: RecordedRun,
        command: Sequence[str],
        redactor: Redactor | NoRedactor,
        may_fork: bool = False,
    ) -> None:
        """path: None for a new file in the trace folder, which stays if the replay forks.

        AgentTraceError or OSError if the file can't be opened; one that is there is refused.
        """
        self._is_kept = path is not None
        self.path = path or str(trace_folder.new_trace_path())
        try:
            opened = trace_folder.open_for_writing(self.path)
        except FileExistsError:
            raise AgentTraceError(f"{path}: exists already; give another name") from None
        writer = _backend.Writer(
            opened.fd,
            origin.new_trace_id(),
            compress=self.path.endswith(".zst"),
            redactor=redactor.engine,
        )
        self._fd = opened.fd
        self._recording = Recording(writer, redactor)
        self._intake = Intake(self._recording)
        self._lock = threading.RLock()
        self._waiting: list[tuple[str, dict[str, Any], bytes]] | None = []
        self._asked: dict[int, tuple[str, int]] = {}  # by the recorded request: span, when
        self._began_ns = time.time_ns()
        self._parent_id = run.trace_id
        self._start = {
            "name": run.start.get("name"),
            "command": list(command),
            **origin.facts(),
            "redaction": list(redactor.rules),
        }
        if run.has_proxy:
            self._start["proxy"] = True
        if run.hash_seed is not None:
            self._start["replay"] = {"hash_seed": int(run.hash_seed)}
        if not may_fork:
            self._open({"why": "replay"})

    def _open(self, why: dict[str, Any]) -> None:
        """The first line, and what was kept until now."""
        waiting, self._waiting = self._waiting, None
        start = {**self._start, "parent": {"trace_id": self._parent_id, **why}}
        self._recording.start(start, self._began_ns)
        for op, head, body in waiting or ():
            self._take_frame(op, head, body)

    def fork(self, seq: int) -> None:
        """From this event of the recorded run on the replay is a run of its own."""
        with self._lock:
            self._is_kept = True
            self._open({"seq": seq, "why": "fork"})

    def told(self, head: dict[str, Any], body: bytes) -> None:
        """What a process tells of itself, in the frames of a recording. KeyError, TypeError or ValueError where they
        aren't that.
        """
        with self._lock:
            self._take_frame(head["op"], head, body)

    def stood_in(self, found: RecordedProcess, parent: str | None) -> None:
        """A recorded process was not run: it is part of this trace as it was."""
        span_id, ts = os.urandom(8).hex(), time.time_ns()
        what: dict[str, Any] = {"argv": found.argv, "cwd": found.cwd, "parent": parent, "ts": ts}
        what.update(pid=None, fork=False, hooked=False, unreached=None)
        with self._lock:
            self._take("process", span_id, b"", **what)
            for stream, data in found.pieces:
                self._take("piped", span_id, data, ts=ts, stream=stream)
            for number in found.signals:
                self._take("signal", span_id, ts=ts, number=number)
            end = {"code": found.code} if found.error is None else {"error": found.error}
            if found.error is not None or found.code is not None:
                self._take("exit", span_id, ts=ts, duration=0, **end)

    def cut(self, span_ids: Iterable[str]) -> None:
        """The process of these exchanges is gone."""
        with self._lock:
            for span_id in span_ids:
                self._intake.cut(span_id)

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

    def message(self, found: Recorded, direction: str, message: Message) -> None:
        """Over the websocket that this exchange opened. direction: "send" or "receive"."""
        parts = message.parts
        if len(parts) == 1:
            self._websocket(found, direction, parts[0], message.is_binary)
            return
        for part in parts:
            self._websocket(found, direction, part, message.is_binary, part="more")
        self._websocket(found, direction, b"", message.is_binary, part="end")

    def closed(self, found: Recorded, close: Close) -> None:
        """The end of that websocket."""
        self._websocket(found, "close", close.reason, False, code=close.code, ended_by=close.by)

    def _websocket(
        self, found: Recorded, direction: str, body: bytes, is_binary: bool, **more: Any
    ) -> None:
        with self._lock:
            if found.seq in self._asked and found.websocket is not None:
                more.update(ts=time.time_ns(), parent=None, direction=direction)
                more["url"] = found.websocket.url
                self._take("ws", self._asked[found.seq][0], body, binary=is_binary, **more)

    def typed(self, line: bytes) -> None:
        """A line was typed."""
        text = encoding.encode({"text": line.decode("utf-8", "replace"), "tty": True})
        head = {"ts": time.time_ns(), "kind": "user_input", "span": None, "parent": None}
        with self._lock:
            self._take_frame("event", head, text)

    def gap(self, reason: str) -> None:
        """Something is not in it."""
        with self._lock:
            self._take_frame("gap", {"reason": reason}, b"")

    def passed(self, stream: str, fd: int, is_terminal: bool, data: bytes) -> None:
        """What the command has read or written."""
        with self._lock:
            self._take("output", "", data, ts=time.time_ns(), stream=stream, fd=fd, tty=is_terminal)

    def end(self, returncode: int) -> None:
        """The command has ended: the trace is closed."""
        with self._lock:
            if self._waiting is not None and self._is_kept:
                self._open({"why": "replay"})
            if self._waiting is None:
                self._intake.close()
                self._recording.end(process.end_facts(returncode))
            os.close(self._fd)
            if not self._is_kept:
                os.unlink(self.path)

    @property
    def gaps(self) -> list[str]:
        """What is not in it."""
        return self._recording.gaps

    def _take(self, op: str, span_id: str, body: bytes = b"", **head: Any) -> None:
        self._take_frame(op, {"id": span_id, **head}, body)

    def _take_frame(self, op: str, head: dict[str, Any], body: bytes) -> None:
        if self._waiting is not None:
            self._waiting.append((op, head, body))
        elif op == "hello":
            self._intake.processes.hello(head)
        else:
            if op in _IN_A_PROCESS and not (head.get("parent") or head.get("within")):
                # What a child does at its top is part of what started it.
                head["parent"] = self._intake.processes.span_of(head.get("by"))
            self._intake.take(op, head, body)
