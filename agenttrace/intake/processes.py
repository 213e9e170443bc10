"""The processes of a command, to events: those that hooked Pythons start, what passes through their pipes, and the
Pythons that ran without hooks.
"""

from __future__ import annotations

import signal
from typing import Any

from agenttrace import encoding
from agenttrace.intake.mcp import Peer
from agenttrace.intake.tools import ToolLedger
from agenttrace.recording import Recording
from agenttrace.redaction import PieceCleaner

_MOST = 10_000  # processes that are remembered
_MAX_PIPED_BYTES = 64 << 20  # of one pipe


class _Pipe:
    """One pipe of a process. ts_ns: when bytes last passed it."""

    def __init__(self, cleaner: PieceCleaner) -> None:
        self.cleaner = cleaner
        self.passed_bytes = 0
        self.ts_ns = 0


class Processes:
    """Takes what is told of processes; `close` tells which Pythons were not reached."""

    def __init__(self, recording: Recording, tools: ToolLedger) -> None:
        self._recording = recording
        self._tools = tools
        self._hooked_pids: set[int] = set()
        self._hooked_images: set[str] = set()
        self._span_of_pid: dict[int, str] = {}
        self._running: dict[str, str | None] = {}  # span -> the span it is part of
        self._pipes: dict[str, dict[str, _Pipe]] = {}  # span -> stream ->
        self._peers: dict[str, Peer] = {}  # span -> the MCP that its pipes may carry
        # Pythons that may be without hooks: (pid, image) -> (program, why, argv).
        self._doubtful: dict[tuple[int, str], tuple[str, str, list[str]]] = {}

    def hello(self, head: dict[str, Any]) -> None:
        """A hooked process is there."""
        pid, above = int(head["pid"]), self._span_of_pid.get(head["ppid"])
        self._hooked_pids.add(pid)
        if above is not None and len(self._span_of_pid) < _MOST:
            self._span_of_pid.setdefault(pid, above)  # started by what is not hooked, a shell
        if head.get("image"):
            self._hooked_images.add(str(head["image"]))

    def span_of(self, pid: Any) -> str | None:
        """The span of a process that another one has started, None for the command itself."""
        return self._span_of_pid.get(pid)

    def started(self, head: dict[str, Any], parent: str | None) -> None:
        """A hooked process has started another one."""
        pid, argv = head["pid"], [str(word) for word in head["argv"]]
        facts: dict[str, Any] = {"argv": argv, "cwd": head["cwd"]}
        if pid is not None:
            facts["pid"] = pid
        if head["fork"]:
            facts["fork"] = True
        if head["hooked"]:
            facts["hooked"] = True
        if len(self._running) < _MOST:
            self._running[head["id"]] = parent
            if pid is not None:
                self._span_of_pid[pid] = head["id"]
        self._recording.write("process_start", facts, head["id"], parent, head["ts"])
        if head["unreached"] and pid is not None:
            self._doubt(pid, "", argv[0], str(head["unreached"]), argv)

    def ended(self, head: dict[str, Any]) -> None:
        """Its parent has learned how it ended."""
        self._pipes_ended(head["id"])
        parent = self._running.pop(head["id"], None)
        facts: dict[str, Any] = {}
        if "error" in head:
            facts["error"] = head["error"]
        elif int(head["code"]) < 0:
            facts["signal"] = _signal_name(-int(head["code"]))
        else:
            facts["exit_code"] = int(head["code"])
        facts["duration_ns"] = int(head["duration"])
        self._recording.write("process_end", facts, head["id"], parent, head["ts"])

    def passed(self, head: dict[str, Any], body: bytes) -> None:
        """Bytes passed a pipe of it; no bytes: the pipe's end."""
        span_id, stream = head["id"], head["stream"]
        pipes = self._pipes.setdefault(span_id, {})
        if stream not in pipes:
            pipes[stream] = _Pipe(self._recording.pieces())
        pipe = pipes[stream]
        pipe.ts_ns = head["ts"]
        if span_id not in self._peers:
            self._peers[span_id] = Peer(self._tools, span_id)
        self._peers[span_id].passed(stream, body, head["ts"])
        if not body:
            rest = pipe.cleaner.rest()
            if rest:
                self._write_piped(span_id, stream, pipe, rest)
            self._write_piped(span_id, stream, pipe, b"")
            return
        room = _MAX_PIPED_BYTES - pipe.passed_bytes
        pipe.passed_bytes += len(body)
        if room > 0:
            text = pipe.cleaner.feed(body[:room])
            if text:
                self._write_piped(span_id, stream, pipe, text)
        if 0 <= room < len(body):
            reason = f"more than {_MAX_PIPED_BYTES >> 20} MiB passed a pipe of a process"
            self._recording.gap(reason, span_id=span_id, stream=stream)

    def _write_piped(self, span_id: str, stream: str, pipe: _Pipe, text: bytes) -> None:
        facts = {"stream": stream, "text": encoding.bytes_value(text)}
        parent = self._running.get(span_id)
        self._recording.write("process_chunk", facts, span_id, parent, pipe.ts_ns)

    def _pipes_ended(self, span_id: str) -> None:
        self._peers.pop(span_id, None)
        for stream, pipe in self._pipes.pop(span_id, {}).items():
            rest = pipe.cleaner.rest()
            if rest:
                self._write_piped(span_id, stream, pipe, rest)

    def signaled(self, head: dict[str, Any]) -> None:
        """Its parent sends it a signal."""
        facts = {"signal": _signal_name(head["number"])}
        parent = self._running.get(head["id"])
        self._recording.write("process_signal", facts, head["id"], parent, head["ts"])

    def seen(self, head: dict[str, Any]) -> None:
        """The front has seen a Python that may be without hooks."""
        argv = [str(word) for word in head["argv"]]
        why = str(head["why"] or "for a reason that is not known")
        self._doubt(int(head["pid"]), str(head["image"]), str(head["program"]), why, argv)

    def _doubt(self, pid: int, image: str, program: str, why: str, argv: list[str]) -> None:
        if len(self._doubtful) < _MOST:
            self._doubtful.setdefault((pid, image), (program, why, argv))

    def close(self) -> None:
        """Writes what was held back, and tells of each Python that ran and never said that it is hooked."""
        for span_id in list(self._pipes):
            self._pipes_ended(span_id)
        told_pids, told_images = set(), set()
        # Those whose image is known first: it tells forks, and what a pid became later, apart.
        doubtful = sorted(self._doubtful.items(), key=lambda item: not item[0][1])
        for (pid, image), (program, why, argv) in doubtful:
            if image in self._hooked_images or image in told_images:
                continue
            if (not image and pid in self._hooked_pids) or pid in told_pids:
                continue
            told_pids.add(pid)
            if image:
                told_images.add(image)
            name = program.rpartition("/")[2]
            reason = f"{name} (pid {pid}) ran without hooks: {why}"
            self._recording.gap(reason, pid=pid, argv=argv)


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else str(number)
