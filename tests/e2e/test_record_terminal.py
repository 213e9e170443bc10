"""The command on a terminal: its keys, its size, its job control, its screen; typed lines; nothing secret."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.test_terminal import Terminal

from .conftest import of_kind
from .test_record_process import wait_until

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

RECORD = f"{shlex.quote(sys.executable)} -m agenttrace record -q -o t.jsonl --force --"


class Shell(Terminal):
    """bash with job control in a tmux server of its own; `r` records."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        self.type(f"exec bash --norc -i; cd {shlex.quote(str(folder))}")
        self.type(f"r() {{ {RECORD} \"$@\"; }}; PS1='$ '; clear; echo rea''dy")
        self.wait_for("ready")

    def events(self, name: str = "t.jsonl") -> list[dict]:
        """What is in the trace by now."""
        return [json.loads(line) for line in (self.folder / name).read_bytes().splitlines()]

    def wait_for_end(self) -> None:
        """The recording has ended: what is typed from now on is the shell's again."""
        wait_until(lambda: b'"trace_end"' in (self.folder / "t.jsonl").read_bytes())

    def typed(self) -> list[str]:
        """The lines that the trace says were typed."""
        return [event["data"]["text"] for event in of_kind(self.events(), "user_input")]

    def check_clean(self) -> None:
        """The shell's terminal is as it was: it echoes, and edits lines."""
        self.type(
            "clear; echo flags: $(stty -a | tr ' ' '\\n' | grep -cx -e echo -e icanon -e opost -e isig)"
        )
        self.wait_for("flags: 4")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A terminal of 100 by 30 with a shell in it."""
    opened = Shell(tmp_path)
    yield opened
    opened.close()


def test_typed_lines_are_recorded_as_the_command_gets_them(shell):
    """Erased characters are gone, an interrupted line too; Ctrl-D ends the input."""
    shell.type("r sh -c 'echo go; exec cat'; echo status $?")
    shell.wait_for("\ngo")
    shell.press("a", "b", "x", "BSpace", "ü", "z", "BSpace", "Enter")
    shell.wait_for("abü\nabü")
    shell.press("o", "n", "e", "Space", "t", "w", "o", "C-w", "Enter")
    shell.wait_for("one\none")
    shell.press("g", "o", "n", "e", "C-u", "k", "e", "p", "t", "Enter")
    shell.wait_for("kept\nkept")
    shell.press("C-d")
    shell.wait_for("status 0")
    assert shell.typed() == ["abü", "one ", "kept"]
    (end,) = of_kind(shell.events(), "stdin")
    assert end["data"] == {"text": "", "fd": 0, "tty": True}
    shell.check_clean()


def test_what_is_typed_without_echo_is_not_recorded(shell):
    """A password is told as such, without its length; the line behind it is there."""
    script = "import getpass; p = getpass.getpass('secret? '); print(len(p), input('name? '))"
    shell.type(f'r {sys.executable} -c "{script}"')
    shell.wait_for("\nsecret?")
    shell.type("hunter2-verysecret")
    shell.wait_for("\nname?")
    shell.type("Ada")
    shell.wait_for("18 Ada")
    shell.wait_for_end()
    assert shell.typed() == ["[redacted:no-echo]", "Ada"]
    assert b"hunter2" not in (shell.folder / "t.jsonl").read_bytes()


def test_keys_in_raw_mode_are_not_recorded_and_that_is_told(shell):
    """They may be a password; a gap says that there were some, not how many."""
    script = "import tty,os; tty.setraw(0); print('raw', end='', flush=True); os.read(0, 1)"
    shell.type(f'r {sys.executable} -c "{script}"; echo status $?')
    shell.wait_for("\nraw")
    shell.press("q")
    shell.wait_for("status 0")
    (gap,) = of_kind(shell.events(), "gap")
    assert "raw mode" in gap["data"]["reason"]
    assert of_kind(shell.events(), "user_input", "stdin") == []
    shell.check_clean()


def test_a_full_screen_program_is_stopped_and_resumed(shell):
    """vim: Ctrl-Z gives the shell its terminal, fg the screen again; a new size arrives; :wq writes."""
    shell.type("r vim -u NONE -N new.txt")
    shell.wait_for("new.txt")
    shell.press("i", "o", "n", "e", "Escape")
    shell.wait_for("one\n~")
    shell.press("C-z")
    shell.wait_for("Stopped")
    shell.check_clean()
    shell.type("clear; jobs")
    shell.wait_for("[1]+")
    shell.resize(90, 20)
    shell.type("fg; echo back $?")
    shell.wait_for("~\n~")
    shell.press(":")
    shell.type("set columns? lines?")
    assert "columns=90" in shell.wait_for("lines=20")
    shell.press("Enter", "o", "t", "w", "o", "Escape", ":")
    shell.type("wq")
    shell.wait_for("back 0")
    shell.check_clean()
    assert (shell.folder / "new.txt").read_text() == "one\ntwo\n"


def test_a_job_goes_on_in_the_background_and_comes_back(shell):
    """Ctrl-Z, bg, fg of a program that counts; then Ctrl-C ends it by SIGINT."""
    shell.type("r sh -c 'i=0; while sleep 0.1; do i=$((i+1)); echo $i > count; done'")
    count = shell.folder / "count"
    wait_until(lambda: count.exists() and count.read_text())
    shell.press("C-z")
    shell.wait_for("Stopped")
    stood = count.read_text()
    time.sleep(0.3)
    assert count.read_text() == stood
    shell.type("bg")
    wait_until(lambda: count.read_text() not in ("", stood))
    shell.type("fg")
    time.sleep(0.5)
    shell.press("C-c")
    shell.wait_for_end()
    shell.type("echo status $?")
    shell.wait_for("status 130")
    assert shell.events()[-1]["data"]["signal"] == "SIGINT"
    shell.check_clean()


def test_a_job_in_the_background_stops_where_it_reads_the_terminal(shell):
    """`CMD &` that reads: stopped for input, as without us; fg lets it read."""
    shell.type("r sh -c 'read line; echo got:$line' &")
    shell.wait_for("[1]")
    time.sleep(0.8)
    shell.type("clear; jobs")
    shell.wait_for("Stopped")
    shell.type("fg")
    time.sleep(0.3)
    shell.type("hello")
    shell.wait_for("got:hello")
    shell.check_clean()


def test_an_interactive_shell_has_job_control_of_its_own(shell):
    """bash under record: its jobs stop and go on in it, not with it."""
    shell.type("r env PS1='inn''er> ' bash --norc -i")
    shell.wait_for("inner>")
    assert "no job control" not in shell.text()
    shell.type("sleep 100")
    time.sleep(0.4)
    shell.press("C-z")
    shell.wait_for("Stopped")
    shell.type("jobs")
    shell.wait_for("[1]+")
    shell.type("kill %1; fg; exit 9")
    shell.wait_for_end()
    shell.type("echo outer status $?")
    shell.wait_for("outer status 9")
    shell.check_clean()


def test_a_pager_behind_a_recorded_command_has_the_keys(shell):
    """`CMD | less`: the keys are less's. `list | less` under record: they are its too."""
    shell.type("r seq 1000 | less")
    shell.wait_for("\n:")
    shell.press("G")
    shell.wait_for("1000")
    shell.press("q")
    shell.type("clear; seq 1000 | r less; echo status $?")
    shell.wait_for("\n:")
    shell.press("G")
    shell.wait_for("1000")
    shell.press("q")
    shell.wait_for("status 0")
    shell.check_clean()


@pytest.mark.parametrize("signal_name", ["KILL", "TERM", "QUIT"])
def test_a_killed_full_screen_program_leaves_a_clean_terminal(shell, signal_name):
    """Whatever kills it, its signal is told and the shell's terminal works."""
    script = "import tty,os; tty.setraw(0); print(os.getpid(), flush=True); os.read(0, 1)"
    shell.type(f'r {sys.executable} -c "{script}"; echo status $?')
    wait_until(lambda: any(line.strip().isdigit() for line in shell.text().splitlines()))
    pid = next(line for line in shell.text().splitlines() if line.strip().isdigit())
    subprocess.run(["kill", f"-{signal_name}", pid.strip()], check=True)
    status = {"KILL": 137, "TERM": 143, "QUIT": 131}[signal_name]
    shell.wait_for(f"status {status}")
    shell.check_clean()


def test_keys_that_interrupt_and_quit(shell):
    """Ctrl-C and Ctrl-\\ are the terminal's signals to the command."""
    shell.type("r sh -c 'echo go; exec sleep 100'; echo status $?")
    shell.wait_for("\ngo")
    shell.press("C-\\")
    shell.wait_for("status 131")
    shell.type(
        "r sh -c 'trap \"echo caught; exit 4\" INT; while :; do sleep 0.1; done'; echo status $?"
    )
    time.sleep(0.8)
    shell.press("C-c")
    shell.wait_for("status 4")
    assert "caught" in shell.text()


def test_a_killed_front_hangs_the_command_up(shell):
    """As a terminal that closes does: SIGHUP."""
    script = "trap 'echo hung > up; exit' HUP; echo $$ > pid; while :; do sleep 0.1; done"
    shell.type(f"r sh -c {shlex.quote(script)} &")
    pid = shell.folder / "pid"
    wait_until(lambda: pid.exists() and pid.read_text().strip())
    shell.type("kill -KILL %1")
    wait_until(lambda: (shell.folder / "up").exists())


def test_a_killed_leader_ends_the_recording(shell):
    """SIGKILL for the process in between: the command is hung up, the trace ends, the terminal is restored."""
    shell.type("r sh -c 'echo leader $PPID; exec sleep 100'; echo status $?")
    shell.wait_for("\nleader")
    line = next(line for line in shell.text().splitlines() if line.startswith("leader"))
    os.kill(int(line.split()[1]), 9)
    shell.wait_for("status 137")
    assert shell.events()[-1]["data"]["signal"] == "SIGKILL"
    shell.check_clean()


def test_children_that_outlive_the_command_keep_its_terminal(shell):
    """They write on after its end, and are not hung up."""
    shell.type("r sh -c '(sleep 1.2; echo la''te; : > alive) & echo first'; echo status $?")
    shell.wait_for("status 0")
    shell.wait_for("late")
    wait_until(lambda: (shell.folder / "alive").exists())
    shell.check_clean()


def test_a_record_in_a_record_on_a_terminal(shell):
    """Both traces are whole, the inner names the outer, keys and job control reach the innermost."""
    script = "echo go; read x; echo got:$x; stty size"
    inner = f"{sys.executable} -m agenttrace record -q -o inner.jsonl -- sh -c '{script}'"
    shell.type(f"r {inner}; echo status $?")
    shell.wait_for("\ngo")
    shell.type("hello")
    shell.wait_for("got:hello\n30 100")
    shell.wait_for("status 0")
    inner_events = shell.events("inner.jsonl")
    assert inner_events[0]["data"]["parent"]["trace_id"] == shell.events()[0]["trace_id"]
    for events in (inner_events, shell.events()):
        assert events[-1]["kind"] == "trace_end"
        assert "got:hello" in json.dumps(of_kind(events, "stdout"))
    assert [e["data"]["text"] for e in of_kind(inner_events, "user_input")] == ["hello"]
    shell.check_clean()


def test_top_and_less_run(shell):
    """Programs that read keys and repaint."""
    shell.type("r top -d 0.3")
    shell.wait_for("%Cpu")
    shell.press("q")
    shell.wait_for_end()
    shell.type("echo status $?")
    shell.wait_for("status 0")
    shell.check_clean()
