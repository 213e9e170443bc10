"""`make bench`: what AgentTrace costs, against others in the same run; writes docs/benchmarks.md and its plot.

`make bench-check` (`--check`): a quick run, compared with limits.py; exit status 1 names what has grown.
`--quick`: that run, shown only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benches import machine, report  # noqa: E402
from benches.growth import growth  # noqa: E402
from benches.limits import AT_MOST  # noqa: E402
from benches.measuring import FULL, QUICK, Figure, Scale, Section  # noqa: E402
from benches.plot import svg  # noqa: E402
from benches.reading import jaq_program, memory, reading, selecting  # noqa: E402
from benches.recording import calling, conversing, starting  # noqa: E402
from benches.writing import writing  # noqa: E402
from tools.agent_environment import environment_python  # noqa: E402


def measured(
    folder: Path, scale: Scale, python: Optional[str], jaq: Optional[str]
) -> Iterator[Section]:
    """All sections of this scale, one after another."""
    yield writing(folder, scale, python)
    yield conversing(folder, scale)
    yield reading(folder, scale)
    yield memory(folder, scale)
    yield selecting(folder, scale, python, jaq)
    yield starting(folder, scale)
    if scale.with_peers:
        yield calling(folder)


def grown(figures: Sequence[Figure]) -> list[str]:
    """What is above its limit, in words; and limits of what was not measured, which can't be kept."""
    counts = {figure.key: figure.counts for figure in figures}
    above = [
        f"{key}: {counts[key]:.2f}, and the limit is {limit:g}"
        for key, limit in AT_MOST.items()
        if key in counts and counts[key] > limit
    ]
    return above + [f"{key}: not measured" for key in AT_MOST if key not in counts]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    scale = QUICK if options.check or options.quick else FULL
    python = jaq = None
    if scale.with_peers:
        python, jaq = environment_python("bench", "bench"), jaq_program()
    sections = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for section in measured(folder, scale, python, jaq):
            print(report.plain(section), flush=True)
            sections.append(section)
        series = growth(folder, scale)
    if options.check:
        return check([figure for section in sections for figure in section.figures])
    if scale.with_peers:
        plot = svg("Time by size of the trace", "events", "seconds", series)
        (ROOT / "docs" / "benchmarks.svg").write_text(plot, encoding="utf-8")
        text = report.markdown(machine.machine(), machine.versions(python, jaq), sections)
        (ROOT / "docs" / "benchmarks.md").write_text(text, encoding="utf-8")
        print("\nwritten: docs/benchmarks.md, docs/benchmarks.svg")
    return 0


def check(figures: Sequence[Figure]) -> int:
    """Says what has grown; the exit status."""
    above = grown(figures)
    for line in above:
        print(f"bench-check: {line}", file=sys.stderr)
    if not above:
        print(f"\nbench-check: {len(AT_MOST)} figures within their limits")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
