"""The front of `record`: starts the collector and the command, relays, waits, and ends as the command ended."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from agenttrace import _backend, trace_folder, trace_sink
from agenttrace.capture import frames
from agenttrace.errors import AgentTraceError
from agenttrace.recorder import child, collector, stdio
from agenttrace.recorder.options import RecordOptions
from agenttrace.recorder.recording import Recording
from agenttrace.redaction import NoRedactor, Redactor

SUMMARY_LIMIT_S = 30.0


def record(options: RecordOptions) -> int:
    """Runs the command and records it. Its exit status, or -N if signal N ended it.

    AgentTraceError or OSError if it could not be started for a reason of ours; 126 and 127 are told and returned.
    """
    unfit = child.unfit(options.command)
    if unfit is not None:
        return unfit
    trace_fd, path, is_torn = _opened(options)
    folder = _socket_folder()
    try:
        listener = _listener(folder)
        trace_id = trace_sink.new_trace_id()
        start = _start_facts(options)
        redactor = Redactor(os.environ, options.keep_env) if options.redaction else NoRedactor()
        start["redaction"] = list(redactor.rules)

        def recording() -> Recording:
            writer = _backend.Writer(
                trace_fd, trace_id, compress=bool(path and path.endswith(".zst")), first_lf=is_torn
            )
            return Recording(writer, redactor)

        pid, line = collector.start(recording, start, listener)
        os.close(trace_fd)
        return _Front(options, folder, trace_id, pid, line, path).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _opened(options: RecordOptions) -> tuple[int, str | None, bool]:
    """(descriptor of the trace, its path if it has one, whether what stands there ends without LF)."""
    if options.output == "-":
        return os.dup(1), None, False
    path = options.output or str(trace_folder.new_trace_path())
    try:
        opened = trace_folder.open_for_writing(path, if_exists=options.if_exists)
    except FileExistsError:
        raise AgentTraceError(
            f"{path}: exists already; --append adds a new trace behind what is there, --force replaces it"
        ) from None
    return opened.fd, path, opened.is_torn


def _socket_folder() -> str:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    for base in (runtime, None):
        # A Unix socket's path holds some hundred bytes.
        if base is None or (len(base) < 60 and os.access(base, os.W_OK)):
            return tempfile.mkdtemp(prefix="agenttrace-", dir=base)
    raise AssertionError("the last base always serves")


def _listener(folder: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(os.path.join(folder, "collector"))
    listener.listen(128)
    return listener


def _start_facts(options: RecordOptions) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": options.name,
        "command": list(options.command),
        "cwd": os.getcwd(),
        "producer": trace_sink.producer(),
        "host": trace_sink.host(),
    }
    parent = _parent(os.environ)
    if parent is not None:
        facts["parent"] = parent
    return facts


def _parent(environment: Mapping[str, str]) -> dict[str, str] | None:
    outer = environment.get("AGENTTRACE_TRACE_ID")
    if outer:
        return {"trace_id": outer, "why": "nested"}
    parts = environment.get("TRACEPARENT", "").split("-")
    if len(parts) >= 4 and len(parts[1]) == 32 and len(parts[2]) == 16:
        return {"trace_id": parts[1], "span_id": parts[2], "why": "traceparent"}
    return None


class _Front:
    """One run of the command."""

    def __init__(
        self,
        options: RecordOptions,
        folder: str,
        trace_id: str,
        collector_pid: int,
        line: socket.socket,
        path: str | None,
    ) -> None:
        self._options = options
        self._folder = folder
        self._trace_id = trace_id
        self._collector_pid = collector_pid
        self._line = line
        self._path = path
        self._is_alive = True
        self._line.settimeout(1.0)

    def run(self) -> int:
        outputs = {1: 2 if self._options.output == "-" else 1, 2: 2}
        streams = stdio.Stdio(self._tell_output, outputs) if self._options.stdio else None
        if streams is not None:
            child_fds = streams.child_fds
        else:
            child_fds = {fd: ours for fd, ours in outputs.items() if fd != ours}
        began = time.monotonic()
        started = streams.start if streams else _nothing
        try:
            returncode = child.run(
                self._options.command, self._environment(), streams, child_fds, started
            )
        except OSError as error:
            self._finish({"status": "error", "exit_code": child.status_of_start_error(error)})
            return child.told_start_error(self._options.command, error)
        if streams is not None:
            streams.drain(collector.GRACE_S)
        summary = self._finish(child.end_facts(returncode))
        if not self._options.quiet:
            self._print_summary(summary, time.monotonic() - began)
        return returncode

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        environment["AGENTTRACE_TRACE_ID"] = self._trace_id
        if self._options.http:
            environment.update(
                child.hooked_environment(
                    environment, os.path.join(self._folder, "collector"), "record"
                )
            )
        else:
            environment["AGENTTRACE_SOCKET"] = os.path.join(self._folder, "collector")
        return environment

    # -- the collector -----------------------------------------------------------------------

    def _tell_output(self, stream: str, fd: int, is_terminal: bool, data: bytes) -> None:
        self._send(
            {"op": "output", "ts": time.time_ns(), "stream": stream, "fd": fd, "tty": is_terminal},
            data,
        )

    def _send(self, head: dict[str, Any], body: bytes = b"") -> None:
        if not self._is_alive:
            return
        try:
            self._line.sendall(frames.encode(head, body))
        except OSError as error:
            self._is_alive = False
            sys.stderr.write(
                f"agenttrace: the collector can't be reached ({error}); the command goes on unrecorded\n"
            )

    def _finish(self, facts: dict[str, Any]) -> dict[str, Any] | None:
        """Ends the trace; what the collector says of it, None if it is gone."""
        self._send({"op": "finish", **facts})
        summary = self._summary() if self._is_alive else None
        _, status = os.waitpid(
            self._collector_pid, 0 if summary or not self._is_alive else os.WNOHANG
        )
        if summary is None and self._is_alive:
            how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "no answer"
            sys.stderr.write(
                f"agenttrace: the collector was lost ({how}): the trace ends early, some events are missing\n"
            )
        return summary

    def _summary(self) -> dict[str, Any] | None:
        self._line.settimeout(SUMMARY_LIMIT_S)
        decoder = frames.Decoder()
        try:
            while True:
                data = self._line.recv(1 << 16)
                if not data:
                    return None
                for head, _ in decoder.feed(data):
                    return head  # type: ignore[no-any-return]
        except OSError:
            return None

    def _print_summary(self, summary: dict[str, Any] | None, duration_s: float) -> None:
        if summary is not None:
            sys.stderr.write(summary_text(summary, duration_s))
        if self._path is not None:
            sys.stderr.write(f"{self._path}\n")


def _nothing() -> None:
    pass


def summary_text(summary: dict[str, Any], duration_s: float) -> str:
    """The lines that a person gets at the end of a recording."""
    totals = summary["totals"]
    parts = [_count(summary["events"], "event"), _count(totals["llm_calls"], "LLM call")]
    if totals["llm_calls"]:
        parts.append(f"{totals['input_tokens']} tokens in, {totals['output_tokens']} out")
    if totals.get("cost_usd"):
        parts.append(f"${totals['cost_usd']:.4f}")
    parts += [
        _count(totals["tool_calls"], "tool call"),
        _count(totals["errors"], "error"),
        f"{duration_s:.1f} s",
    ]
    lines = ["agenttrace: " + ", ".join(parts)]
    lines += [f"agenttrace: gap: {reason}" for reason in summary["gaps"][:10]]
    if summary["lost"]:
        lines.append(f"agenttrace: {summary['lost']} events were lost: they could not be written")
    if summary["left_running"]:
        lines.append(
            f"agenttrace: {_count(summary['left_running'], 'process', 'es')} of the command still run, unrecorded"
        )
    return "\n".join(lines) + "\n"


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"
