"""What the command reads is recorded, and nobody is the poorer for it; strange places to run in."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from .conftest import of_kind
from .test_record_process import agent_of, wait_until

RECORD = f"{sys.executable} -m agenttrace record -q --force -o t.jsonl --"


def sh(bench, script, shell="bash", **options):
    """Runs a script in which $R records."""
    return subprocess.run(
        [shell, "-c", script],
        cwd=bench.folder,
        env={**bench.environment, "R": RECORD},
        capture_output=True,
        timeout=60,
        check=False,
        **options,
    )


def read_by_command(bench) -> bytes:
    """What the trace says was read."""
    events = of_kind(bench.events(), "stdin")
    assert all(e["data"]["fd"] == 0 and e["data"]["tty"] is False for e in events)
    return "".join(e["data"]["text"] for e in events).encode()


LOOP = '(for i in 1 2; do $R sh -c "read x; echo got:\\$x"; done; cat)'


@pytest.mark.parametrize("feed", ["cat list |", "(head -n1 list; sleep 0.4; tail -n3 list) |"])
def test_what_the_command_leaves_in_a_pipe_is_there_for_the_next(bench, feed):
    """A reader by bytes takes its line and no more, though we look on."""
    (bench.folder / "list").write_text("a\nb\nc\nd\n")
    assert sh(bench, f"{feed} {LOOP}").stdout == b"got:a\ngot:b\nc\nd\n"
    assert read_by_command(bench) == b"b\n"


def test_what_the_command_leaves_in_a_file_is_there_for_the_next(bench):
    """The offset is shared with those that come after."""
    (bench.folder / "list").write_text("a\nb\nc\nd\n")
    assert sh(bench, f"{LOOP} < list").stdout == b"got:a\ngot:b\nc\nd\n"
    assert read_by_command(bench) == b"b\n"


def test_a_file_stays_a_file(bench):
    """It can be sought in; what was read, from where it stood on, is recorded."""
    (bench.folder / "list").write_text("0123456789")
    script = "import os; print(os.lseek(0, 0, 1), os.read(0, 3))"
    ended = sh(bench, f"(head -c0; read -N2 x; $R {sys.executable} -c '{script}') < list")
    assert ended.stdout == b"2 b'234'\n"
    assert read_by_command(bench) == b"234"


def test_what_was_read_stands_before_what_it_led_to(bench):
    """Question, answer, question, answer."""
    script = "while read x; do echo re:$x; done"
    record = bench.start(
        "record", "-q", "-o", "t.jsonl", "--", "sh", "-c", script, stdin=subprocess.PIPE
    )
    for word in ("one", "two"):
        record.stdin.write(f"{word}\n")
        record.stdin.flush()
        assert record.stdout.readline() == f"re:{word}\n"
    record.communicate(timeout=20)
    passed = [(e["kind"], e["data"]["text"]) for e in of_kind(bench.events(), "stdin", "stdout")]
    read = [text for kind, text in passed if kind == "stdin"]
    assert "".join(read) == "one\ntwo\n"
    assert "".join(text for _, text in passed) == "one\nre:one\ntwo\nre:two\n"


def test_much_input_passes_whole(bench):
    """Two megabytes, binary, in pieces; at the end the end."""
    digest = sh(
        bench, "head -c 2000000 /dev/urandom > r; cat r | $R sha256sum; sha256sum < r"
    ).stdout.split(b"\n")
    assert digest[0] == digest[1]
    recorded = b""
    for event in of_kind(bench.events(), "stdin"):
        text = event["data"]["text"]
        recorded += (
            text.encode()
            if isinstance(text, str)
            else __import__("base64").b64decode(text["base64"])
        )
    assert of_kind(bench.events(), "gap") == []
    assert recorded == (bench.folder / "r").read_bytes()


def test_a_writer_whose_reader_is_gone_gets_sigpipe(bench):
    """When the command ends, and when it closes its input and goes on."""
    assert sh(bench, 'yes | $R head -n1; echo "${PIPESTATUS[@]}"').stdout == b"y\n141 0\n"


def test_who_reads_the_output_no_more_is_found_out_at_the_next_write(bench):
    """Not at the one after: what the command does with it is the same."""
    script = "echo 1; sleep 0.3; echo 2; touch ran-on"
    ended = sh(bench, f"""$R sh -c '{script}' | head -n1; echo "${{PIPESTATUS[@]}}" """)
    assert ended.stdout == b"1\n141 0\n"
    assert not (bench.folder / "ran-on").exists()


def test_a_named_pipe_may_get_another_reader(bench):
    """Nobody reads it for a while, in which nothing is written."""
    script = "echo 1; sleep 0.6; echo 2"
    ended = sh(
        bench,
        f"mkfifo p; $R sh -c '{script}' > p & head -n1 p; sleep 0.2; timeout 5 head -n1 p; wait $!",
    )
    assert (ended.returncode, ended.stdout) == (0, b"1\n2\n")
    script = '(yes; echo "yes: $?" > ended) | $R sh -c "exec <&-; while [ ! -e ended ]; do sleep 0.05; done"'
    assert sh(bench, script).returncode == 0
    assert (bench.folder / "ended").read_text() == "yes: 141\n"


def test_who_reads_no_more_is_not_said_to_run_on(bench):
    """However late the feeding thread gets to see it: it has no processor here until it is stopped."""
    program = (
        "import os, sys\n"
        "from agenttrace.command.standard_input import seen_input\n"
        "for _ in range(30):\n"
        "    feeding = seen_input(lambda data: None)\n"
        "    sys.setswitchinterval(5)\n"
        "    feeding.start()\n"
        "    os.close(feeding.child_fd)\n"
        "    feeding.stop()\n"
        "    assert feeding.is_done\n"
        "    os.dup2(int(sys.argv[1]), 0)\n"
    )
    read_end, write_end = os.pipe()
    ended = subprocess.run(
        [sys.executable, "-c", program, str(read_end)],
        stdin=read_end,
        pass_fds=[read_end, write_end],
        timeout=30,
    )
    os.close(read_end)
    os.close(write_end)
    assert ended.returncode == 0


def test_a_command_that_never_reads_ends_while_its_writer_waits(bench):
    """An open pipe with nothing in it, and one that is full, hold nobody up."""
    for size in (0, 60000):
        arguments = ("record", "-q", "--force", "-o", "t.jsonl", "--", "sh", "-c", "exit 3")
        record = bench.start(*arguments, stdin=subprocess.PIPE)
        record.stdin.write("x" * size)
        record.stdin.flush()
        assert record.wait(timeout=20) == 3
        for stream in (record.stdin, record.stdout, record.stderr):
            stream.close()
        assert read_by_command(bench) == b""


@pytest.mark.parametrize("source", ["/dev/null", "/dev/zero"])
def test_a_device_passes_as_it_is(bench, source):
    """The command has the device itself; it is nobody's input."""
    script = "import os; print(os.fstat(0).st_rdev == os.stat(os.sys.argv[1]).st_rdev)"
    ended = sh(bench, f"$R {sys.executable} -c '{script}' {source} < {source}")
    assert ended.stdout == b"True\n", ended.stderr
    assert of_kind(bench.events(), "stdin", "gap") == []


def test_a_socket_of_one_way_is_seen_and_one_of_two_is_left_alone(bench):
    """As node starts its children; as inetd does."""
    for both in (False, True):
        ours, theirs = socket.socketpair()
        record = bench.start(
            *("record", "-q", "--force", "-o", "t.jsonl", "--", "head", "-n1"),
            stdin=theirs,
            stdout=theirs if both else subprocess.PIPE,
        )
        theirs.close()
        ours.sendall(b"question\n")
        answer = ours.recv(100) if both else record.stdout.readline().encode()
        ours.close()
        record.communicate(timeout=20)
        assert answer == b"question\n"
        gaps = [event["data"]["reason"] for event in of_kind(bench.events(), "gap")]
        if both:
            assert gaps == ["the standard input is not recorded: it is a socket"]
        else:
            assert (gaps, read_by_command(bench)) == ([], b"question\n")


def test_other_descriptors_are_the_commands(bench):
    """What a shell opened for it: `CMD <(list)`."""
    assert sh(bench, "$R cat <(echo one) /dev/fd/5 5< <(echo two)").stdout == b"one\ntwo\n"


def test_no_descriptor_of_ours_leaks_into_the_command(bench):
    """It has 0 to 2, and what it had."""
    bare = sh(bench, "exec 2>&1 < /dev/null; ls /dev/fd").stdout
    assert sh(bench, "exec 2>&1 < /dev/null; $R ls /dev/fd").stdout == bare


# -- strange places -------------------------------------------------------------------------


@pytest.mark.skipif(
    subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, check=False
    ).returncode
    != 0
    if shutil.which("unshare")
    else True,
    reason="no namespaces here",
)
@pytest.mark.parametrize("is_on_terminal", [False, True])
def test_as_the_first_process_it_takes_orphans_and_passes_signals_on(bench, is_on_terminal):
    """No zombies; a signal that the system would drop for process 1 reaches the command; the status holds."""
    script = (
        "trap 'echo told; exit 5' TERM USR1; (sleep 0.1 &) ; (sleep 0.1 &); sleep 0.5;"
        "ps -eo stat= | grep -c Z; echo ready; kill -USR1 1; sleep 5 & wait"
    )
    command = ["unshare", "--pid", "--fork", "--mount-proc", *RECORD.split(), "sh", "-c", script]
    ours, theirs = os.openpty()
    ended = subprocess.run(
        command,
        cwd=bench.folder,
        env=bench.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs if is_on_terminal else subprocess.PIPE,
        timeout=30,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert (ended.stdout, ended.returncode) == (b"0\nready\ntold\n", 5)
    assert bench.report()["status"] == "intact"


def test_without_a_place_for_the_socket_the_command_runs_and_its_output_is_recorded(bench):
    """Told once, and in the trace."""
    bench.environment.update(TMPDIR="/nowhere", XDG_RUNTIME_DIR="/nowhere")
    script = (
        "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/nowhere'];"
        "from agenttrace.command import socket_folder; socket_folder._SHARED_MEMORY = '/nowhere';"
        "from agenttrace.recorder import supervisor, options;"
        "o = options.RecordOptions(('sh', '-c', 'echo hi; echo \"socket:$AGENTTRACE_SOCKET\"'), 't.jsonl');"
        "raise SystemExit(supervisor.record(o))"
    )
    bench.environment["AGENTTRACE_SOCKET"] = "/of/somebody/else"
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=bench.folder,
        env=bench.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "hi\nsocket:\n"), ended.stderr
    assert ended.stderr.count("socket") == 2  # said at once, and in the summary
    assert "hi\n" in str(of_kind(bench.events(), "stdout")[0]["data"]["text"])
    (gap,) = of_kind(bench.events(), "gap")
    assert "socket" in gap["data"]["reason"]


@pytest.mark.parametrize("where", ["/proc/nowhere", "/dev/null/x"])
def test_where_no_trace_can_be_written_the_command_does_not_start(bench, where):
    """125 and one line."""
    bench.environment.update(AGENTTRACE_DIR=where)
    ended = bench.run("record", "--", "touch", "ran")
    assert (ended.status, ended.stderr.count("\n")) == (125, 1), ended.stderr
    assert not (bench.folder / "ran").exists()


def test_without_a_home_it_runs(bench):
    """A container's environment."""
    del bench.environment["HOME"]
    assert bench.run("record", "-o", "t.jsonl", "--", "true").status == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs a namespace")
@pytest.mark.parametrize("writable", [(), ("/dev/shm",)])
def test_with_a_root_that_is_read_only_it_runs(bench, writable):
    """The hooks' socket is in the shared memory; without that, streams are recorded, and it is told."""
    hide = "mount -o remount,ro,bind / && mount -t tmpfs none /dev/shm"
    lock = "" if writable else " && mount -o remount,ro /dev/shm"
    agent = f"{sys.executable} -c 'import os; print(os.urandom(1) and 1)'"
    script = f"{hide}{lock} && cd / && {RECORD.replace('t.jsonl', '-')} {agent}"
    environment = {
        k: v for k, v in bench.environment.items() if k not in ("TMPDIR", "XDG_RUNTIME_DIR")
    }
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        env=environment,
        capture_output=True,
        timeout=30,
        check=False,
    )
    if b"mount:" in ended.stderr:
        pytest.skip("can't mount here")
    assert ended.returncode == 0, ended.stderr
    kinds = {json.loads(line)["kind"] for line in ended.stdout.splitlines()}
    assert kinds >= ({"stdout", "entropy"} if writable else {"stdout", "gap"})


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs a namespace")
def test_without_terminals_to_give_the_command_keeps_ours(bench):
    """No /dev/pts: it runs on our terminal, its output there unrecorded, which is told."""
    ours, theirs = os.openpty()
    hide = "mount -t tmpfs none /dev/pts && mount --bind /dev/null /dev/ptmx"
    script = f"{hide} && exec {RECORD} sh -c 'test -t 1; echo $?'"
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        cwd=bench.folder,
        env=bench.environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    os.close(theirs)
    shown = os.read(ours, 100)
    os.close(ours)
    assert (ended.returncode, shown) == (0, b"0\r\n"), ended.stderr
    (gap,) = of_kind(bench.events(), "gap")
    assert "no terminal" in gap["data"]["reason"]


def test_a_signal_to_record_that_few_know_reaches_the_command(bench):
    """Not only those that end things: SIGALRM, a real-time signal."""
    for number in (signal.SIGALRM, getattr(signal, "SIGRTMIN", signal.SIGUSR1)):
        script = (
            f"import signal, sys; signal.signal({int(number)}, lambda *_: sys.exit(9));"
            "print(1, flush=True); signal.pause()"
        )
        record = bench.start(
            *("record", "-q", "--force", "-o", "t.jsonl", "--", sys.executable, "-c", script)
        )
        assert record.stdout.readline() == "1\n"
        wait_until(lambda record=record: agent_of(record) is not None)
        record.send_signal(number)
        record.communicate(timeout=20)
        assert record.returncode == 9
