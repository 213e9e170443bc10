"""Which recorded answer a request gets: by what it says, not by its turn.

The ladder: the same request; the same but for the server's address, which is told; else it has
diverged. The same request twice gets its two answers in the order in which they were recorded. A
lookup costs the same however long the trace is.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from agenttrace.intake import content
from agenttrace.redaction import NoRedactor, Redactor, clean_url
from agenttrace.replay import comparison, json_path
from agenttrace.replay.recorded import Recorded, RecordedRun

_NEAREST_LIMIT = 500


@dataclass
class DivergenceFound:
    """What was asked that isn't in the trace, and the nearest that is."""

    method: str
    url: str
    nearest_seq: int | None
    differences: list[comparison.Difference]

    def to_dict(self) -> dict[str, Any]:
        """For `--format jsonl`."""
        return {
            "method": self.method,
            "url": self.url,
            "nearest_seq": self.nearest_seq,
            "differences": [difference._asdict() for difference in self.differences],
        }


@dataclass
class MatchReport:
    """What came of a replay's requests. masked: how each request that was not matched to the letter differed."""

    matched: int = 0
    masked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    divergence: DivergenceFound | None = None
    diverged: int = 0


class Matcher:
    """Hands out the recorded answers of one run."""

    def __init__(
        self,
        run: RecordedRun,
        redactor: Redactor | NoRedactor | None = None,
        ignore: Sequence[json_path.Path] = (),
    ) -> None:
        self._run = run
        self._redactor = redactor or NoRedactor()
        self._ignore = ignore
        self._exact: dict[bytes, deque[Recorded]] = {}
        self._elsewhere: dict[bytes, deque[Recorded]] = {}
        self.asked: set[int] = set()
        self.report = MatchReport()
        for exchange in run.exchanges:
            exchange.request = json_path.without(exchange.request, ignore)
            exact, elsewhere = _keys(exchange.method, exchange.url, exchange.request)
            self._exact.setdefault(exact, deque()).append(exchange)
            self._elsewhere.setdefault(elsewhere, deque()).append(exchange)

    def ask(self, method: str, url: str, body: bytes) -> Recorded | DivergenceFound:
        """The answer to this request, each recorded one once; or in what it differs from the nearest."""
        url = clean_url(url)
        request = json_path.without(self._read(body), self._ignore)
        exact, elsewhere = _keys(method, url, request)
        found = self._next(self._exact.get(exact))
        if found is None:
            found = self._next(self._elsewhere.get(elsewhere))
            if found is not None:
                self.report.masked.append(
                    f"event {found.seq}: asked at {url}, recorded at {found.url}"
                )
        if found is None:
            return self._diverge(method, url, request)
        self.asked.add(found.seq)
        self.report.matched += 1
        return found

    def unasked(self) -> list[Recorded]:
        """Recorded requests that were not asked (so far)."""
        return [exchange for exchange in self._run.exchanges if exchange.seq not in self.asked]

    def _next(self, queue: deque[Recorded] | None) -> Recorded | None:
        while queue:
            exchange = queue.popleft()
            if exchange.seq not in self.asked:
                return exchange
        return None

    def _read(self, body: bytes) -> Any:
        """As it would have been recorded: redacted alike, so that what was redacted matches."""
        raw, value = content.read_json(body)
        if raw is None:
            return self._redactor.clean(body)
        cleaned = self._redactor.clean(raw.text)
        return value if cleaned == raw.text else content.read_json(cleaned)[1]

    def _diverge(self, method: str, url: str, request: Any) -> DivergenceFound:
        nearest, least = None, _NEAREST_LIMIT + 1
        path = _path(url)
        for exchange in self.unasked() or self._run.exchanges:
            if _path(exchange.url) != path:
                continue
            count = comparison.distance(exchange.request, request, least)
            if count < least:
                nearest, least = exchange, count
        found = DivergenceFound(method, url, None, [])
        if nearest is not None:
            found.nearest_seq = nearest.seq
            found.differences = list(comparison.differences(nearest.request, request))
            if not found.differences:
                found.differences = list(comparison.differences({"url": nearest.url}, {"url": url}))
        self.report.diverged += 1
        if self.report.divergence is None:
            self.report.divergence = found
        return found


def _keys(method: str, url: str, request: Any) -> tuple[bytes, bytes]:
    body = comparison.canonical(request)
    place = f"{method} {_path(url)} ".encode("utf-8", "replace")
    return _digest(f"{method} {url} ".encode("utf-8", "replace") + body), _digest(place + body)


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()


def _path(url: str) -> str:
    """Path and query, what is asked of whichever server; the whole of a URL that is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return f"{parts.path}?{parts.query}"
