"""The processes of a command, to events: those that hooked Pythons start, and the Pythons that ran without hooks."""

from __future__ import annotations

import signal
from typing import Any

from agenttrace.recording import Recording

_MOST = 10_000  # processes that are remembered


class Processes:
    """Takes what is told of processes; `close` tells which Pythons were not reached."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._hooked_pids: set[int] = set()
        self._hooked_images: set[str] = set()
        self._span_of_pid: dict[int, str] = {}
        self._running: dict[str, str | None] = {}  # span -> the span it is part of
        # Pythons that may be without hooks: (pid, image) -> (program, why, argv).
        self._doubtful: dict[tuple[int, str], tuple[str, str, list[str]]] = {}

    def hello(self, head: dict[str, Any]) -> None:
        """A hooked process is there."""
        self._hooked_pids.add(int(head["pid"]))
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
        if len(self._running) < _MOST:
            self._running[head["id"]] = parent
            if pid is not None:
                self._span_of_pid[pid] = head["id"]
        self._recording.write("process_start", facts, head["id"], parent, head["ts"])
        if head["unreached"] and pid is not None:
            self._doubt(pid, "", argv[0], str(head["unreached"]), argv)

    def ended(self, head: dict[str, Any]) -> None:
        """Its parent has learned how it ended."""
        parent = self._running.pop(head["id"], None)
        code = int(head["code"])
        facts: dict[str, Any] = {}
        if code < 0:
            facts["signal"] = _signal_name(-code)
        else:
            facts["exit_code"] = code
        facts["duration_ns"] = int(head["duration"])
        self._recording.write("process_end", facts, head["id"], parent, head["ts"])

    def seen(self, head: dict[str, Any]) -> None:
        """The front has seen a Python that may be without hooks."""
        argv = [str(word) for word in head["argv"]]
        why = str(head["why"] or "for a reason that is not known")
        self._doubt(int(head["pid"]), str(head["image"]), str(head["program"]), why, argv)

    def _doubt(self, pid: int, image: str, program: str, why: str, argv: list[str]) -> None:
        if len(self._doubtful) < _MOST:
            self._doubtful.setdefault((pid, image), (program, why, argv))

    def close(self) -> None:
        """Tells of each Python that ran and never said that it is hooked."""
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
