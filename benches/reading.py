"""What reading a trace costs, against tools that read the same bytes; and how much memory it takes."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from benches.measuring import (
    AGENTTRACE,
    ROOT,
    Figure,
    Scale,
    Section,
    best_of,
    peak_megabytes_of,
    seconds_of,
)
from benches.peers import PEERS
from benches.traces import trace_of

NOTES = """\
Whole commands on a trace of {size}, lines of 1.1 KB, output thrown away; for `agenttrace` less what its \
start takes (below). `wc`, `cat`, `cksum` and `zstd` do less with the bytes: no sums are compared, \
nothing is judged."""
SELECTING = """\
Whole commands that pick a tenth of the events of a trace of {size}, by kind. Besides, `agenttrace` \
judges every line. DuckDB only counts what it finds."""
MEMORY = """The most that one process of a command held, on a trace of {size}."""
EXPRESSION = '.kind=="user_input"'
JQ = f"select({EXPRESSION})"


def size_of(megabytes: int) -> str:
    return f"{megabytes / 1024:g} GiB" if megabytes >= 1024 else f"{megabytes} MiB"


def reading(folder: Path, scale: Scale) -> Section:
    """Judging and passing on, against what only reads."""
    megabytes = scale.megabytes
    section = Section("Reading", NOTES.format(size=size_of(megabytes)))
    one = trace_of(folder / "one.jsonl", megabytes << 20)
    parts = [trace_of(folder / f"part-{number:02}.jsonl", megabytes << 16) for number in range(16)]
    verify, cat = [*AGENTTRACE, "verify"], [*AGENTTRACE, "cat"]
    compared = [
        ("verify", verify, ["wc", "-l"], [one], None),
        ("verify", verify, ["cat"], [one], None),
        ("verify", verify, ["cksum"], [one], 1.0),
        ("verify, 16 files", verify, ["wc", "-l"], parts, None),
        ("verify --deep", [*verify, "--deep"], ["wc", "-l"], [one], None),
        ("cat", cat, ["cat"], [one], None),
        ("filter -k", [*AGENTTRACE, "filter", "-q", "-k", "user_input"], ["wc", "-l"], [one], None),
    ]
    if shutil.which("zstd"):
        packed = str(folder / "one.jsonl.zst")
        subprocess.run(["zstd", "-q", "-f", one, "-o", packed], check=True)
        compared.append(("verify, .zst", verify, ["zstd", "-dc"], [packed], None))
    for name, ours, theirs, files, bar in compared:
        section.figures.append(_net(folder, name, (ours, theirs), files, scale, bar))
    return section


def _net(
    folder: Path,
    name: str,
    commands: tuple[Sequence[str], Sequence[str]],
    files: Sequence[str],
    scale: Scale,
    bar: Optional[float],
) -> Figure:
    subject, floor = commands
    empty = folder / "empty.jsonl"
    empty.touch()
    ours, start, theirs = best_of(
        functools.partial(seconds_of, [*subject, *files]),
        functools.partial(seconds_of, [*subject, str(empty)], check=False),
        functools.partial(seconds_of, [*floor, *files]),
        rounds=scale.rounds - 2,
    )
    return Figure(name, (ours - start) * 1e3, "ms", " ".join(floor), theirs * 1e3, bar)


def selecting(folder: Path, scale: Scale, python: Optional[str], jaq: Optional[str]) -> Section:
    """Some of the events. python: of the environment with DuckDB; jaq: the program."""
    megabytes = scale.megabytes // 8
    section = Section("Picking events", SELECTING.format(size=size_of(megabytes)))
    trace = trace_of(folder / "some.jsonl", megabytes << 20)
    ours = {
        "filter -k": [*AGENTTRACE, "filter", "-q", "-k", "user_input", trace],
        "filter EXPR": [*AGENTTRACE, "filter", "-q", EXPRESSION, trace],
    }
    theirs = {}
    if shutil.which("jq"):
        theirs["jq"] = ["jq", "-c", JQ, trace]
    if jaq is not None:
        theirs["jaq"] = [jaq, "-c", JQ, trace]
    if python is not None:
        theirs["DuckDB"] = [python, PEERS, "duckdb", trace, "user_input"]
    for against, command in theirs.items():
        for name, subject in ours.items():
            mine, other = best_of(
                functools.partial(seconds_of, subject),
                functools.partial(seconds_of, command),
                rounds=3,
            )
            section.figures.append(Figure(name, mine * 1e3, "ms", against, other * 1e3))
    return section


def memory(folder: Path, scale: Scale) -> Section:
    """Peaks. On a trace that `reading` has made."""
    section = Section("Memory", MEMORY.format(size=size_of(scale.megabytes)))
    one = str(folder / "one.jsonl")
    for name, arguments in (
        ("verify", ["verify"]),
        ("cat", ["cat"]),
        ("filter -k", ["filter", "-q", "-k", "user_input"]),
        ("filter EXPR", ["filter", "-q", EXPRESSION]),
    ):
        peak = peak_megabytes_of([*AGENTTRACE, *arguments, one])
        section.figures.append(Figure(f"{name}, peak memory", peak, "MB", bar=64))
    return section


def jaq_program() -> Optional[str]:
    """The path of jaq: of the machine, or built in `.build` where there is cargo."""
    found = shutil.which("jaq")
    if found or not shutil.which("cargo"):
        return found
    root = ROOT / ".build" / "jaq"
    program = root / "bin" / "jaq"
    if not program.exists():
        print("building jaq ...", file=sys.stderr)
        command = ["cargo", "install", "--quiet", "--locked", "--root", str(root), "jaq"]
        if subprocess.run(command, check=False).returncode:
            return None
    return str(program)
