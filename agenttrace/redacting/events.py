"""The secrets in one event's data, by the rules of a recording."""

from __future__ import annotations

from typing import Any

from agenttrace import _backend
from agenttrace.encoding import bytes_value, value_bytes
from agenttrace.errors import TraceFormatError
from agenttrace.event import parse_json
from agenttrace.redaction import Redactor, clean_url, kept_headers
from agenttrace.splicing import with_member

_EXCHANGES = (
    "llm_request",
    "llm_chunk",
    "llm_response",
    "http_request",
    "http_chunk",
    "http_response",
)
_WITH_FORMS = ("llm_request", "http_request")
_MESSAGES = ("ws_send", "ws_receive", "ws_close")


class EventCleaner:
    """Cleans the data of events, and counts what it removed, for each trace."""

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self.total = 0
        self._counts: dict[str, int] = {}

    def count(self, trace_id: str, number: int) -> None:
        """So many more secrets were removed from a trace."""
        if number:
            self.total += number
            self._counts[trace_id] = self._counts.get(trace_id, 0) + number

    def clean(self, trace_id: str, kind: str, data: bytes) -> bytes:
        """An event's data without secrets. TraceFormatError for what is no JSON: in it none can be told."""
        try:
            # Not what the seal covers, which may be spelled in any way.
            data = _backend.compact_json(data)
        except ValueError as error:
            raise TraceFormatError(f"the data can't be redacted: {error}") from None
        before = self.redactor.count
        if kind in _EXCHANGES or kind in _MESSAGES:
            data = self._exchange(kind, data)
        data = self.redactor.clean(data)
        self.count(trace_id, self.redactor.count - before)
        return data

    def start(self, facts: dict[str, Any]) -> dict[str, Any]:
        """The facts of `trace_start`, with the names of the rules."""
        known = facts.get("redaction")
        names = known if isinstance(known, list) else []
        return {**facts, "redaction": [*names, *(n for n in self.redactor.rules if n not in names)]}

    def end(self, trace_id: str, facts: dict[str, Any]) -> dict[str, Any]:
        """The facts of `trace_end`, with how much was removed."""
        count = self._counts.pop(trace_id, 0)
        totals = facts.get("totals")
        if not count or not isinstance(totals, dict):
            return facts
        before = totals.get("redactions")
        known = before if type(before) is int else 0
        return {**facts, "totals": {**totals, "redactions": known + count}}

    def _exchange(self, kind: str, data: bytes) -> bytes:
        facts = parse_json(data)
        for name, value in self._cleaned_head(facts).items():
            if value != facts[name]:
                self.redactor.count += 1
                data = with_member(data, name, value)
        if isinstance(facts.get("http"), dict):
            http = {**facts["http"], **self._cleaned_head(facts["http"])}
            if http != facts["http"]:
                self.redactor.count += 1
                data = with_member(data, "http", http)
        if kind in _WITH_FORMS and "body" in facts:
            body = value_bytes(facts["body"])
            cleaned = self.redactor.clean_form(body)
            if cleaned != body:
                data = with_member(data, "body", bytes_value(cleaned))
        return data

    @staticmethod
    def _cleaned_head(facts: dict[str, Any]) -> dict[str, Any]:
        """The URL and the headers that are kept, of those that are there."""
        cleaned: dict[str, Any] = {}
        if isinstance(facts.get("url"), str):
            cleaned["url"] = clean_url(facts["url"])
        if isinstance(facts.get("headers"), dict):
            pairs = facts["headers"].items()
            cleaned["headers"] = kept_headers((name, str(value)) for name, value in pairs)
        return cleaned


def has_its_base(data: bytes, cleaned: bytes) -> bool:
    """Whether a request that holds only what is new still goes with its base when both are cleaned, each by itself.

    Not where a secret was the name of a member that it has from there, nor where one may begin in the base's last word.
    """
    facts, base = parse_json(data), parse_json(cleaned)["base"]
    request, prefix = facts.get("request"), facts["base"].get("prefix", {})
    if base != facts["base"] or not isinstance(request, dict):
        return False
    parts = [request.get(name) for name in prefix]
    return not any(part and isinstance(part[0], str) for part in parts if isinstance(part, list))
