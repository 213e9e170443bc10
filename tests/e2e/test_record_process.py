"""The command behaves as without us: its status, its signals, its streams, its terminal; and
nothing of ours hurts it.
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from .conftest import AGENTS, of_kind


def wait_until(condition, limit_s=20.0):
    """Waits for a condition that another process brings about."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def child_of(pid: int, is_it) -> int | None:
    """The process below `pid` whose command line is the one wanted."""
    listing = subprocess.run(
        ["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
    ).stdout
    for line in listing.splitlines()[1:]:
        child, parent, arguments = line.split(None, 2)
        if int(parent) == pid and is_it(arguments):
            return int(child)
    return None


def collector_of(record: subprocess.Popen) -> int:
    """The collector of a running `record`: its forked twin."""
    pid = child_of(record.pid, lambda arguments: "agenttrace record" in arguments)
    assert pid is not None
    return pid


def agent_of(record: subprocess.Popen) -> int | None:
    """The command of a running `record`."""
    return child_of(record.pid, lambda arguments: "agenttrace record" not in arguments)


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_the_status_is_the_commands(bench, status):
    """record ends as CMD ended."""
    assert bench.run("record", "-o", "t.jsonl", "--", "sh", "-c", f"exit {status}").status == status
    assert bench.events()[-1]["data"]["exit_code"] == status


def test_a_signal_ends_both(bench):
    """Where CMD dies of a signal, so does record."""
    assert (
        bench.run("record", "-o", "t.jsonl", "--", "sh", "-c", "kill -TERM $$").status
        == -signal.SIGTERM
    )
    assert bench.events()[-1]["data"]["signal"] == "SIGTERM"


def test_a_signal_to_record_reaches_the_command(bench):
    """SIGTERM to the wrapper is SIGTERM to CMD, which may answer it."""
    script = "trap 'echo told; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    record = bench.start("record", "-o", "t.jsonl", "--", "sh", "-c", script)
    assert record.stdout.readline() == "ready\n"
    record.send_signal(signal.SIGTERM)
    stdout, _ = record.communicate(timeout=20)
    assert (stdout, record.returncode) == ("told\n", 3)


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        ("no-such-command-here", 127, "not found"),
        ("/etc/passwd", 126, "not executable"),
        ("/etc", 126, "is a folder"),
    ],
)
def test_what_can_not_be_run_is_told_before_a_trace_is_made(bench, command, status, words):
    """126 and 127, one line, no file."""
    ended = bench.run("record", "-o", "t.jsonl", "--", command)
    assert ended.status == status
    assert words in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (bench.folder / "t.jsonl").exists()


def test_a_script_that_does_not_say_whose_it_is_is_the_shells(bench):
    """As where a shell, env or nohup starts it; a broken program is not."""
    for name, content in (("script", b"echo $1; exit 3\n"), ("broken", b"\x7fELF\0 no")):
        (bench.folder / name).write_bytes(content)
        (bench.folder / name).chmod(0o755)
    ran = bench.run("record", "-q", "-o", "t.jsonl", "--", "./script", "a b")
    assert (ran.status, ran.stdout) == (3, "a b\n")
    assert bench.run("record", "-o", "u.jsonl", "--", "./broken").status == 126


def test_an_existing_file_is_refused_kept_or_replaced_as_told(bench):
    """Without a word it is refused with 125; --append keeps both traces; --force one."""
    assert bench.run("record", "-o", "t.jsonl", "--", "true").status == 0
    refused = bench.run("record", "-o", "t.jsonl", "--", "true")
    assert (refused.status, refused.stderr.count("\n")) == (125, 1)
    assert bench.run("record", "-o", "t.jsonl", "--append", "--", "true").status == 0
    assert bench.report()["traces"] == 2
    assert bench.run("record", "-o", "t.jsonl", "--force", "--", "true").status == 0
    assert bench.report()["traces"] == 1


def test_output_passes_byte_for_byte_and_is_recorded(bench):
    """Binary output too; standard output and error stay apart."""
    script = r"printf 'a\377\000b'; printf 'err' >&2"
    record = subprocess.run(
        [
            sys.executable,
            "-m",
            "agenttrace",
            "record",
            "-q",
            "-o",
            "t.jsonl",
            "--",
            "sh",
            "-c",
            script,
        ],
        cwd=bench.folder,
        env=bench.environment,
        capture_output=True,
        check=True,
    )
    assert record.stdout == b"a\xff\x00b"
    assert record.stderr.startswith(b"err")
    assert {event["kind"] for event in bench.events()} >= {"stdout", "stderr"}
    assert of_kind(bench.events(), "stdout")[0]["data"]["text"] == {"base64": "Yf8AYg=="}


def test_two_streams_into_one_pipe_keep_their_order(bench):
    """`2>&1` is one stream."""
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo out$i; echo err$i >&2; done"
    ended = bench.run(
        "record", "-q", "-o", "t.jsonl", "--", "sh", "-c", script, stderr=subprocess.STDOUT
    )
    lines = ended.stdout.split()
    assert lines[:18] == [f"{word}{i}" for i in range(1, 10) for word in ("out", "err")]


def test_a_terminal_stays_a_terminal(bench):
    """CMD sees terminals of the same size where there were terminals."""
    ours, theirs = pty.openpty()
    script = "import os; print(all(map(os.isatty, (0, 1, 2))), *os.get_terminal_size())"
    os.set_blocking(ours, True)
    import fcntl
    import struct
    import termios

    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 33, 77, 0, 0))
    record = bench.start(
        "record",
        "-q",
        "-o",
        "t.jsonl",
        "--",
        sys.executable,
        "-c",
        script,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    while b"\n" not in seen:
        seen += os.read(ours, 1000)
    assert record.wait(timeout=20) == 0
    os.close(ours)
    assert seen.startswith(b"True 77 33\r\n")
    assert of_kind(bench.events(), "stdout")[0]["data"]["tty"] is True


def test_a_trace_on_standard_output_is_alone_there(bench):
    """`-o -`: the trace on standard output, CMD's output on standard error."""
    ended = bench.run("record", "-q", "-o", "-", "--", "echo", "hello")
    assert ended.stdout.startswith('{"v":1,"trace_id":')
    assert ended.stderr.startswith("hello\n")


def test_a_reader_that_goes_away_does_not_end_the_command(bench):
    """`record -o - -- CMD | head -1`: CMD goes on to its end."""
    script = (
        f"sleep 0.3; for i in 1 2 3; do echo x; sleep 0.1; done; echo yes > {bench.folder}/ended"
    )
    record = bench.start("record", "-q", "-o", "-", "--", "sh", "-c", script)
    record.stdout.readline()
    record.stdout.close()
    record.wait(timeout=20)
    record.stderr.close()
    assert (bench.folder / "ended").exists()


def test_a_record_in_a_record_names_its_parent(bench):
    """Each is a trace of its own."""
    inner = [sys.executable, "-m", "agenttrace", "record", "-o", "inner.jsonl", "--", "true"]
    assert bench.run("record", "-o", "t.jsonl", "--", *inner).status == 0
    parent = bench.events("inner.jsonl")[0]["data"]["parent"]
    assert parent == {"trace_id": bench.events()[0]["trace_id"], "why": "nested"}
    # What the inner one does for itself (it looks whether Ollama is there) is none of its command's doings.
    assert not of_kind(bench.events(), "gap")


# -- faults ----------------------------------------------------------------------------------


def test_an_agent_killed_in_mid_stream_loses_nothing_that_it_had(bench, server, sdk_python):
    """SIGKILL: the trace is intact, closed, and holds each piece that the agent got."""
    bench.serve_from(server)
    seen = bench.folder / "seen"
    record = bench.start(
        "record", "-o", "t.jsonl", "--", sdk_python, AGENTS / "slow_reader.py", seen, "slow-stream"
    )
    wait_until(lambda: seen.exists() and seen.stat().st_size > 30)
    os.kill(agent_of(record), signal.SIGKILL)
    record.communicate(timeout=20)
    assert record.returncode == -signal.SIGKILL
    assert bench.report()["status"] == "intact"
    events = bench.events()
    assert events[-1]["data"]["signal"] == "SIGKILL"
    (response,) = of_kind(events, "llm_response")
    assert response["data"]["complete"] is False
    assert response["data"]["text"].startswith(seen.read_text())


def test_a_killed_collector_does_not_hurt_the_agent(bench, server, sdk_python):
    """The agent ends well, the loss is told, what was recorded holds."""
    bench.serve_from(server)
    seen = bench.folder / "seen"
    record = bench.start(
        "record", "-o", "t.jsonl", "--", sdk_python, AGENTS / "slow_reader.py", seen, "slow-stream"
    )
    wait_until(lambda: seen.exists() and seen.stat().st_size > 30)
    os.kill(collector_of(record), signal.SIGKILL)
    _, stderr = record.communicate(timeout=30)
    assert record.returncode == 0
    assert "collector" in stderr
    assert "Traceback" not in stderr
    assert bench.report("t.jsonl", "--partial")["status"] == "intact"
    assert bench.report()["status"] == "incomplete"


def test_a_killed_front_does_not_end_the_recording(bench, server, sdk_python):
    """The agent goes on, and what it does is recorded to its end."""
    bench.serve_from(server)
    seen = bench.folder / "seen"
    agent = [sdk_python, AGENTS / "slow_reader.py", seen, "slow-stream"]
    record = bench.start("record", "-o", "t.jsonl", "--", *agent)
    wait_until(lambda: seen.exists() and seen.stat().st_size > 30)
    record.kill()
    record.communicate(timeout=20)
    wait_until(lambda: b'"trace_end"' in (bench.folder / "t.jsonl").read_bytes())
    assert bench.report()["status"] == "intact"
    (response,) = of_kind(bench.events(), "llm_response")
    assert response["data"]["complete"] is True
    assert response["data"]["text"] == seen.read_text()
    assert bench.events()[-1]["data"]["status"] == "interrupted"


def stopped_collector(bench, record):
    """The collector's pid, stopped once the first answer was recorded."""
    trace = bench.folder / "t.jsonl"
    wait_until(lambda: trace.exists() and b"llm_response" in trace.read_bytes())
    collector = collector_of(record)
    os.kill(collector, signal.SIGSTOP)
    return collector


def test_a_stalled_collector_holds_the_agent_up_for_a_second_at_most(bench, server, sdk_python):
    """Then events are dropped, and told as a gap when it goes on."""
    bench.serve_from(server)
    record = bench.start(
        "record", "-o", "t.jsonl", "--", sdk_python, AGENTS / "many_calls.py", "60", "2000"
    )
    collector = stopped_collector(bench, record)
    wait_until(lambda: len(server.requests) >= 55 or agent_of(record) is None)
    os.kill(collector, signal.SIGCONT)
    stdout, _ = record.communicate(timeout=60)
    assert record.returncode == 0
    assert float(stdout.split()[1]) < 2.0
    assert bench.report()["status"] == "intact"


def test_what_was_dropped_is_told_also_of_an_agent_that_is_gone(bench, server, sdk_python):
    """The collector goes on only when the agent has ended: its gap says how much is missing."""
    bench.serve_from(server)
    record = bench.start(
        "record", "-o", "t.jsonl", "--", sdk_python, AGENTS / "many_calls.py", "200", "3000"
    )
    collector = stopped_collector(bench, record)
    wait_until(lambda: agent_of(record) is None, 60)
    os.kill(collector, signal.SIGCONT)
    record.communicate(timeout=60)
    assert record.returncode == 0
    assert len(of_kind(bench.events(), "llm_request")) < 200
    (gap,) = of_kind(bench.events(), "gap")
    assert gap["data"]["dropped"] > 0
    assert bench.report()["status"] == "intact"


def test_a_full_disk_is_told_once_and_the_agent_goes_on(bench, server, sdk_python):
    """What can't be written is counted; no line is torn."""
    bench.serve_from(server)
    record = [sys.executable, "-m", "agenttrace", "record", "-o", "t.jsonl", "--"]
    agent = [sdk_python, str(AGENTS / "many_calls.py"), "40", "200"]
    limited = subprocess.run(
        ["sh", "-c", 'ulimit -f 16; exec "$@"', "sh", *record, *agent],
        cwd=bench.folder,
        env=bench.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert limited.returncode == 0, limited.stderr
    assert limited.stdout.startswith("done")
    assert limited.stderr.count("losing events") == 1
    assert bench.report()["status"] == "incomplete"
    assert bench.report("t.jsonl", "--partial")["status"] == "intact"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_descriptor_takes_nothing_from_the_trace(bench, closed):
    """CMD finds it closed, as without us; its status holds; the trace is whole and nothing else is in it."""
    script = """import os, sys
for fd in range(3):
    try:
        os.fstat(fd)
    except OSError:
        os.mkdir(f"closed{fd}")
sys.exit(7)"""
    record = [
        sys.executable,
        "-m",
        "agenttrace",
        "record",
        "-o",
        "t.jsonl",
        "--",
        sys.executable,
        "-c",
        script,
    ]
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *record]
    ended = subprocess.run(
        shell, cwd=bench.folder, env=bench.environment, check=False, capture_output=True
    )
    assert ended.returncode == 7, ended.stderr
    seen = sorted(path.name[-1] for path in bench.folder.glob("closed*"))
    assert seen == sorted({"<": "0", ">": "1", "2": "2"}[word[0]] for word in closed.split())
    assert bench.report()["status"] == "intact"


def test_a_killed_front_leaves_no_folder(bench):
    """The collector clears up for it."""
    temp = bench.folder / "temp"
    temp.mkdir()
    bench.environment["TMPDIR"] = str(temp)
    record = bench.start("record", "-o", "t.jsonl", "--no-stdio", "--", "sleep", "1")
    wait_until(lambda: agent_of(record) is not None)
    record.kill()
    record.communicate(timeout=20)
    wait_until(lambda: not list(temp.iterdir()))


def test_a_folder_that_is_gone_is_no_hindrance(bench):
    """CMD runs where it would have run."""
    script = 'mkdir gone; cd gone; rmdir ../gone; exec "$@"'
    record = [
        sys.executable,
        "-m",
        "agenttrace",
        "record",
        "-q",
        "-o",
        str(bench.folder / "t.jsonl"),
        "--",
        "echo",
        "hi",
    ]
    shell = ["sh", "-c", script, "sh", *record]
    ended = subprocess.run(
        shell, cwd=bench.folder, env=bench.environment, check=False, capture_output=True
    )
    assert (ended.returncode, ended.stdout) == (0, b"hi\n"), ended.stderr
    assert bench.events()[0]["data"]["cwd"] is None
