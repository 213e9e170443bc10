"""How the tests of the library look at traces, and run code in a process of its own."""

from __future__ import annotations

import collections
import os
import pathlib
import subprocess
import sys
import textwrap
from typing import Any

from agenttrace import (
    Event,
    TraceReader,
)

ROOT = pathlib.Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "fixtures" / "vectors"


def events(path: Any, **how: Any) -> list[Event]:
    return list(TraceReader(path, **how))


def kinds(path: Any) -> list[str]:
    return [event.kind for event in events(path)]


def of_kind(path: Any, kind: str) -> list[Event]:
    return [event for event in events(path) if event.kind == kind]


def report(path: Any) -> dict[str, Any]:
    reader = TraceReader(path, allow_unsealed=False)
    collections.deque(reader, 0)
    return reader.report()


def run(code: str, *arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own, with this backend and these sources."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
