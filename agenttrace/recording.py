"""The trace that is being recorded: takes events, and says what was lost."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from agenttrace import _backend, encoding, redaction
from agenttrace.errors import TracerClosedError
from agenttrace.redaction import NoRedactor, PieceCleaner, Redactor
from agenttrace.telling import tell

_CUT_CHARS = 1 << 20


class Recording:
    """One trace in the making. A failing write never raises: it is told once, counted, and told in
    a `gap` when writing works again. writer: cleans with the redactor's engine. lost: events that could not be written
    before.
    """

    def __init__(
        self, writer: _backend.Writer, redactor: Redactor | NoRedactor, lost: int = 0
    ) -> None:
        self._writer = writer
        self._redactor = redactor
        self._lost = lost
        # `trace_start` and its time, while it could not be written: no trace begins with anything else.
        self._late_start: tuple[bytes, int] | None = None
        self._has_told = False
        self.began_ns = time.monotonic_ns()
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

    def clean_url(self, url: str) -> str:
        """Without the passwords and secret-looking parameters that it shows by their places."""
        cleaned = redaction.clean_url(url)
        self._redactor.count += cleaned.count("[redacted:") - url.count("[redacted:")
        return cleaned

    def kept_headers(self, pairs: Iterable[Iterable[str]]) -> dict[str, str]:
        """Those of an exchange's headers that a trace keeps."""
        kept = redaction.kept_headers(pairs)
        self._redactor.count += sum(value.count("[redacted:") for value in kept.values())
        return kept

    def start(self, facts: Mapping[str, Any], ts_ns: int = 0) -> None:
        """Writes `trace_start`; later, before all else, where it can't be now. ts_ns: when that was; 0 is now."""
        self._late_start = (encoding.encode(facts), ts_ns or time.time_ns())
        self._catch_up()

    def go_on(self, writer: _backend.Writer) -> None:
        """What comes from now on is another trace."""
        self._writer = writer
        self._redactor.count = 0
        self.began_ns = time.monotonic_ns()

    def run_events(self) -> int:
        """How many events the whole run has written."""
        return self.events

    def run_totals(self) -> dict[str, Any]:
        """What the whole run adds up to."""
        return self.totals()

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
        if self.lost and not self._catch_up():
            self._lost += 1
            return
        try:
            self._writer.write(kind, text, span_id, parent_span_id, ts_ns)
        except OSError as error:
            self._lose(error)
        except ValueError as error:
            if self._writer.ended:
                raise TracerClosedError("the trace has ended") from None
            self._write_cut(kind, text, span_id, parent_span_id, ts_ns, error)

    def gap(self, reason: str, **facts: Any) -> None:
        """Something was lost, cut or could not be seen. The summary tells the reasons, so they are cleaned here."""
        cleaned = self._redactor.clean_text(reason.encode("utf-8", "replace"))
        reason = cleaned.decode("utf-8", "replace")
        self.gaps.append(reason)
        self.write("gap", {"reason": reason, **facts})

    def end(self, facts: Mapping[str, Any]) -> None:
        """Writes `trace_end`; not where a loss can't be told: who ends a trace says that all of it is there."""
        if self.lost and not self._catch_up():
            self.flush()
            return
        totals = self.totals()
        if "cost_usd" in totals:
            totals["cost_usd"] = encoding.decimal(totals["cost_usd"])
        members = {
            **facts,
            "duration_ns": time.monotonic_ns() - self.began_ns,
            "totals": encoding.RawJson(encoding.encode_members(totals)),
        }
        try:
            self._writer.end(encoding.encode_members(members))
        except OSError as error:
            self._tell_once(error)

    def totals(self) -> dict[str, Any]:
        """What the events so far add up to, as `trace_end` has it; `redactions` only where there were any."""
        totals: dict[str, Any] = self._writer.totals()
        redactions = self._writer.redactions + self._redactor.count
        return {**totals, "redactions": redactions} if redactions else totals

    def flush(self) -> None:
        """What was written is handed to the system."""
        try:
            self._writer.flush()
        except OSError as error:
            self._tell_once(error)

    @property
    def lost(self) -> int:
        """Events that could not be written and that no `gap` tells of yet."""
        return self._lost + (self._late_start is not None)

    def _catch_up(self) -> bool:
        """Writes the start that is missing, then what was lost -> whether that went well."""
        try:
            if self._late_start is not None:
                text, ts_ns = self._late_start
                self._writer.write("trace_start", text, None, None, ts_ns)
                self._late_start = None
            if self._lost:
                lost = {"reason": "events could not be written", "events": self._lost}
                self._writer.write("gap", encoding.encode(lost))
                plural = "" if self._lost == 1 else "s"
                self.gaps.append(f"{self._lost} event{plural} could not be written")
                self._lost = 0
        except (OSError, ValueError) as error:
            self._tell_once(error)
            return False
        return True

    def _write_cut(
        self,
        kind: str,
        text: bytes,
        span_id: str | None,
        parent: str | None,
        ts_ns: int,
        why: ValueError,
    ) -> None:
        """What the format can't hold (a line over its limit) goes in cut, marked `truncated`, and a gap says so."""
        # Whole secrets are seen as such, cut ones are not.
        cut = self._redactor.clean(text)[:_CUT_CHARS].decode("utf-8", "replace")
        data = {"truncated": len(text), "text": cut}
        try:
            self._writer.write(kind, encoding.encode(data), span_id, parent, ts_ns)
        except (ValueError, OSError) as error:
            self._lose(error)
            return
        self.gap(f"an event was cut: {why}", kind=kind, bytes=len(text))

    def _lose(self, error: Exception) -> None:
        self._tell_once(error)
        self._lost += 1

    def _tell_once(self, error: Exception) -> None:
        if not self._has_told:
            self._has_told = True
            tell(f"agenttrace: recording is losing events: {error}; the command goes on\n")
