"""What a list of runs shows of each: read from a trace's two ends, however long it is.

Only lines whose seals fit are believed. Whether the trace is whole is not said here: that takes
all of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from agenttrace import _backend, errors
from agenttrace.event import Event
from agenttrace.line_store import is_plain_file

_END_BYTES = 1 << 18
# A packed file has no end to jump to; it is read whole up to here.
_UNPACKED_BYTES = 1 << 24


class RunFacts(NamedTuple):
    """A trace's first and last event, as far as they could be read. `problem`: why not."""

    path: Path
    size_bytes: int = 0
    start: Event | None = None
    end: Event | None = None
    problem: str = ""

    @property
    def started(self) -> str:
        """`2026-11-22 06:40:00` UTC, or nothing."""
        return self.start.ts[:19].replace("T", " ") if self.start else ""

    @property
    def name(self) -> str:
        """What the run was called, else its command, else the file."""
        data = self.start.data if self.start else {}
        command = data.get("command")
        spelled = " ".join(map(str, command)) if isinstance(command, list) else ""
        return str(data.get("name") or spelled or self.path.name)

    @property
    def status(self) -> str:
        """`ok`, `error`, `interrupted` as the trace says, `no end` without a trace_end."""
        if self.problem:
            return self.problem
        return str(self.end.data.get("status", "?")) if self.end else "no end"

    def total(self, name: str) -> Any:
        """One of the totals in `trace_end`; None without."""
        totals = self.end.data.get("totals") if self.end else None
        value = totals.get(name) if isinstance(totals, dict) else None
        return value if isinstance(value, (int, float)) else None

    @property
    def duration_ns(self) -> Any:
        """How long it took; None without an end."""
        return self.end.data.get("duration_ns") if self.end else None


def read_facts(path: Path) -> RunFacts:
    """Reads both ends of a file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return RunFacts(path, problem=error.strerror or "not readable")
    try:
        size = os.fstat(fd).st_size
        if not size:
            return RunFacts(path, 0, problem="empty")
        looks_like_trace = not is_plain_file(fd) or os.pread(fd, 5, 0) == b'{"v":'
        first, last = _plain_ends(fd, size) if is_plain_file(fd) else _packed_ends(fd)
    except (OSError, errors.AgentTraceError) as error:
        return RunFacts(path, problem=f"not readable: {error}")
    finally:
        os.close(fd)
    if first is None:
        return RunFacts(path, size, problem="damaged" if looks_like_trace else "not a trace")
    is_end = last is not None and last.kind == "trace_end"
    return RunFacts(path, size, first, last if is_end else None)


def _plain_ends(fd: int, size: int) -> tuple[Event | None, Event | None]:
    head = os.pread(fd, _END_BYTES, 0)
    tail = os.pread(fd, _END_BYTES, max(0, size - _END_BYTES))
    return _first_good(head), _last_good(tail)


def _packed_ends(fd: int) -> tuple[Event | None, Event | None]:
    scanner = _backend.Scanner(judge="lines")
    head, tail, read = b"", b"", 0
    while read < _UNPACKED_BYTES:
        chunk = os.read(fd, _END_BYTES)
        if not chunk:
            tail += scanner.finish()
            return _first_good(head or tail), _last_good(tail)
        read += len(chunk)
        good = scanner.feed(chunk)
        head = head or good
        tail = (tail + good)[-_END_BYTES:]
    return _first_good(head), None


def _first_good(lines: bytes) -> Event | None:
    return _opened(lines[: lines.find(b"\n") + 1])


def _last_good(lines: bytes) -> Event | None:
    if not lines.endswith(b"\n"):
        return None
    return _opened(lines[lines.rfind(b"\n", 0, -1) + 1 :])


def _opened(line: bytes) -> Event | None:
    event = Event(line)
    try:
        event.data  # noqa: B018 - opens the line and parses it
    except (errors.TraceFormatError, ValueError):
        return None
    return event


def traces_in(places: list[Path]) -> list[Path]:
    """The trace files among these files and in these folders, newest start first.

    In a folder: regular files by their suffix, links not followed.
    """
    found = []
    for place in places:
        if not place.is_dir():
            found.append(place)
            continue
        with os.scandir(place) as entries:
            found += [
                Path(entry.path)
                for entry in entries
                if entry.name.endswith((".jsonl", ".jsonl.zst"))
                and entry.is_file(follow_symlinks=False)
            ]
    return found
