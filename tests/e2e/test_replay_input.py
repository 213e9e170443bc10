"""What the command read when it was recorded is given to it again: bytes of a pipe or file, typed lines."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
import time

import pytest

from .conftest import of_kind

RECORD = f"{shlex.quote(sys.executable)} -m agenttrace record -q --force -o t.jsonl --"


def recorded(bench, script, **options):
    """What a shell printed that records by $R."""
    ended = subprocess.run(
        ["bash", "-c", script],
        cwd=bench.folder,
        env={**bench.environment, "R": RECORD},
        capture_output=True,
        timeout=60,
        check=True,
        **options,
    )
    return ended.stdout.decode()


def recorded_on_terminal(bench, keys, *command):
    """Records with these keys typed, each line once the command has asked."""
    ours, theirs = pty.openpty()
    arguments = ("record", "-q", "--force", "-o", "t.jsonl", "--", *command)
    record = bench.start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    for question, line in keys:
        while question not in shown:
            shown += os.read(ours, 4096)
        shown = b""
        time.sleep(0.05)
        os.write(ours, line)
    while True:
        try:
            if not os.read(ours, 4096):
                break
        except OSError:
            break
    assert record.wait(timeout=20) == 0
    os.close(ours)


@pytest.mark.parametrize(("before", "behind"), [("cat list |", ""), ("", "< list")])
def test_what_was_read_is_read_again(bench, before, behind):
    """Then the end comes; our own standard input is not touched."""
    (bench.folder / "list").write_text("one\ntwo\nrest")
    first = recorded(bench, f"{before} $R sh -c 'read x; echo got:$x; cat' {behind}")
    assert first == "got:one\ntwo\nrest"
    command = ("sh", "-c", "read x; echo got:$x; cat")
    again = bench.run("replay", "--check", "t.jsonl", "--", *command)
    assert (again.status, again.stdout) == (0, first), again.stderr
    kept = bench.run("replay", "-q", "-o", "u.jsonl", "t.jsonl", "--", *command)
    assert kept.stdout == first
    read = "".join(event["data"]["text"] for event in of_kind(bench.events("u.jsonl"), "stdin"))
    assert read == "one\ntwo\nrest"


def test_much_input_is_given_whole(bench):
    """More than a pipe holds."""
    first = recorded(bench, "head -c 3000000 /dev/zero | $R sha256sum")
    again = bench.run("replay", "--check", "t.jsonl", "--", "sha256sum")
    assert (again.status, again.stdout) == (0, first), again.stderr


def test_without_recorded_input_it_is_ours(bench):
    """As before."""
    recorded(bench, "$R true < /dev/null")
    again = bench.start("replay", "-q", "t.jsonl", "--", "cat", stdin=subprocess.PIPE)
    assert again.communicate("hello", timeout=20)[0] == "hello"


ASKS = (
    "import getpass, sys\n"
    "print(sys.stdin.isatty(), sys.stdout.isatty())\n"
    "name = input('Name? '); print('Hello', name)\n"
    "secret = getpass.getpass('Key? ') if 'secret' in sys.argv else ''\n"
    "print(len(secret), sys.stdin.read().split())\n"
)


def test_typed_lines_are_typed_again(bench):
    """Each when it is asked for, on a terminal though there is none here."""
    keys = [(b"Name? ", b"Ada\n"), (b"Hello Ada", b"more\nand more\n\x04")]
    recorded_on_terminal(bench, keys, sys.executable, "-c", ASKS)
    again = bench.run("replay", "--check", "t.jsonl", "--", sys.executable, "-c", ASKS)
    assert again.status == 0, again.stderr
    assert again.stdout.splitlines()[:3] == ["True True", "Name? Ada", "Hello Ada"]
    assert again.stdout.splitlines()[-1] == "0 ['more', 'and', 'more']"


def test_what_was_typed_without_echo_is_given_empty_and_told(bench):
    """It is not in the trace."""
    keys = [(b"Name? ", b"Ada\n"), (b"Key? ", b"hunter2\n"), (b"\r\n", b"\x04")]
    recorded_on_terminal(bench, keys, sys.executable, "-c", ASKS, "secret")
    again = bench.run("replay", "t.jsonl", "--", sys.executable, "-c", ASKS, "secret")
    assert again.status == 0, again.stderr
    assert "inexact: lines typed without echo are not in the trace: 1 given empty" in again.stderr
    assert again.stdout.splitlines()[-1] == "0 []"


def test_who_asks_for_more_than_was_typed_finds_the_end(bench):
    """And does not wait for ever."""
    keys = [(b"Name? ", b"Ada\n")]
    recorded_on_terminal(bench, keys, sys.executable, "-c", "input('Name? ')")
    twice = "input('Name? ')\ntry: input('And? ')\nexcept EOFError: print('the end')"
    began = time.monotonic()
    again = bench.run("replay", "t.jsonl", "--", sys.executable, "-c", twice)
    assert again.stdout.splitlines()[-1].endswith("the end")
    assert time.monotonic() - began < 10
