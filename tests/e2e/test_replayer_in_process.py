"""`Replayer` in a process of its own making: subprocess, time and chance come from a trace that `record` made."""

from __future__ import annotations

import json
import subprocess
import sys

from .conftest import Bench

AGENT = """
import asyncio, datetime, os, random, secrets, subprocess, sys, threading, time, uuid

def main():
    print(datetime.date.today(), uuid.uuid4(), uuid.uuid1(), random.random(), secrets.token_hex(4))
    print(subprocess.run(["sh", "-c", "date +%s%N; cat; exit 3"], input=b"hi", stdout=subprocess.PIPE))
    print(subprocess.check_output([sys.executable, "-c", "import os; print(os.getpid())"]))
    try:
        subprocess.run(["/nowhere/program"])
    except OSError as error:
        print(error)

    async def ask():
        child = await asyncio.create_subprocess_exec("date", "+%N", stdout=asyncio.subprocess.PIPE)
        print(await child.communicate(), child.returncode)

    asyncio.run(ask())
    thread = threading.Thread(target=lambda: print(os.urandom(4), time.time_ns()))
    thread.start()
    thread.join()

if __name__ == "__main__":
    main()
"""

AGAIN = """
import json, subprocess, sys, time
import agent
from agenttrace import Divergence, Replayer

originals = time.time, subprocess.Popen._execute_child
with Replayer("t.jsonl") as replay:
    agent.main()
assert (time.time, subprocess.Popen._execute_child) == originals
report = replay.report
try:
    with Replayer("t.jsonl"):
        subprocess.run(["sh", "-c", "echo ran > ran.txt"])
    refused = ""
except Divergence as error:
    refused = str(error)
subprocess.run(["touch", "behind.txt"], check=True)
facts = [report.unasked, report.divergence, refused, time.time()]
print(json.dumps(facts), file=sys.stderr)
"""


def test_subprocess_time_and_chance_come_from_the_trace(bench: Bench) -> None:
    """And go back to what they were behind the block."""
    folder = bench.folder
    (folder / "agent.py").write_text(AGENT)
    (folder / "again.py").write_text(AGAIN)
    recorded = bench.run("record", "-q", "-o", "t.jsonl", "--", sys.executable, "agent.py")
    assert recorded.status == 0
    again = subprocess.run(
        [sys.executable, "again.py"],
        cwd=folder,
        env=bench.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout == recorded.stdout
    unasked, divergence, refused, now = json.loads(again.stderr)
    assert (unasked, divergence) == ([], None)
    assert "echo ran" in refused
    assert not (folder / "ran.txt").exists()
    assert (folder / "behind.txt").exists()
    assert now > (folder / "t.jsonl").stat().st_mtime - 1
