"""Time and chance as a trace recorded them, for the processes of a replay that draw them again."""

from __future__ import annotations

import struct
import time
from typing import Any

from agenttrace.event import Event

_MAX_ANSWER_BYTES = 1 << 20
_UUID_BYTES = 16
_Stream = tuple[str, str, str]  # process, thread, name of the stream
_WORDS = {
    "clock": "the time was read more often than was recorded",
    "large": "more than 1 MiB of random bytes was drawn at once, which is not recorded",
}


class RecordedDraws:
    """The streams of one trace; which process of the replay draws from which."""

    def __init__(self) -> None:
        self._blocks: dict[_Stream, list[bytes]] = {}
        self._processes: list[str] = []  # without their forks, as they came
        self._named: dict[str, str] = {}  # the process of the replay -> the recorded one
        self._began_ns = time.time_ns()
        self._asked_ns = time.monotonic_ns()
        self.inexact: list[str] = []

    def start(self, event: Event) -> None:
        """The trace began then."""
        self._began_ns = event.ts_ns

    def add(self, event: Event) -> None:
        """One `clock` or `entropy` event. One that is not of the form is no use, and left out."""
        data = event.data
        process, thread = str(data.get("process")), str(data.get("thread"))
        try:
            if event.kind == "clock":
                stream = "clock"
                readings = [event.ts_ns + int(after) for after in data["after_ns"]]
                block = struct.pack(f">{len(readings)}q", *readings)
            else:
                stream, block = str(data["source"]), bytes.fromhex(data["hex"])
        except (KeyError, TypeError, ValueError, OverflowError, struct.error):
            return
        if block and (stream != "uuid1" or len(block) == _UUID_BYTES):
            self._blocks.setdefault((process, thread, stream), []).append(block)
            root = process.partition("/")[0]
            if root not in self._processes:
                self._processes.append(root)

    def begin(self) -> None:
        """The replay starts now."""
        self._asked_ns = time.monotonic_ns()

    def answer(self, head: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """The next blocks that a process asks for; none if there are no more, which is then told."""
        process = "/".join([self._process(head["root"], head["command"]), *map(str, head["forks"])])
        thread, stream, begin = head["thread"], head["stream"], head["from"]
        blocks = self._blocks.get((process, thread, stream), [])
        end, size = begin, 0
        while end < len(blocks) and (end == begin or size + len(blocks[end]) <= _MAX_ANSWER_BYTES):
            size += len(blocks[end])
            end += 1
        if begin == end:
            words = _WORDS.get(stream, "more chance was drawn than was recorded")
            self.inexact.append(f"{words} (thread {thread} of process {process})")
        now_ns = self._began_ns + time.monotonic_ns() - self._asked_ns
        lengths = [len(block) for block in blocks[begin:end]]
        return {"op": "draws", "lengths": lengths, "now_ns": now_ns}, b"".join(blocks[begin:end])

    def _process(self, root: str, command: str) -> str:
        """The recorded process with the same arguments; the first is the first whatever its arguments."""
        if root not in self._named:
            free = [one for one in self._processes if one not in self._named.values()]
            same = [one for one in free if one.partition(".")[0] == command]
            if not self._named:
                same = same or free
            self._named[root] = same[0] if same else f"{command}.new{len(self._named)}"
        return self._named[root]
