"""How cost grows with size: commands on traces of a thousand to ten million events."""

from __future__ import annotations

import functools
from pathlib import Path

from benches.measuring import AGENTTRACE, Scale, best_of, seconds_of
from benches.plot import Series
from benches.traces import trace_with

COMMANDS = {
    "agenttrace verify": [*AGENTTRACE, "verify"],
    "agenttrace cat": [*AGENTTRACE, "cat"],
    "agenttrace filter -k": [*AGENTTRACE, "filter", "-q", "-k", "log"],
    "wc -l": ["wc", "-l"],
    "cksum": ["cksum"],
}


def growth(folder: Path, scale: Scale) -> list[Series]:
    """Seconds of whole commands, start and all, by the number of events."""
    points: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for events in scale.sizes:
        path = folder / "grown.jsonl"
        path.unlink(missing_ok=True)
        trace = trace_with(path, events)
        seconds = best_of(
            *(functools.partial(seconds_of, [*command, trace]) for command in COMMANDS.values()),
            rounds=3,
        )
        for name, value in zip(COMMANDS, seconds):
            points[name].append((events, value))
        path.unlink()
    return [Series(name, values) for name, values in points.items()]
