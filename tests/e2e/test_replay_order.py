"""What came first when it was recorded comes first in the replay: tasks, threads, processes, pieces of streams."""

from __future__ import annotations

import json
import time

import pytest

from tests.e2e.conftest import AGENTS, EXAMPLES

AGENT = AGENTS / "order.py"
TIMES = 3


def recorded(bench, server, python, *command):
    """What the agent printed while it was recorded."""
    bench.serve_from(server)
    ended = bench.run("record", "-q", "-o", "t.jsonl", "--", python, *command)
    assert ended.status == 0, ended.stderr
    return ended


def replayed(bench, python, *command):
    """How a checked replay ended, and its report."""
    again = bench.run("replay", "--check", "--format", "jsonl", "t.jsonl", "--", python, *command)
    return again, json.loads(again.stderr.splitlines()[-1])


@pytest.mark.parametrize("how", ["gather", "completed", "threads", "processes", "twice", "woven"])
def test_answers_come_in_the_recorded_order(bench, server, sdk_python, how):
    """Each time, without a server, and nothing is told to be inexact."""
    ended = recorded(bench, server, sdk_python, AGENT, how)
    for _ in range(TIMES):
        again, report = replayed(bench, sdk_python, AGENT, how)
        assert again.stdout == ended.stdout
        assert (again.status, report["verdict"], report["reordered"]) == (0, "same", [])


def test_an_answer_waits_while_another_thread_computes_or_sleeps(bench, server, sdk_python):
    """What was asked first and answered last comes last, though nothing is asked for a while."""
    ended = recorded(bench, server, sdk_python, AGENT, "computing")
    assert ended.stdout.splitlines()[-1] == "early"
    again, report = replayed(bench, sdk_python, AGENT, "computing")
    assert again.stdout == ended.stdout
    assert report["reordered"] == []


def test_what_is_never_asked_for_holds_nothing_up(bench, server, sdk_python):
    """Of two at once one is left out: the other is answered within a second, and that is told."""
    script = (
        "import asyncio, sys; sys.argv[0] = 'x'; sys.path.insert(0, {folder!r})\n"
        "import order\n"
        "async def main(names):\n"
        "    async with order.httpx.AsyncClient(verify=False) as client:\n"
        "        await asyncio.gather(*[order.acall(client, n, 200 * n, []) for n in names])\n"
        "asyncio.run(main({names!r}))\n"
    )
    both = script.format(folder=str(AGENTS), names=[0, 1])
    recorded(bench, server, sdk_python, "-c", both)
    bench.environment["PYTHONDEVMODE"] = ""
    began = time.monotonic()
    again, report = replayed(bench, sdk_python, "-c", both)
    whole_s = time.monotonic() - began
    assert report["verdict"] == "same", report
    began = time.monotonic()
    again, report = replayed(bench, sdk_python, "-c", script.format(folder=str(AGENTS), names=[1]))
    assert time.monotonic() - began < 2 * whole_s + 1
    assert again.status == 123
    assert len(report["unasked"]) == 1
    assert "which nothing had asked for" in report["reordered"][0]


def test_a_divergence_ends_threads_that_wait_for_each_other(bench, server, sdk_python):
    """A thread meets it, the main thread waits for that one for ever: 123 within a second or so."""
    script = (
        "import queue, threading, sys; sys.path.insert(0, {folder!r})\n"
        "import order\n"
        "done = queue.Queue()\n"
        "threading.Thread(target=lambda: done.put(order.call({name!r}, 0)), daemon=True).start()\n"
        "done.get()\n"
    )
    recorded(bench, server, sdk_python, "-c", script.format(folder=str(AGENTS), name="Bern"))
    began = time.monotonic()
    again, _ = replayed(bench, sdk_python, "-c", script.format(folder=str(AGENTS), name="Bern"))
    whole_s = time.monotonic() - began
    assert again.status == 0
    began = time.monotonic()
    again, report = replayed(
        bench, sdk_python, "-c", script.format(folder=str(AGENTS), name="Chur")
    )
    assert again.status == 123
    assert time.monotonic() - began < 2 * whole_s + 1.5
    assert report["divergence"]["differences"][0]["path"] == ".messages[0].content"


def test_other_output_is_told_and_counts_for_check(bench, server, sdk_python):
    """The first line that differs; without --check the command's own status stands."""
    recorded(bench, server, sdk_python, "-c", "print('one'); print('two')")
    again, report = replayed(bench, sdk_python, "-c", "print('one'); print('2')")
    assert again.status == 123
    assert report["reasons"] == ["the output differs"]
    assert report["output"]["stdout"] == {
        "verdict": "different",
        "line": 2,
        "recorded": "two",
        "written": "2",
    }
    again = bench.run("replay", "t.jsonl", "--", sdk_python, "-c", "print('one'); print('2')")
    assert (again.status, again.stdout) == (0, "one\n2\n")
    assert "stdout: differs, first in line 2\n  - two\n  + 2" in again.stderr


def test_output_may_differ_in_volatile_values(bench, server, sdk_python):
    """Dates, ids, how long it took: the same, and told."""
    script = "import time, uuid; print(uuid.uuid4(), time.strftime('%Y-%m-%d %H:%M:%S'), '{}')"
    recorded(bench, server, sdk_python, "-c", script.format("0.31 s"))
    again, report = replayed(bench, sdk_python, "-c", script.format("2.07 s"))
    assert again.status == 0
    assert report["output"]["stdout"]["verdict"] == "masked"


def test_a_trace_replays_another_day_in_another_folder_by_another_user(bench, server, sdk_python):
    """Masked, and told."""
    agent = bench.folder / "agent.py"
    agent.write_text(
        "import os, sys, time, uuid; sys.path.insert(0, sys.argv[1])\n"
        "import order\n"
        "order.call(f\"Today's date is {os.environ['DAY']}. You are in {os.getcwd()}, \"\n"
        "    f\"home {os.environ['HOME']}, user {os.environ['USER']}, pid {os.getpid()}, \"\n"
        '    f"session {uuid.uuid4()}, since {time.time()}", 0)\n'
    )
    bench.environment.update(DAY="2026-11-22", USER="ada")
    recorded(bench, server, sdk_python, agent, AGENTS)
    elsewhere = bench.folder / "elsewhere"
    elsewhere.mkdir()
    trace = bench.folder / "t.jsonl"
    bench.environment.update(DAY="2027-02-03", USER="bob", HOME=str(elsewhere / "home"))
    bench.folder = elsewhere
    again = bench.run("replay", "--check", trace, "--", sdk_python, agent, AGENTS)
    assert again.status == 0, again.stderr
    assert "date 2026-11-22 is now 2027-02-03" in again.stderr


def test_what_is_changed_on_the_command_line_diverges(bench, server, sdk_python):
    """Though it looks like chance: another order, another day."""
    agent = bench.folder / "agent.py"
    agent.write_text(
        "import sys; sys.path.insert(0, sys.argv.pop(1)); asked = sys.argv[1]; sys.argv[1:] = ['httpx']\n"
        "import two_calls; print(len(two_calls.with_httpx(asked)))\n"
    )
    for then, now in (
        ("on 2026-12-24", "on 2026-12-25"),
        (f"order {'0a' * 12}", f"order {'0b' * 12}"),
    ):
        (bench.folder / "t.jsonl").unlink(missing_ok=True)
        recorded(bench, server, sdk_python, agent, AGENTS, then)
        command = ("t.jsonl", "--", sdk_python, agent, AGENTS)
        assert bench.run("replay", "--check", *command, then).status == 0
        again = bench.run("replay", "--check", *command, now)
        assert (again.status, f'+ "{now}"' in again.stderr) == (123, True), again.stderr


def test_a_trace_that_was_cut_off_replays_as_far_as_it_goes(bench, server, sdk_python):
    """And says that it has no end."""
    recorded(
        bench, server, sdk_python, EXAMPLES / "weather_agent.py", "What is the weather in Bern?"
    )
    lines = (bench.folder / "t.jsonl").read_bytes().splitlines(keepends=True)
    place = next(at for at, line in enumerate(lines) if b'"kind":"llm_chunk"' in line) + 3
    (bench.folder / "t.jsonl").write_bytes(b"".join(lines[:place]) + lines[place][:40])
    again = bench.run(
        "replay",
        "t.jsonl",
        "--",
        sdk_python,
        EXAMPLES / "weather_agent.py",
        "What is the weather in Bern?",
    )
    assert again.stdout
    assert "the trace is not whole" in again.stderr
    assert f"its last event is {place - 1}" in again.stderr


@pytest.mark.parametrize("how", ["woven", "completed"])
def test_a_replay_is_a_trace_of_its_own(bench, server, sdk_python, how):
    """With the same exchanges and output; it is whole, names the first, and replays in its turn."""
    ended = recorded(bench, server, sdk_python, AGENT, how)
    again = bench.run("replay", "-q", "-o", "u.jsonl", "t.jsonl", "--", sdk_python, AGENT, how)
    assert (again.status, again.stdout) == (0, ended.stdout)
    assert bench.report("u.jsonl")["status"] == "intact"
    first, second = bench.events("t.jsonl"), bench.events("u.jsonl")
    assert second[0]["data"]["parent"] == {"trace_id": first[0]["trace_id"], "why": "replay"}
    assert _answers(first) == _answers(second)
    third = bench.run("replay", "--check", "u.jsonl", "--", sdk_python, AGENT, how)
    assert (third.status, third.stdout) == (0, ended.stdout), third.stderr
    refused = bench.run("replay", "-o", "u.jsonl", "t.jsonl", "--", sdk_python, AGENT, how)
    assert refused.status == 125
    assert "u.jsonl: exists already" in refused.stderr


def test_the_trace_of_a_replay_has_no_secrets(bench, server, sdk_python):
    """What is written is redacted as in a recording."""
    code = "import os; print('sk-' + os.environ['OPENAI_API_KEY'][3:])"
    recorded(bench, server, sdk_python, "-c", code)
    bench.run("replay", "-q", "-o", "u.jsonl", "t.jsonl", "--", sdk_python, "-c", code)
    assert "planted" not in (bench.folder / "u.jsonl").read_text()
    assert "[redacted:" in (bench.folder / "u.jsonl").read_text()


def _answers(events):
    """What was answered, in order, without times."""
    return [
        [event["kind"], event["data"].get("text"), event["data"].get("usage")]
        for event in events
        if event["kind"] in ("llm_chunk", "llm_response")
    ]
