"""The child processes of a trace: what each was, what passed through its pipes, how it ended."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agenttrace import encoding
from agenttrace.event import Event


class Piece(NamedTuple):
    """Bytes that passed a pipe. stream: "stdin", "stdout" or "stderr". No bytes: its end."""

    stream: str
    data: bytes


@dataclass
class RecordedProcess:
    """One child. code: how it ended, -N for signal N, None if nobody saw it. error: why it could not be started.
    runs: it is the agent's own code (a hooked Python, a fork), which a replay runs. parent_span_id: of what started it.
    """

    seq: int
    span_id: str | None
    argv: list[str]
    cwd: str
    runs: bool
    pieces: list[Piece] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    code: int | None = None
    error: dict[str, Any] | None = None
    parent_span_id: str | None = None

    def said(self) -> tuple[object, ...]:
        """All that its parent saw of it; what it was told is a part of that."""
        return joined(self.pieces), self.code, self.error


class RecordedProcesses:
    """Of one trace, in the order in which they were started."""

    def __init__(self) -> None:
        self.all: list[RecordedProcess] = []
        self._by_span: dict[str | None, RecordedProcess] = {}

    def add(self, event: Event) -> None:
        """One `process_*` event. What is not of the form is of no use, and left out."""
        data = event.data
        if event.kind == "process_start":
            argv, cwd = data.get("argv"), data.get("cwd")
            if isinstance(argv, list) and isinstance(cwd, str):
                runs = data.get("hooked") is True or data.get("fork") is True
                argv = [str(word) for word in argv]
                started = RecordedProcess(event.seq, event.span_id, argv, cwd, runs)
                started.parent_span_id = event.parent_span_id
                self.all.append(started)
                self._by_span[event.span_id] = started
            return
        process = self._by_span.get(event.span_id)
        if process is None:
            return
        if event.kind == "process_chunk":
            if data.get("stream") in ("stdin", "stdout", "stderr"):
                piece = Piece(data["stream"], encoding.value_bytes(data.get("text")))
                # It did not wait for an input that its parent left open until it had ended.
                if piece != Piece("stdin", b"") or process.code is None:
                    process.pieces.append(piece)
        elif event.kind == "process_signal":
            process.signals += _signals(data.get("signal"))
        elif event.kind == "process_end":
            _end(process, data)

    def at(self, span_id: str | None) -> RecordedProcess | None:
        """The process with this span."""
        return self._by_span.get(span_id)


def _end(process: RecordedProcess, data: dict[str, Any]) -> None:
    code, error = data.get("exit_code"), data.get("error")
    if isinstance(error, dict) and type(error.get("errno")) is int:
        process.error = error
    elif type(code) is int and 0 <= code <= 255:
        process.code = code
    else:
        process.code = next((-number for number in _signals(data.get("signal"))), None)


def _signals(name: Any) -> Sequence[int]:
    """The signal of this name, or number in digits; none if there is none such."""
    known = signal.Signals.__members__.get(name) if isinstance(name, str) else None
    if known is not None:
        return [int(known)]
    is_number = isinstance(name, str) and name.isdigit() and 0 < int(name) < signal.NSIG
    return [int(name)] if is_number else []


def joined(pieces: Sequence[Piece]) -> list[Piece]:
    """The same with neighbours of one stream in one, but for the ends."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if last is not None and last.stream == piece.stream and last.data and piece.data:
            found[-1] = Piece(piece.stream, last.data + piece.data)
        else:
            found.append(piece)
    return found
