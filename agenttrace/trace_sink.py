"""Where a Tracer's events go: a trace file of its own, or the trace of the recorder that started this process."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from agenttrace import _backend, origin, trace_folder, tracer_context
from agenttrace.encoding import MAX_DEPTH, OPTIONS, default, dumps, encode
from agenttrace.errors import AgentTraceError, TracerClosedError
from agenttrace.recording import Recording
from agenttrace.redaction import NoRedactor, Redactor
from agenttrace.telling import tell
from agenttrace.tracer_context import current_span

UNSURE = (OSError, TypeError, ValueError, RecursionError)


class Sink(Protocol):
    """Takes events; numbers and seals them, or hands them to who does."""

    path: str | None
    trace_id: str | None
    # `Writer.write_sure`, while all that it does not refuse can be written by it alone. It fails with one of UNSURE.
    sure: Callable[..., bool] | None

    def write(
        self,
        kind: str,
        data: Mapping[str, Any],
        span_id: str | None = None,
        parent_span_id: str | None = None,
    ) -> None:
        """One event, now. Without span_id it belongs to the current span."""

    def close(self, status: str) -> None:
        """No more will come."""


# How many forks lie between this process and the first one that loaded this. Cheaper to ask than for the pid.
_forks = 0


def _forked() -> None:
    global _forks
    _forks += 1
    for sink in list(_files):
        sink.sure = None
        sink._fork_lock = threading.Lock()  # a thread that is not here any more may hold it


os.register_at_fork(after_in_child=_forked)


def process_channel() -> Any:
    """This process's connection to its recorder (the hooks' own, so that order is kept); None without one."""
    if not os.environ.get("AGENTTRACE_SOCKET") or os.environ.get("AGENTTRACE_MODE") == "replay":
        return None
    channel: Any = sys.modules.get("_agenttrace_capture.channel")
    if channel is None:
        from agenttrace.capture import channel
    return channel.current()


def event_head(kind: str, span_id: str | None, parent_span_id: str | None) -> dict[str, Any]:
    """The head of the frame that tells of an event, now."""
    return {
        "op": "event",
        "ts": time.time_ns(),
        "kind": kind,
        "span": span_id,
        "parent": parent_span_id,
    }


class ChannelSink:
    """Events go to the collector, which numbers, redacts, seals and writes them."""

    path: str | None = None
    trace_id: str | None = None
    sure: Callable[..., bool] | None = None

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._closed = False

    def write(
        self,
        kind: str,
        data: Mapping[str, Any],
        span_id: str | None = None,
        parent_span_id: str | None = None,
    ) -> None:
        if self._closed:
            raise TracerClosedError("the tracer is closed")
        if span_id is None:
            span = current_span.get()
            span_id = span[0] if span else None
        self._channel.send(event_head(kind, span_id, parent_span_id), encode(data))

    def close(self, status: str) -> None:
        self._closed = True


class FileSink:
    """Events go to a trace file of this process. A forked child opens one of its own beside it at its first event."""

    _closed = True  # until it is open
    _fd = -1

    def __init__(
        self,
        path: str | bytes | os.PathLike[str] | None,
        *,
        name: str | None,
        flush: str,
        redact: bool | Sequence[str] = True,
        capture: bool = False,
    ) -> None:
        if flush not in ("event", "batch", "sync"):
            raise ValueError(f"flush is event, batch or sync, not {flush!r}")
        self._name = name
        self._flush = flush
        self._redactor = _redactor(redact)
        self._fork_lock = threading.Lock()
        if path is None:
            path = trace_folder.new_trace_path()
        self._capture = capture
        self._hooks: Any = None
        self._lost_at_fork = 0
        self._open(os.fsdecode(path), parent=None)
        _files.add(self)
        if capture:
            from agenttrace.capture import boot

            self._hooks = boot.Hooks(self, "record")
            self._hooks.install()

    def _open(self, path: str, parent: Mapping[str, Any] | None) -> None:
        opened = trace_folder.open_for_writing(path, if_exists="append")
        try:
            self._begin(path, parent, opened)
        except BaseException:
            os.close(opened.fd)
            self._fd = -1
            raise
        self._closed = False

    def _begin(
        self, path: str, parent: Mapping[str, Any] | None, opened: trace_folder.OpenedTrace
    ) -> None:
        # Reentrant, as a finalizer may end a span in the midst of a write of this thread.
        self._lock = threading.RLock()
        self._is_writing = False
        self._late: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self.path: str | None = path
        self.trace_id: str | None = origin.new_trace_id()
        self._fd = opened.fd
        self._file = os.fstat(opened.fd)
        # A child's stands beside it, wherever the child's current folder is.
        self._whole_path = os.path.abspath(path)
        redactor = self._redactor
        redactor.count = 0  # a fork's trace counts its own
        writer = _backend.Writer(
            opened.fd,
            self.trace_id,
            flush=self._flush,  # type: ignore[arg-type]
            compress=path.endswith(".zst"),
            first_lf=opened.is_torn,
            redactor=redactor.engine,
        )
        self._recording = Recording(writer, redactor, self._lost_at_fork)
        self._intake = self._new_intake()
        # A finalizer may write in the midst of a write of the pure backend, whose lock is then taken.
        is_native = _backend.BACKEND == "native"
        can_be_sure = is_native and dumps is not None and self._intake is None
        self._sure_when_whole = writer.write_sure if can_be_sure else None
        start: dict[str, Any] = {
            "name": self._name,
            "command": list(getattr(sys, "orig_argv", None) or sys.argv),
            **origin.facts(),
            "redaction": list(redactor.rules),
        }
        if parent is not None:
            start["parent"] = parent
        if self._capture:
            from agenttrace.prices import own_prices

            start["prices"] = own_prices().version
        self._recording.start(start)
        self._recording.flush()
        self._lost_at_fork = 0
        self._fork = _forks
        self.sure = None if self._recording.lost else self._sure_when_whole

    def _new_intake(self) -> Any:
        if not self._capture:
            return None
        # Providers and all: what most tracers never need.
        from agenttrace.intake.frames_to_events import Intake

        return Intake(self._recording)

    def write(
        self,
        kind: str,
        data: Mapping[str, Any],
        span_id: str | None = None,
        parent_span_id: str | None = None,
    ) -> None:
        if span_id is None and tracer_context.has_spans:
            span = current_span.get()
            span_id = span[0] if span else None
        sure = self.sure  # called at once it would be looked up as a method first
        if sure is not None:
            # Takes turns by itself, and no Python runs within. What isn't sure or fails is done again with all care.
            try:
                if sure(kind, dumps(data, default, OPTIONS), span_id, parent_span_id, MAX_DEPTH):
                    return
            except UNSURE:
                pass
        self._write_with_care(kind, data, span_id, parent_span_id)

    def _write_with_care(
        self, kind: str, data: Mapping[str, Any], span_id: str | None, parent_span_id: str | None
    ) -> None:
        text = encode(data)
        if self._intake is not None:
            self.send(event_head(kind, span_id, parent_span_id), text)
            return
        if self._fork != _forks and not self._goes_on_after_fork():
            return
        self._in_turn(self._put, (kind, text, span_id, parent_span_id))

    def _put(self, *event: Any) -> None:
        self._recording.write(*event)
        if _is_exiting:
            self._recording.flush()  # nobody does it later
            return
        # What was lost is told before anything else is written.
        self.sure = None if self._recording.lost else self._sure_when_whole

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """What the hooks of this process tell (`capture`): the same frames that go to a collector."""
        if self._fork != _forks and not self._goes_on_after_fork():
            return
        self._in_turn(self._intake.take, (head["op"], head, body))

    def _in_turn(self, act: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        with self._lock:
            if self._closed:
                raise TracerClosedError("the tracer is closed")
            self._late.append((act, arguments))
            if self._is_writing:
                return
            while (
                self._late
            ):  # asked again, as a signal's handler may write between the last two lines
                self._is_writing = True
                try:
                    while self._late:
                        act, arguments = self._late.popleft()
                        act(*arguments)
                finally:
                    self._is_writing = False

    def _goes_on_after_fork(self) -> bool:
        """Opens this child's file at its first event; while that can't be, events are lost: told once, and counted."""
        with self._fork_lock:
            if self._fork == _forks or self._closed:
                return True
            parent = {"trace_id": self.trace_id, "why": "fork"}
            folder, name = os.path.split(self._whole_path)
            base, dot, rest = name.partition(".jsonl")
            self._let_go()  # the parent's description stays open there, with its lock
            try:
                self._open(os.path.join(folder, f"{base}.{os.getpid()}{dot}{rest}"), parent)
            except (OSError, AgentTraceError) as error:
                if not self._lost_at_fork:
                    tell(f"agenttrace: recording is losing events: {error}; the command goes on\n")
                self._lost_at_fork += 1
                return False
            return True

    def _let_go(self) -> None:
        """Closes the file, unless the agent has: what has its number now is the agent's."""
        fd, self._fd = self._fd, -1
        with contextlib.suppress(OSError):
            if fd >= 0 and os.path.samestat(os.fstat(fd), self._file):
                os.close(fd)

    def close(self, status: str) -> None:
        if self._closed:
            return
        if self._hooks is not None:
            self._hooks.remove()
        if self._fork != _forks:  # a child that wrote nothing: the trace is its parent's to end
            self._closed = True
            self._let_go()
            return
        with self._lock:
            if not self._closed:
                self._closed = True
                self.sure = self._sure_when_whole = None
                self._end(status)

    def _end(self, status: str) -> None:
        try:
            if self._intake is not None:
                self._intake.close()
            self._recording.end({"status": status})
        finally:
            self._let_go()

    def __del__(self) -> None:
        """A tracer that is dropped without being closed: its trace stays without an end, the file is free."""
        if self._closed:
            return
        self._closed = True
        # At the very end a thread that is stopped for good may stand in the midst of a write.
        if self._fork == _forks and not sys.is_finalizing():
            self._recording.flush()
        self._let_go()


_files: weakref.WeakSet[FileSink] = weakref.WeakSet()
_is_exiting = False


@atexit.register
def _flush_all() -> None:
    """A program that ends without closing its tracer loses no batch; the trace stays open-ended."""
    global _is_exiting
    _is_exiting = True
    for sink in list(_files):
        sink.sure = None
        if sink._flush == "batch" and not sink._closed and sink._fork == _forks:
            sink._recording.flush()


def _redactor(redact: bool | Sequence[str]) -> Redactor | NoRedactor:
    """redact: whether to, or patterns of the user's that are secrets too."""
    if redact is False:
        return NoRedactor()
    if redact is True:
        redact = ()
    return Redactor(os.environ, patterns=(redact,) if isinstance(redact, str) else tuple(redact))
