"""`replay --on-miss live`: from what was not recorded on the real thing is asked; that run is a trace which replays."""

from __future__ import annotations

import json
import shutil
import time

import pytest

from .conftest import AGENTS, EXAMPLES, of_kind

AGENT = AGENTS / "two_calls.py"


def recorded(bench, server, *command):
    """What the command printed while it was recorded."""
    bench.serve_from(server)
    ended = bench.run("record", "-q", "-o", "t.jsonl", "--", *command)
    assert ended.status == 0, ended.stderr
    return ended


def forked(bench, *command, options=("--on-miss", "live")):
    """How a replay that may go live ended; its trace is f.jsonl."""
    ended = bench.run("replay", *options, "-o", "f.jsonl", "t.jsonl", "--", *command)
    assert bench.report("f.jsonl")["status"] == "intact"
    return ended


def asked(name, bench):
    """What the requests of a trace say last."""
    requests = of_kind(bench.events(name), "llm_request")
    return [event["data"]["request"]["messages"][-1]["content"] for event in requests]


@pytest.mark.parametrize("how", ["httpx", "urllib", "requests", "async_httpx", "with_aiohttp"])
@pytest.mark.parametrize("form", ["whole", "stream"])
def test_a_fork_holds_both_halves_and_replays(bench, server, sdk_python, how, form):
    """Whatever client: what was recorded is answered, the rest is live; all of it replays without a server."""
    recorded(bench, server, sdk_python, AGENT, how, "two", form)
    command = (sdk_python, AGENT, how, "three", form)
    live = forked(bench, *command)
    assert live.status == 0, live.stderr
    host = server.url.partition("://")[2]
    first, second = bench.events("t.jsonl"), bench.events("f.jsonl")
    seqs = [event["seq"] for event in of_kind(first, "llm_request")]
    assert live.stderr.splitlines()[0] == (
        f"agenttrace: replay goes live at event {seqs[1]}: will call {host}"
    )
    assert live.stderr.splitlines()[-1] == "f.jsonl"
    parent = {"trace_id": first[0]["trace_id"], "seq": seqs[1], "why": "fork"}
    assert second[0]["data"]["parent"] == parent
    assert asked("f.jsonl", bench)[:2] == ["one", "three"]
    assert len(of_kind(second, "llm_response")) == len(seqs)
    assert all(event["data"]["complete"] for event in of_kind(second, "llm_response"))
    assert not of_kind(second, "gap")
    server.__exit__()
    again = bench.run("replay", "--check", "f.jsonl", "--", *command)
    assert (again.status, again.stdout) == (0, live.stdout), again.stderr


def test_programs_behind_the_gateway_go_live_too(bench, server):
    """Their requests are handed on to the server that they mean."""
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    recorded(bench, server, "sh", EXAMPLES / "ask.sh", "Hello")
    live = forked(bench, "sh", EXAMPLES / "ask.sh", "Good evening")
    assert (live.status, "Good evening" in live.stdout) == (0, True), live.stderr
    assert asked("f.jsonl", bench) == ["Good evening"]
    again = bench.run(
        "replay", "--check", "f.jsonl", "--", "sh", EXAMPLES / "ask.sh", "Good evening"
    )
    assert (again.status, again.stdout) == (0, live.stdout), again.stderr


def test_from_forks_there_on_purpose(bench, server, sdk_python):
    """Requests from that event on are asked anew, though they were recorded."""
    command = (sdk_python, AGENT, "httpx", "two")
    first = recorded(bench, server, *command)
    seqs = [event["seq"] for event in of_kind(bench.events(), "llm_request")]
    live = forked(bench, *command, options=("--from", str(seqs[1])))
    assert (live.status, live.stdout) == (0, first.stdout)
    assert f"goes live at event {seqs[1]}: " in live.stderr
    assert "1 live call to" in live.stderr
    beyond = bench.run("replay", "--from", "999", "t.jsonl", "--", *command)
    assert (beyond.status, "there is no event 999" in beyond.stderr) == (125, True)


def test_what_was_recorded_goes_nowhere(bench, server, sdk_python):
    """Nothing is called, no trace is left; the report is that of a replay."""
    command = (sdk_python, AGENT, "httpx", "two")
    recorded(bench, server, *command)
    server.__exit__()
    bench.environment["AGENTTRACE_DIR"] = str(bench.folder / "traces")
    same = bench.run("replay", "--on-miss", "live", "t.jsonl", "--", *command)
    assert same.status == 0, same.stderr
    assert same.stderr == "agenttrace: replay: 2 of 2 recorded requests answered\n"
    assert list((bench.folder / "traces").iterdir()) == []


def test_without_o_the_fork_goes_to_the_trace_folder(bench, server, sdk_python):
    """Its path is the last line."""
    recorded(bench, server, sdk_python, AGENT, "httpx", "two")
    bench.environment["AGENTTRACE_DIR"] = str(bench.folder / "traces")
    command = (
        "replay",
        "--on-miss",
        "live",
        "--format",
        "jsonl",
        "t.jsonl",
        "--",
        sdk_python,
        AGENT,
    )
    live = bench.run(*command, "httpx", "three")
    facts = json.loads(live.stderr.splitlines()[-1])
    assert (facts["verdict"], facts["fork"]["calls"]) == ("forked", 1)
    assert [facts["fork"]["trace"]] == [str(path) for path in (bench.folder / "traces").iterdir()]


def test_an_edited_answer_becomes_a_fork(bench, server, sdk_python):
    """By jq and `cat --seal`: the program prints the changed text; what it then asks differs by that text alone."""
    agent = bench.folder / "agent.py"
    agent.write_text(
        "import sys; sys.path.insert(0, sys.argv[1]); sys.argv[1:] = ['httpx']\n"
        "import json, two_calls\n"
        "text = json.loads(two_calls.with_httpx('one'))['choices'][0]['message']['content']\n"
        "print(text, flush=True)\n"
        "print(two_calls.with_httpx('You said: ' + text))\n"
    )
    first = recorded(bench, server, sdk_python, agent, AGENTS)
    text = first.stdout.splitlines()[0]
    lines = []
    for event in bench.events():
        if event["kind"] == "llm_response" and event["data"]["text"] == text:
            del event["crc32c"]
            event["data"]["response"]["choices"][0]["message"]["content"] = "Something else."
        lines.append(json.dumps(event, separators=(",", ":"), ensure_ascii=False))
    (bench.folder / "edited").write_text("\n".join(lines) + "\n")
    sealed = bench.run("cat", "--seal", "edited").stdout
    (bench.folder / "t.jsonl").write_text(sealed)
    diverged = bench.run("replay", "t.jsonl", "--", sdk_python, agent, AGENTS)
    assert (diverged.status, diverged.stdout) == (123, "Something else.\n")
    live = forked(bench, sdk_python, agent, AGENTS)
    assert live.status == 0
    assert live.stdout.startswith("Something else.\n")
    assert asked("f.jsonl", bench) == ["one", "You said: Something else."]
    report = [line.strip() for line in live.stderr.splitlines()]
    place = report.index(".messages[0].content")
    assert report[place + 2] == '+ "You said: Something else."'


@pytest.mark.parametrize("form", ["whole", "stream"])
def test_an_edit_beside_the_answer_is_told(bench, server, sdk_python, form):
    """The text of an `llm_response` is what was read off the answer: the answer is elsewhere."""
    command = (sdk_python, AGENT, "httpx", "two", form)
    recorded(bench, server, *command)
    lines = []
    for event in bench.events():
        if event["kind"] == "llm_response":
            del event["crc32c"]
            event["data"]["text"] = "Something else."
        lines.append(json.dumps(event, separators=(",", ":"), ensure_ascii=False))
    (bench.folder / "edited").write_text("\n".join(lines) + "\n")
    (bench.folder / "t.jsonl").write_text(bench.run("cat", "--seal", "edited").stdout)
    again = bench.run("replay", "t.jsonl", "--", *command)
    assert (again.status, again.stderr.count("its text says something else than")) == (0, 2)


def test_time_and_chance_of_a_fork_are_its_own_and_replay(bench, server, sdk_python):
    """Until it forks they are as recorded, from then on of the system; the fork's replay draws all of them again."""
    command = (sdk_python, AGENT, "httpx", "two", "draw")
    first = recorded(bench, server, *command).stdout.splitlines()[-1].split()
    live = forked(bench, sdk_python, AGENT, "httpx", "three", "draw")
    drawn = live.stdout.splitlines()[-1].split()
    assert drawn[0] == first[0]
    assert drawn[0] in asked("f.jsonl", bench)[1]
    again = bench.run(
        "replay", "--check", "f.jsonl", "--", sdk_python, AGENT, "httpx", "three", "draw"
    )
    assert (again.status, again.stdout) == (0, live.stdout), again.stderr


def test_the_clock_of_a_fork_is_of_now(bench, server, sdk_python):
    """Servers ask for signatures of now."""
    code = (
        "import sys, time; sys.path.insert(0, {folder!r}); sys.argv[1:] = ['httpx']\n"
        "import two_calls\n"
        "before = time.time(); two_calls.with_httpx({words!r}); print(before, time.time())\n"
    )
    script = code.format(folder=str(AGENTS), words="one")
    then = recorded(bench, server, sdk_python, "-c", script).stdout.split()[0]
    script = code.format(folder=str(AGENTS), words="two")
    began = time.time()
    before, after = forked(bench, sdk_python, "-c", script).stdout.split()
    assert before == then
    assert began < float(after) < time.time()


CHILDREN = (
    "import subprocess, sys; sys.path.insert(0, {folder!r}); sys.argv[1:] = ['httpx']\n"
    "import two_calls\n"
    "def run(*argv): return subprocess.run(argv, input='in', capture_output=True, text=True).stdout\n"
    "print(run('sh', '-c', 'cat; cat counter; echo x >> counter'))\n"
    "two_calls.with_httpx({words!r})\n"
    "print(run('sh', '-c', {script!r}))\n"
)


def test_processes_of_a_fork_are_stood_in_for_then_run(bench, server, sdk_python):
    """Those that were recorded do nothing again; the others run, and both replay from the fork's trace."""
    (bench.folder / "counter").write_text("one\n")
    facts = {"folder": str(AGENTS), "script": "echo after"}
    recorded(bench, server, sdk_python, "-c", CHILDREN.format(words="one", **facts))
    assert (bench.folder / "counter").read_text() == "one\nx\n"
    facts["script"] = "cat; echo live >> counter"
    command = (sdk_python, "-c", CHILDREN.format(words="two", **facts))
    live = forked(bench, *command)
    assert (live.status, live.stdout) == (0, "inone\n\nin\n"), live.stderr
    assert (bench.folder / "counter").read_text() == "one\nx\nlive\n"
    assert "agenttrace: replay will run sh" in live.stderr
    again = bench.run("replay", "--check", "f.jsonl", "--", *command)
    assert (again.status, again.stdout) == (0, live.stdout), again.stderr
    assert (bench.folder / "counter").read_text() == "one\nx\nlive\n"


def test_a_process_that_was_not_recorded_goes_live(bench, server, sdk_python):
    """It runs, after that was said."""
    code = "import subprocess; print(subprocess.check_output(['echo', {!r}], text=True))"
    recorded(bench, server, sdk_python, "-c", code.format("one"))
    (number,) = [event["seq"] for event in of_kind(bench.events(), "process_start")]
    live = forked(bench, sdk_python, "-c", code.format("two"))
    assert (live.status, live.stdout) == (0, "two\n\n"), live.stderr
    assert live.stderr.startswith(
        f"agenttrace: replay goes live at event {number}: will run echo\n"
    )
    again = bench.run("replay", "--check", "f.jsonl", "--", sdk_python, "-c", code.format("two"))
    assert (again.status, again.stdout) == (0, live.stdout), again.stderr


def test_connections_are_refused_until_it_goes_live(bench, server, sdk_python):
    """Then they are made, and told where no event explains them."""
    code = (
        "import socket, sys; sys.path.insert(0, {folder!r}); sys.argv[1:] = ['httpx']\n"
        "import two_calls\n"
        "def connect():\n"
        "    try: socket.create_connection(({host!r}, {port})).close(); print('connected')\n"
        "    except OSError as error: print('refused')\n"
        "connect(); two_calls.with_httpx({words!r}); connect()\n"
    )
    host, port = server.url.partition("://")[2].split(":")
    facts = {"folder": str(AGENTS), "host": host, "port": port}
    recorded(bench, server, sdk_python, "-c", code.format(words="one", **facts))
    live = forked(bench, sdk_python, "-c", code.format(words="two", **facts))
    assert live.stdout.split() == ["refused", "connected"]


def test_a_failing_server_is_told_as_in_a_recording(bench, server, sdk_python):
    """The program gets the real error."""
    recorded(bench, server, sdk_python, AGENT, "requests", "two")
    server.__exit__()
    for how in ("requests", "with_aiohttp"):
        (bench.folder / "f.jsonl").unlink(missing_ok=True)
        live = forked(bench, sdk_python, AGENT, how, "three")
        assert live.status == 1
        assert "refused by agenttrace" not in live.stderr
        responses = of_kind(bench.events("f.jsonl"), "llm_response")
        assert [event["data"]["complete"] for event in responses] == [True, False]


@pytest.mark.parametrize(
    "options",
    [
        ["--check", "--on-miss", "live"],
        ["--check", "--from", "1"],
        ["--on-miss", "fail", "--from", "1"],
    ],
)
def test_what_contradicts_itself_is_wrong_usage(bench, options):
    """Before anything is read."""
    ended = bench.run("replay", *options, "t.jsonl", "--", "true")
    assert ended.status == 2
    for option in (["--on-miss", "live"], ["--from", "1"]):
        assert bench.run("replay", *option, "t.jsonl").status == 2
