"""The trace that is being recorded: takes events, redacts them, counts them, and says what was lost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from agenttrace import _backend, encoding
from agenttrace.redaction import NoRedactor, PieceCleaner, Redactor
from agenttrace.telling import tell
from agenttrace.totals import Totals

_CUT_CHARS = 1 << 20


class Recording:
    """One trace in the making. A failing write never raises: it is told once, counted, and told in
    a `gap` when writing works again.
    """

    def __init__(self, writer: _backend.Writer, redactor: Redactor | NoRedactor) -> None:
        self._writer = writer
        self._redactor = redactor
        self._lost = 0
        self._has_told = False
        self.began_ns = time.monotonic_ns()
        self.totals = Totals()
        self.gaps: list[str] = []

    @property
    def trace_id(self) -> str:
        return self._writer.trace_id

    @property
    def events(self) -> int:
        return self._writer.events

    def pieces(self) -> PieceCleaner:
        """What cleans the pieces of one stream before they are written."""
        return PieceCleaner(self._redactor)

    def clean_form(self, body: bytes) -> bytes:
        """A body without secrets that its form shows, which are not seen in its text alone."""
        return self._redactor.clean_form(body)

    def write(
        self,
        kind: str,
        data: Mapping[str, Any] | bytes,
        span_id: str | None = None,
        parent_span_id: str | None = None,
        ts_ns: int = 0,
    ) -> None:
        """One event. data: a mapping (RawJson values are put in as they stand), or its compact JSON."""
        text = data if isinstance(data, bytes) else encoding.encode_members(data)
        text = self._redactor.clean(text)
        if self._lost and not self._tell_lost():
            self._lost += 1
            return
        if self._try(kind, text, span_id, parent_span_id, ts_ns):
            self.totals.count(kind, text)

    def gap(self, reason: str, **facts: Any) -> None:
        """Something was lost, cut or could not be seen."""
        self.gaps.append(reason)
        self.write("gap", {"reason": reason, **facts})

    def end(self, facts: Mapping[str, Any]) -> None:
        """Writes `trace_end`."""
        self.totals.redactions = self._redactor.count
        totals = self.totals.to_dict()
        if "cost_usd" in totals:
            totals["cost_usd"] = encoding.decimal(totals["cost_usd"])
        members = {
            **facts,
            "duration_ns": time.monotonic_ns() - self.began_ns,
            "totals": encoding.RawJson(encoding.encode_members(totals)),
        }
        try:
            self._writer.end(self._redactor.clean(encoding.encode_members(members)))
        except OSError as error:
            self._tell_once(error)

    def flush(self) -> None:
        """What was written is handed to the system."""
        try:
            self._writer.flush()
        except OSError as error:
            self._tell_once(error)

    @property
    def lost(self) -> int:
        """Events that could not be written and that no `gap` tells of yet."""
        return self._lost

    def _tell_lost(self) -> bool:
        gap = encoding.encode({"reason": "events could not be written", "events": self._lost})
        if self._try("gap", gap, None, None, 0, counts=False):
            self.gaps.append(f"{self._lost} events could not be written")
            self._lost = 0
            return True
        return False

    def _try(
        self,
        kind: str,
        text: bytes,
        span_id: str | None,
        parent: str | None,
        ts_ns: int,
        counts: bool = True,
    ) -> bool:
        try:
            self._writer.write(kind, text, span_id, parent, ts_ns)
        except OSError as error:
            self._tell_once(error)
            self._lost += counts
            return False
        except ValueError as error:
            return self._write_cut(kind, text, span_id, parent, ts_ns, error)
        return True

    def _write_cut(
        self,
        kind: str,
        text: bytes,
        span_id: str | None,
        parent: str | None,
        ts_ns: int,
        why: ValueError,
    ) -> bool:
        """What the format can't hold (a line over its limit) goes in cut, marked `truncated`, and a gap says so."""
        data = {"truncated": len(text), "text": text[:_CUT_CHARS].decode("utf-8", "replace")}
        try:
            self._writer.write(kind, encoding.encode(data), span_id, parent, ts_ns)
        except (ValueError, OSError) as error:
            self._tell_once(error)
            self._lost += 1
            return False
        self.gap(f"an event was cut: {why}", kind=kind, bytes=len(text))
        return True

    def _tell_once(self, error: Exception) -> None:
        if not self._has_told:
            self._has_told = True
            tell(f"agenttrace: recording is losing events: {error}; the command goes on\n")
