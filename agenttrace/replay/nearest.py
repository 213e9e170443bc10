"""Of a request that was not recorded: which recorded one it is nearest to, and where the two differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from agenttrace.replay import comparison
from agenttrace.replay.recorded import Recorded

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


def nearest(
    exchanges: Iterable[Recorded],
    method: str,
    url: str,
    path: str,
    request: Any,
    path_of: Callable[[Recorded], str],
    mask: Callable[[Any], Any],
) -> DivergenceFound:
    """mask: hides volatile values; what differs in these alone is told behind the rest."""
    chosen, least = None, _NEAREST_LIMIT + 1
    for exchange in exchanges:
        if path_of(exchange) != path:
            continue
        count = comparison.distance(exchange.request, request, least)
        if count < least:
            chosen, least = exchange, count
    if chosen is None:
        return DivergenceFound(method, url, None, [])
    found = list(comparison.differences(chosen.request, request))
    if not found:
        found = list(
            comparison.differences(
                {"method": chosen.method, "url": chosen.url}, {"method": method, "url": url}
            )
        )
    found.sort(key=lambda one: mask(one.recorded) == mask(one.asked))
    return DivergenceFound(method, url, chosen.seq, found)


def divergence_message(found: DivergenceFound) -> str:
    """In a line: what was asked, and where the nearest recorded request differs."""
    where = ", ".join(difference.path for difference in found.differences[:3])
    detail = f"; differs from event {found.nearest_seq} at {where}" if where else ""
    return f"{found.method} {found.url} was not recorded{detail}"
