"""Figures as text for a terminal, and as docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence

from benches.measuring import Figure, Section

HEAD = """# Benchmarks

`make bench` measured and wrote this; anyone can run it again. Absolute figures are the machine's, ratios are
what compares: each is of two things that were measured in one run, in turn, each the best of several rounds.
Below 1, `agenttrace` is the cheaper one. `make bench-check` runs a small part in a minute or two and fails
where a ratio has grown beyond [benches/limits.py](../benches/limits.py).
"""
PLOT = """## Growth with size

Whole commands, start and all, on traces of short events.

![Seconds by number of events, both logarithmic](benchmarks.svg)
"""


def table(figures: Sequence[Figure]) -> list[list[str]]:
    """A head and a row for each."""
    rows = [["", "here", "against", "there", "ratio", "goal"]]
    for figure in figures:
        theirs, ratio = "", ""
        if figure.theirs is not None:
            theirs, ratio = _amount(figure.theirs, figure.unit), f"{figure.counts:.2g}"
            if figure.counts >= 1:
                ratio = f"{figure.counts:.2f}"
        goal = ""
        if figure.bar is not None:
            unit = "" if figure.theirs is not None else f" {figure.unit}"
            goal = f"≤ {figure.bar:,g}{unit}{'' if figure.counts <= figure.bar else ', missed'}"
        ours = _amount(figure.ours, figure.unit)
        rows.append([figure.name, ours, figure.against, theirs, ratio, goal])
    return rows


def _amount(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def plain(section: Section) -> str:
    """For the terminal."""
    rows = table(section.figures)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.rjust(width) if column in (1, 3, 4) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([f"\n{section.title}", *("  " + line for line in lines)])


def markdown(machine: str, versions: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole document."""
    parts = [HEAD, machine, f"Compared with {', '.join(versions)}.", PLOT.rstrip()]
    for section in sections:
        head, *rows = table(section.figures)
        lines = [head, ["---", "---:", "---", "---:", "---:", "---"], *rows]
        cells = "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)
        parts += [f"## {section.title}", section.notes, cells]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
