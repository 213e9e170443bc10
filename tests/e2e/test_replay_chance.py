"""Time and chance are recorded, and a replay draws the same: whatever the program prints of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from .conftest import AGENTS, agent_python, of_kind

REPLAYS = 5


def other_python(minor: int) -> str:
    """A Python 3.MINOR of this machine."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for python in (*versions.glob(f"3.{minor}.*/bin/python"), shutil.which(f"python3.{minor}")):
        if python is not None:
            return str(python)
    pytest.skip(f"no Python 3.{minor} here")


def recorded(bench, *command, options=()):
    """What the command printed while it was recorded."""
    ended = bench.run("record", "-q", "--force", *options, "-o", "t.jsonl", "--", *command)
    assert ended.status == 0, ended.stderr
    return ended.stdout


def test_every_way_to_draw_prints_the_same_in_every_replay(bench, sdk_python):
    """Clocks, uuids, secrets, random, numpy, the order of sets; threads and forks too."""
    out = recorded(bench, sdk_python, AGENTS / "chance.py")
    assert out.count("\n") > 25
    for _ in range(REPLAYS):
        ended = bench.run("replay", "t.jsonl", "--", sdk_python, AGENTS / "chance.py")
        assert (ended.status, ended.stdout) == (0, out)
        assert "inexact" not in ended.stderr
    assert bench.report()["status"] == "intact"


@pytest.mark.parametrize("minor", [8, 13])
def test_old_and_new_pythons(bench, minor):
    """What is hooked differs from version to version."""
    python = other_python(minor)
    out = recorded(bench, python, AGENTS / "chance.py")
    ended = bench.run("replay", "t.jsonl", "--", python, AGENTS / "chance.py")
    assert (ended.status, ended.stdout) == (0, out)


WORKERS = """
import multiprocessing, random, subprocess, sys, time, uuid

def work(number):
    return number, uuid.uuid4().hex, random.random(), time.time()

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            print(pool.map(work, range(3)), flush=True)
    for _ in range(2):
        subprocess.run([sys.executable, "-c", "import uuid; print(uuid.uuid4(), {'a', 'b', 'c'})"])
"""


def test_children_draw_what_they_drew(bench, sdk_python):
    """Each process has draws of its own; processes with the same arguments are told apart by their turn."""
    (bench.folder / "workers.py").write_text(WORKERS)
    out = recorded(bench, sdk_python, "workers.py")
    ended = bench.run("replay", "t.jsonl", "--", sdk_python, "workers.py")
    assert (ended.status, ended.stdout) == (0, out)


def test_two_runs_differ(bench, sdk_python):
    """Recording makes nothing predictable: a run draws what no other drew."""
    code = "import os, random, uuid; print(uuid.uuid4(), random.random(), hash('a'), os.urandom(4))"
    first = recorded(bench, sdk_python, "-c", code).split()
    second = recorded(bench, sdk_python, "-c", code).split()
    assert not set(first) & set(second)


def test_what_was_drawn_before_a_kill_is_there(bench, sdk_python):
    """Random bytes are told of before the agent gets them; so are readings of the clock that do not come in bursts."""
    code = (
        "import os, time, uuid\n"
        "print(uuid.uuid4(), time.time(), uuid.uuid4(), flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    first = bench.run("record", "-q", "-o", "t.jsonl", "--", sdk_python, "-c", code)
    again = bench.run("replay", "t.jsonl", "--", sdk_python, "-c", code)
    assert again.stdout == first.stdout != ""


def test_no_entropy_leaves_both_out(bench, sdk_python):
    """No values, and a replay that draws for itself."""
    code = "import time, uuid; print(time.time(), uuid.uuid4())"
    out = recorded(bench, sdk_python, "-c", code, options=["--no-entropy"])
    assert of_kind(bench.events(), "clock", "entropy") == []
    assert "replay" not in bench.events()[0]["data"]
    ended = bench.run("replay", "t.jsonl", "--", sdk_python, "-c", code)
    assert ended.status == 0
    assert ended.stdout != out
    assert "than was recorded" not in ended.stderr


def test_no_http_still_draws(bench, sdk_python):
    """Each of the two options leaves out what it names."""
    code = "import uuid; print(uuid.uuid4())"
    out = recorded(bench, sdk_python, "-c", code, options=["--no-http"])
    assert bench.run("replay", "t.jsonl", "--", sdk_python, "-c", code).stdout == out


def test_the_hash_seed_is_the_users_if_there_is_one(bench, sdk_python):
    """PYTHONHASHSEED is set only where it was not."""
    bench.environment["PYTHONHASHSEED"] = "7"
    code = "import os; print(os.environ['PYTHONHASHSEED'], hash('text'))"
    out = recorded(bench, sdk_python, "-c", code)
    assert out.startswith("7 ")
    del bench.environment["PYTHONHASHSEED"]
    assert bench.events()[0]["data"]["replay"] == {"hash_seed": 7}
    assert bench.run("replay", "t.jsonl", "--", sdk_python, "-c", code).stdout == out


MORE = """
import os, time, uuid
for _ in range(int(open("times").read())):
    print(int(time.time()), uuid.uuid4())
print(len(os.urandom(int(open("bytes").read()))))
"""


def test_who_draws_more_than_was_recorded_goes_on_and_is_told(bench, sdk_python):
    """From the last time on, with fresh chance; the report says so."""
    (bench.folder / "times").write_text("2")
    (bench.folder / "bytes").write_text("1")
    out = recorded(bench, sdk_python, "-c", MORE).splitlines()
    (bench.folder / "times").write_text("40")
    (bench.folder / "bytes").write_text(str(5 << 20))
    ended = bench.run("replay", "t.jsonl", "--", sdk_python, "-c", MORE)
    lines = ended.stdout.splitlines()
    assert lines[:2] == out[:2]
    assert len({line.split()[1] for line in lines[:40]}) == 40
    assert 0 <= int(lines[39].split()[0]) - int(lines[1].split()[0]) < 60
    assert lines[40] == str(5 << 20)
    assert "inexact: the time was read more often than was recorded" in ended.stderr
    assert "inexact: more chance was drawn than was recorded" in ended.stderr
    assert "inexact: more than 1 MiB of random bytes was drawn at once" in ended.stderr


HANDLER = """
import signal, time, uuid
seen = []
signal.signal(signal.SIGALRM, lambda *_: seen.append((time.time(), uuid.uuid4())))
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
until = time.monotonic() + 0.5
mine = []
while time.monotonic() < until:
    mine.append(uuid.uuid4())
    time.time()
signal.setitimer(signal.ITIMER_REAL, 0)
drawn = mine + [one for _, one in seen]
print(len(seen) > 10, len(drawn) == len(set(drawn)))
"""


def test_a_signal_handler_may_draw_while_we_tell(bench, sdk_python):
    """It does not wait for the send that it came into, and gets bytes of its own."""
    assert recorded(bench, sdk_python, "-c", HANDLER) == "True True\n"
    assert bench.report()["status"] == "intact"


TRAVEL = """
import datetime, time, time_machine
with time_machine.travel(datetime.datetime(1999, 1, 2, tzinfo=datetime.timezone.utc), tick=False):
    print(time.time(), datetime.datetime.now(datetime.timezone.utc), datetime.date.today())
print(time.time() > 1e9)
print(time.time(), datetime.datetime.now())
with time_machine.travel(0, tick=False):
    print(time.time())
print(time.time(), datetime.datetime.now())
"""


def test_time_machine_still_sets_the_clock(bench):
    """It writes over C's functions: ours go out of its way while it does, and the trace says so."""
    python = agent_python("frameworks")
    out = recorded(bench, python, "-c", TRAVEL)
    assert out.startswith("915235200.0 1999-01-02 00:00:00+00:00 1999-01-02\nTrue\n")
    assert out.splitlines()[3] == "0.0"
    gap = of_kind(bench.events(), "gap")[0]
    assert "time_machine" in gap["data"]["reason"]
    assert bench.run("replay", "t.jsonl", "--", python, "-c", TRAVEL).stdout == out


def test_time_machine_alone_changes_nothing(bench):
    """That it is imported, by its plugin for pytest say, is no journey."""
    python = agent_python("frameworks")
    code = "import time_machine, time, datetime; print(time.time(), datetime.datetime.now())"
    out = recorded(bench, python, "-c", code)
    assert of_kind(bench.events(), "gap") == []
    assert bench.run("replay", "t.jsonl", "--", python, "-c", code).stdout == out
