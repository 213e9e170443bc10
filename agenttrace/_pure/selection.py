"""Conditions on raw lines. Parses no more of a line than a condition needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from agenttrace._pure.jsontext import load_json
from agenttrace._pure.line import Line, Malformed, data_of, parse_line, without_lf

_REGEX_MEANING = frozenset("\\.+*?()|[]{}^$")
# One of these stands in the data of every event that is an error by its data.
_ERROR_HINTS = (b'"is_error"', b'"error"', b'"status"', b'"exit_code"', b'"signal"', b"\\u00")


def literal(pattern: str) -> bytes:
    """The bytes that `pattern` finds, if it is a literal: no meaning but escaped characters."""
    found, escaped = [], False
    for char in pattern:
        if escaped and (char not in _REGEX_MEANING):
            break
        if not escaped and char == "\\":
            escaped = True
            continue
        if not escaped and char in _REGEX_MEANING:
            escaped = True
            break
        found.append(char)
        escaped = False
    if escaped:
        raise ValueError(
            "regular expressions need the native backend; this one finds literal strings only"
        )
    return "".join(found).encode()


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _at_least_400(value: object) -> bool:
    return _is_number(value) and value >= 400  # type: ignore[operator]


def is_error(line: Line, body: bytes) -> bool:
    """Whether an event is an error, as FORMAT.md says it."""
    return data_is_error(line.kind, data_of(body, line))


def data_is_error(kind: str, raw: bytes) -> bool:
    """As `is_error`, by the kind and the text of `data`."""
    if kind == "error":
        return True
    if not any(hint in raw for hint in _ERROR_HINTS):
        return False
    try:
        data = load_json(raw)
    except ValueError:
        return False  # a seal says nothing of what it seals
    if data.get("is_error") is True or data.get("error") is not None:
        return True
    http = data.get("http")
    if isinstance(http, dict) and _at_least_400(http.get("status")):
        return True
    if kind == "http_response":
        return _at_least_400(data.get("status"))
    if kind in ("process_end", "trace_end"):
        code = data.get("exit_code")
        return (_is_number(code) and code != 0) or data.get("signal") is not None
    return False


def _any_of(values: Optional[list[str]]) -> Optional[frozenset[str]]:
    return None if values is None else frozenset(values)


class Selection:
    """A condition on raw lines; all that are given must hold."""

    def __init__(
        self,
        *,
        kinds: Optional[list[str]] = None,
        span_ids: Optional[list[str]] = None,
        trace_ids: Optional[list[str]] = None,
        since: Optional[str] = None,
        until: Optional[str] = None,
        grep: Optional[str] = None,
        errors: bool = False,
        holding: Sequence[list[str]] = (),
        comparing: Sequence[tuple[list[str], str, str]] = (),  # noqa: ARG002 - jq compares as fast as Python
    ) -> None:
        self._kinds = _any_of(kinds)
        self._span_ids = _any_of(span_ids)
        self._trace_ids = _any_of(trace_ids)
        self._since = since
        self._until = until
        self._grep = None if grep is None else literal(grep)
        self._errors = errors
        self._holding = [[literal.encode() for literal in literals] for literals in holding]

    def matches(self, line: bytes) -> bool:
        """`line` must be a good one (as a Scanner hands it on)."""
        body = without_lf(line)
        try:
            parsed = parse_line(body)
        except Malformed:
            return False
        return self.matches_parsed(parsed, body)

    def matches_parsed(self, line: Line, body: bytes) -> bool:
        """As `matches`, for a line that was parsed; `body` has no LF."""
        return (
            self._fits_frame(line)
            and (self._grep is None or self._grep in body)
            and all(any(one in body for one in literals) for literals in self._holding)
            and (not self._errors or is_error(line, body))
        )

    def _fits_frame(self, line: Line) -> bool:
        if self._kinds is not None and line.kind not in self._kinds:
            return False
        if self._trace_ids is not None and line.trace_id not in self._trace_ids:
            return False
        if self._since is not None and line.ts < self._since:
            return False
        if self._until is not None and line.ts >= self._until:
            return False
        spans = self._span_ids
        return spans is None or line.span_id in spans or line.parent_span_id in spans


class Projection:
    """What is copied out of lines: all of them here, since Python would take longer than who reads them."""

    def __init__(self, whole: list[list[str]], stepped: list[list[str]]) -> None:
        pass

    def copy(self, lines: list[bytes]) -> bytes:
        """The lines, an LF between them."""
        return b"\n".join(map(without_lf, lines))
