"""The front of `record`: starts the collector and the command, relays, waits, and ends as the command ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from agenttrace import _backend, origin, signature, trace_folder
from agenttrace.command import process, stdio
from agenttrace.command.descendants import DescendantWatch
from agenttrace.command.socket_folder import socket_folder
from agenttrace.errors import AgentTraceError
from agenttrace.gateway.process import Gateway
from agenttrace.prices import read_prices
from agenttrace.recorder import collector
from agenttrace.recorder.collecting import Collecting, Told
from agenttrace.recorder.options import RecordOptions
from agenttrace.recording import Recording
from agenttrace.redaction import GATEWAY_TOKEN, NoRedactor, OwnRedactor, Redactor
from agenttrace.telling import tell
from agenttrace.text_cleaning import clean_line

_TRACE_ID = "AGENTTRACE_TRACE_ID"  # in the environment of all that the command starts
_MOST_REASONS = 10  # why something is not in the trace: that a summary shows


def record(options: RecordOptions) -> int:
    """Runs the command and records it. Its exit status, or -N if signal N ended it.

    AgentTraceError or OSError if it could not be started for a reason of ours; 126 and 127 are told and returned.
    """
    unfit = process.unfit(options.command)
    if unfit is not None:
        return unfit
    prices = read_prices(options.prices) if options.prices else None
    private_key = _private_key(options)
    if options.output == "-" and not stdio.is_open(1):
        raise AgentTraceError("standard output is closed; give a file with -o")
    closed = process.hold_standard_descriptors()
    gateway = Gateway(os.environ, "record") if options.http else None
    redactor = _redactor(options, gateway)
    trace_fd, path, is_torn = _opened(options)
    trace_id = origin.new_trace_id()
    hash_seed = _hash_seed(os.environ) if options.entropy else None
    start = _start_facts(options, redactor, hash_seed)

    def recording() -> Recording:
        is_packed = bool(path and path.endswith(".zst"))
        writer = _backend.Writer(
            trace_fd, trace_id, compress=is_packed, first_lf=is_torn, redactor=redactor.engine
        )
        if options.rotate_bytes is None or path is None:
            return Recording(writer, redactor)
        # The collector's alone: the front has no use for it.
        from agenttrace.recorder.rotation import RotatingRecording, TraceFile

        first = TraceFile(path, trace_fd, writer)
        return RotatingRecording(first, redactor, options.rotate_bytes)

    with contextlib.ExitStack() as stack:
        sockets, trouble = None, None
        try:
            sockets = stack.enter_context(socket_folder("collector"))
        except OSError as error:
            why = error.strerror or error
            trouble = f"no folder for the recorder's socket can be made ({why}): only streams are recorded"
            if gateway is not None:
                gateway.left_to_others()
                gateway = None
        listener = sockets.listener if sockets else None
        if options.proxy and gateway is not None and sockets is not None:
            gateway.stand_proxy(sockets.folder)
        pid, line = collector.start(recording, start, listener, prices, gateway)
        os.close(trace_fd)
        collecting = Collecting(pid, line)
        if trouble:
            tell(f"agenttrace: {trouble}")
            Told(collecting).unseen(trouble)
        where = sockets.path if sockets else None
        front = _Front(options, where, trace_id, collecting, path, closed, gateway, private_key)
        return front.run(hash_seed)


def _private_key(options: RecordOptions) -> str | None:
    if options.sign is None:
        return None
    return signature.read_private_key(options.sign)


def _redactor(options: RecordOptions, gateway: Gateway | None) -> Redactor | NoRedactor:
    if not options.redaction:
        return NoRedactor() if gateway is None else OwnRedactor(gateway.plan.token)
    ours = {GATEWAY_TOKEN: gateway.plan.token} if gateway is not None else {}
    return Redactor({**os.environ, **ours}, options.keep_env, options.redact)


def _opened(options: RecordOptions) -> tuple[int, str | None, bool]:
    """(descriptor of the trace, its path if it has one, whether what stands there ends without LF)."""
    if options.output == "-":
        return fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3), None, False
    path = options.output or str(trace_folder.new_trace_path())
    try:
        opened = trace_folder.open_for_writing(path, if_exists=options.if_exists)
    except FileExistsError:
        raise AgentTraceError(
            f"{path}: exists already; --append adds a new trace behind what is there, --force replaces it"
        ) from None
    if options.if_exists == "replace":
        signature.forget(path)
    return opened.fd, path, opened.is_torn


def _hash_seed(environment: Mapping[str, str]) -> int:
    """The seed of the order of Python's sets: the user's, else as random as Python's own, but known."""
    given = environment.get("PYTHONHASHSEED", "")
    if given.isascii() and given.isdigit() and int(given) < 1 << 32:
        return int(given)
    return 1 + secrets.randbelow((1 << 32) - 1)


def _start_facts(
    options: RecordOptions, redactor: Redactor | NoRedactor, hash_seed: int | None
) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": options.name,
        "command": list(options.command),
        **origin.facts(),
        "redaction": list(redactor.rules),
    }
    if not options.stdio:
        facts["stdio"] = False
    if options.proxy:
        facts["proxy"] = True
    if hash_seed is not None:
        facts["replay"] = {"hash_seed": hash_seed}
    parent = _parent(os.environ)
    if parent is not None:
        facts["parent"] = parent
    return facts


def _parent(environment: Mapping[str, str]) -> dict[str, str] | None:
    outer = environment.get(_TRACE_ID)
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
        socket_path: str | None,
        trace_id: str,
        collecting: Collecting,
        path: str | None,
        closed: tuple[int, ...],
        gateway: Gateway | None,
        private_key: str | None,
    ) -> None:
        self._private_key = private_key
        self._closed = closed
        self._gateway = gateway
        self._options = options
        self._socket_path = socket_path
        self._trace_id = trace_id
        self._collecting = collecting
        self._path = path

    def run(self, hash_seed: int | None) -> int:
        self._hash_seed = hash_seed
        outputs = {1: 2 if self._options.output == "-" else 1, 2: 2}
        streams = stdio.Stdio(Told(self._collecting), outputs) if self._options.stdio else None
        if streams is not None:
            child_fds = streams.child_fds
        else:
            child_fds = {fd: ours for fd, ours in outputs.items() if fd != ours}
        watch = DescendantWatch(self._socket_path or "", self._tell_seen)

        def started(pid: int) -> None:
            if streams is not None:
                streams.start()
            if self._options.http and self._socket_path:
                watch.start(pid)

        began = time.monotonic()
        command = self._options.command
        try:
            returncode = process.run(
                command, self._environment(), streams, child_fds, started, self._closed
            )
        except OSError as error:
            status = process.status_of_start_error(error)
            self._collecting.finish({"status": "error", "exit_code": status})
            return process.told_start_error(command, error)
        end = {"ended_s": time.monotonic(), **process.end_facts(returncode)}
        end.update(seen=watch.stop(), variable=f"{_TRACE_ID}={self._trace_id}")
        held = streams.drain(collector.GRACE_S) if streams is not None else []
        if held:
            end["held"] = held
        if self._gateway is not None:
            self._gateway.end()
        summary = self._collecting.finish(end)
        self._sign(summary is not None)
        if not self._options.quiet:
            self._print_summary(summary, time.monotonic() - began)
        return returncode

    def _sign(self, is_whole: bool) -> None:
        if self._private_key is None or self._path is None:
            return
        if not is_whole:
            tell("agenttrace: the trace is not signed: it was not ended\n")
            return
        try:
            signature.sign(self._path, self._trace_id, self._private_key)
        except (OSError, AgentTraceError) as error:
            tell(f"agenttrace: the trace is not signed: {clean_line(str(error))}\n")

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        environment[_TRACE_ID] = self._trace_id
        if self._socket_path is None:
            environment.pop("AGENTTRACE_SOCKET", None)  # of a recorder around us
            return environment
        environment["AGENTTRACE_SOCKET"] = self._socket_path
        asked = {"http": self._options.http, "entropy": self._options.entropy}
        without = [name for name, is_wanted in asked.items() if not is_wanted]
        if len(without) < len(asked):
            hooked = process.hooked_environment(environment, self._socket_path, "record", without)
            environment.update(hooked)
        if self._gateway is not None:
            environment.update(self._gateway.plan.variables)
        if self._hash_seed is not None:
            environment["PYTHONHASHSEED"] = str(self._hash_seed)
        return environment

    def _tell_seen(self, head: dict[str, Any]) -> None:
        self._collecting.send(head, b"")

    def _print_summary(self, summary: dict[str, Any] | None, duration_s: float) -> None:
        if summary is not None:
            tell(summary_text(summary, duration_s))
        if self._path is not None:
            tell(clean_line(self._path))


def summary_text(summary: dict[str, Any], duration_s: float) -> str:
    """The lines that a person gets at the end of a recording."""
    totals = summary["totals"]
    parts = [_count(summary["events"], "event"), _count(totals["llm_calls"], "LLM call")]
    if totals["input_tokens"] or totals["output_tokens"]:
        parts.append(f"{totals['input_tokens']} tokens in, {totals['output_tokens']} out")
    if totals.get("cost_usd"):
        parts.append(f"${totals['cost_usd']:.4f}")
    parts += [
        _count(totals["tool_calls"], "tool call"),
        _count(totals["errors"], "error"),
        f"{duration_s:.1f} s",
    ]
    if totals.get("redactions"):
        parts.append(_count(totals["redactions"], "secret") + " redacted")
    lines = ["agenttrace: " + ", ".join(parts)]
    lines += [f"agenttrace: gap: {reason}" for reason in _told_once(summary["gaps"])]
    if summary["lost"]:
        lines.append(f"agenttrace: {summary['lost']} events were lost: they could not be written")
    if summary["left_running"]:
        lines.append(
            f"agenttrace: {_count(summary['left_running'], 'process', 'es')} of the command left running, unrecorded"
        )
    return "\n".join(lines) + "\n"


def _told_once(reasons: list[str]) -> list[str]:
    """Each reason once, with how often it was told; of many the first."""
    told = [
        reason if times == 1 else f"{reason} ({times} times)"
        for reason, times in Counter(reasons).items()
    ]
    more = len(told) - _MOST_REASONS
    return [*told[:_MOST_REASONS], f"and {more} more, in the trace"] if more > 0 else told


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"
