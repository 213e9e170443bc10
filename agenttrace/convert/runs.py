"""One JSON line a trace: what ran, when, how it ended, what it added up to."""

from __future__ import annotations

import json
from typing import Any, Optional

from agenttrace._backend import Totals
from agenttrace.event import Event, parse_ts


class RunsView:
    """Takes the good lines of any number of traces; a line comes out as each trace ends."""

    def __init__(self) -> None:
        self._open: dict[str, _Run] = {}
        self._ended: set[str] = set()

    def feed(self, lines: bytes) -> bytes:
        """Whole lines in; the lines of the traces that ended with them out."""
        done = []
        for line in lines.split(b"\n")[:-1]:
            event = Event(line + b"\n")
            trace_id = event.trace_id
            if trace_id in self._ended:
                continue
            run = self._open.setdefault(trace_id, _Run(event))
            run.add(event)
            if event.kind == "trace_end":
                self._ended.add(trace_id)
                done.append(self._open.pop(trace_id).render())
        return b"".join(done)

    def finish(self) -> bytes:
        """The traces without an end: status `incomplete`, totals of what is there."""
        return b"".join([run.render() for run in self._open.values()])


class _Run:
    def __init__(self, first: Event) -> None:
        self._trace_id = first.trace_id
        self._first_ts = self._last_ts = first.ts
        self._start: dict[str, Any] = {}
        self._end: Optional[dict[str, Any]] = None
        self._totals = Totals()
        self._events = 0

    def add(self, event: Event) -> None:
        self._events += 1
        self._last_ts = event.ts
        try:
            self._count(event)
        except ValueError:  # sealed, and yet no JSON: it is an event, and adds to nothing else
            return

    def _count(self, event: Event) -> None:
        if event.kind == "trace_start":
            self._start = event.data
        elif event.kind == "trace_end":
            self._end = event.data
            return
        self._totals.count(event.kind, event.data_json)

    def render(self) -> bytes:
        end = self._end or {}
        run: dict[str, Any] = {
            "trace_id": self._trace_id,
            "name": self._start.get("name"),
            "command": self._start.get("command"),
            "start": self._first_ts,
            "status": end.get("status", "incomplete" if self._end is None else None),
            **{name: end[name] for name in ("exit_code", "signal") if name in end},
            "duration_ns": end.get("duration_ns", self._lasted()),
            "totals": end.get("totals") or self._totals.to_dict(),
            "events": self._events,
        }
        text = json.dumps(run, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace") + b"\n"

    def _lasted(self) -> Optional[int]:
        try:
            return parse_ts(self._last_ts) - parse_ts(self._first_ts)
        except ValueError:
            return None
