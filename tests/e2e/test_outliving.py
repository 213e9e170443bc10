"""Children that live on when the command has ended: their last events, their output, their names."""

from __future__ import annotations

import subprocess

from .conftest import of_kind


def test_a_child_that_outlives_the_command_keeps_its_output(bench):
    """record ends when CMD does, says that its children hold the output, and passes theirs on."""
    script = "(sleep 1; echo late; echo yes > wrote) & echo first; exit 5"
    record = bench.start(
        "record", "-o", "t.jsonl", "--", "sh", "-c", script, stderr=subprocess.DEVNULL
    )
    assert record.wait(timeout=20) == 5
    assert not (bench.folder / "wrote").exists()
    assert record.stdout.read() == "first\nlate\n"
    record.stdout.close()
    assert (bench.folder / "wrote").exists()
    *running, held = bench.events()[-1]["data"]["left_running"]
    assert held == {"holds": ["stdout", "stderr"]}
    assert ["sleep", "1"] in [child["argv"] for child in running]


def test_children_that_live_on_are_named_whatever_they_are(bench):
    """Also without hooks, our variables and the command's streams; those that end within the grace are not."""
    away = ">/dev/null 2>&1 </dev/null"
    script = f"sleep 2 {away} & env -i sleep 2.5 {away} & sleep 0.2 {away} & sleep 0.15; exit 3"
    ended = bench.run("record", "-o", "t.jsonl", "--", "sh", "-c", script)
    assert ended.status == 3
    assert "2 processes of the command left running" in ended.stderr
    running = bench.events()[-1]["data"]["left_running"]
    assert sorted(child["argv"][-1] for child in running) == ["2", "2.5"]
    assert all(child["pid"] > 1 for child in running)


def test_a_child_that_had_hardly_begun_has_the_grace_too(bench, sdk_python):
    """It had not even said hello when the command ended."""
    child = f"{sdk_python} -c 'import os; os.urandom(3)' >/dev/null 2>&1 </dev/null &"
    assert bench.run("record", "-q", "-o", "t.jsonl", "--", "sh", "-c", child).status == 0
    assert of_kind(bench.events(), "entropy")
    assert "left_running" not in bench.events()[-1]["data"]
