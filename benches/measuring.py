"""How things are measured: subjects in turn, whole commands, their peak memory; and what a measurement says."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).parents[1]
AGENTTRACE = [sys.executable, "-m", "agenttrace"]


@dataclass(frozen=True)
class Scale:
    """How much is measured: all of it, or so little that a check takes a minute."""

    rounds: int
    events: int
    megabytes: int
    turns: int
    sizes: Sequence[int]
    with_peers: bool
    is_quick: bool = False


FULL = Scale(7, 20_000, 1024, 900, (1_000, 10_000, 100_000, 1_000_000, 10_000_000), True)
QUICK = Scale(7, 10_000, 256, 100, (), False, is_quick=True)


@dataclass(frozen=True)
class Figure:
    """One measurement. With `theirs` what counts is the ratio, else the value; `bar` is what it may be at most."""

    name: str
    ours: float
    unit: str
    against: str = ""
    theirs: Optional[float] = None
    bar: Optional[float] = None

    @property
    def key(self) -> str:
        """By which limits name it."""
        return f"{self.name} / {self.against}" if self.against else self.name

    @property
    def counts(self) -> float:
        """The ratio, or the value where nothing is compared."""
        return self.ours if self.theirs is None else self.ours / self.theirs


@dataclass
class Section:
    """Figures that belong together, with what has to be said of them."""

    title: str
    notes: str
    figures: list[Figure] = field(default_factory=list)


def best_of(*subjects: Callable[[], float], rounds: int) -> list[float]:
    """The least that each returns, called in turn: what disturbs a measurement only adds to it."""
    results: list[list[float]] = [[] for _ in subjects]
    for _ in range(rounds):
        for result, subject in zip(results, subjects):
            result.append(subject())
    return [min(result) for result in results]


def seconds_of(command: Sequence[str], check: bool = True) -> float:
    """How long a command takes, its output thrown away."""
    began = time.perf_counter()
    subprocess.run(command, check=check, cwd=ROOT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


# A process counts the memory of what it was forked from, too: so from a small one.
_PEAK = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss)
sys.exit(status != 0)
"""


def peak_megabytes_of(command: Sequence[str]) -> float:
    """The most memory that a command held, or any one process below it."""
    measurer = [sys.executable, "-S", "-c", _PEAK, *command]
    ended = subprocess.run(measurer, check=True, cwd=ROOT, stdout=subprocess.PIPE)
    return int(ended.stdout) * (1 if sys.platform == "darwin" else 1024) / 1e6
