"""A Tracer's process is killed (-9) at a random moment, again and again, on one file.

`AGENTTRACE_KILLS=2000` does it that often; as it stands a few times.
"""

from __future__ import annotations

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.library.reading import ROOT, events, report

KILLS = int(os.environ.get("AGENTTRACE_KILLS", "8"))

# Says what is in the file: by then write() has returned.
AGENT = """
import os, sys
from agenttrace import Tracer
tracer = Tracer(sys.argv[1], flush=sys.argv[2])
number = 0
while True:
    tracer.log("x" * (number * 977 % 30000), number=number)
    os.write(1, b"%d\\n" % number)
    number += 1
"""


@pytest.mark.parametrize(("suffix", "flush"), [("", "event"), ("", "sync"), (".zst", "event")])
def test_what_was_written_is_a_prefix_and_the_next_trace_is_whole(
    tmp_path: pathlib.Path, suffix: str, flush: str
) -> None:
    """No hole, no weld: each run's events are 0, 1, 2, … and at least those that it had told of."""
    if suffix:
        pytest.importorskip("zstandard")
    path = tmp_path / f"run.jsonl{suffix}"
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    told = []
    for _ in range(max(KILLS // 3, 2)):
        agent = subprocess.Popen(
            [sys.executable, "-c", AGENT, str(path), flush],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert agent.stdout is not None
        agent.stdout.readline()
        time.sleep(chance.uniform(0, 0.03))
        os.kill(agent.pid, signal.SIGKILL)
        out, _ = agent.communicate(timeout=30)
        told.append(out.count(b"\n") + 1)
    found: dict[str, list[int]] = {}
    for event in events(path):
        numbers = found.setdefault(event.trace_id, [])
        if event.kind == "log":
            numbers.append(event.data["number"])
    assert len(found) == len(told), seed
    for numbers, count in zip(found.values(), told):
        assert numbers == list(range(len(numbers))), seed
        assert len(numbers) >= count, seed
    wrong = {finding.kind for finding in report(path)["findings"]}
    assert wrong, seed
    # A kill in the middle of a write may leave a torn line, or a torn block: then LF comes first, or a new frame.
    assert wrong <= {"no_end", "malformed", "torn_line", "damaged_frame"}, (seed, wrong)
