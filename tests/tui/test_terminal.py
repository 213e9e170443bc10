"""The `tui` command in a real terminal (tmux): files, pipes, and what it leaves behind."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.stage import write_weather
from tests.tui.test_hostile import write_hostile

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

ROOT = Path(__file__).parents[2]
PROMPT = "ready>"


class Terminal:
    """A shell in a tmux server of its own."""

    def __init__(self, folder: Path) -> None:
        # A short path of its own: a socket's name is limited, and tmux leaves it behind.
        self._own = tempfile.mkdtemp(prefix="at-")
        self._socket = f"{self._own}/tmux"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PS1": PROMPT,
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "AGENTTRACE_DIR": str(folder / "traces"),
            "TUI": f"{shlex.quote(sys.executable)} -m agenttrace tui",
        }
        wanted = [part for name, value in environment.items() for part in ("-e", f"{name}={value}")]
        where = ["-x", "100", "-y", "30", "-c", str(folder)]
        shell = ["/bin/sh", "-i"]
        self._tmux("-f", os.devnull, "new-session", "-d", *where, *wanted, *shell)
        self.wait_for(PROMPT)

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", self._socket, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def type(self, text: str) -> None:
        """Types a line and Enter."""
        self._tmux("send-keys", "-l", text)
        self._tmux("send-keys", "Enter")

    def press(self, *keys: str) -> None:
        """Presses keys."""
        self._tmux("send-keys", *keys)

    def text(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p")

    def asked(self, what: str) -> str:
        """What tmux knows of the terminal."""
        return self._tmux("display-message", "-p", f"#{{{what}}}").strip()

    def wait_for(self, text: str, timeout_s: float = 20) -> str:
        """The screen, once `text` is on it."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            shown = self.text()
            if text in shown:
                return shown
            time.sleep(0.05)
        raise AssertionError(f"{text!r} does not come:\n{self.text()}")

    def resize(self, columns: int, rows: int) -> None:
        """Another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def close(self) -> None:
        """Ends the server and all in it."""
        self._tmux("kill-server")
        shutil.rmtree(self._own)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal of 100 by 30."""
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


def check_left_clean(terminal: Terminal) -> None:
    """The shell stands where it stood: no second screen, a cursor, echo, no mouse reports."""
    assert terminal.asked("alternate_on") == "0"
    assert terminal.asked("cursor_flag") == "1"
    assert terminal.asked("mouse_any_flag") == "0"
    terminal.type("stty -a | grep -c ' echo '")
    terminal.wait_for("\n1\n")


def test_a_file_is_browsed_and_left(terminal: Terminal, tmp_path: Path) -> None:
    """The list comes, keys move, the size may change, q leaves a clean terminal and status 0."""
    write_weather(tmp_path / "t.jsonl")
    terminal.type('$TUI t.jsonl; echo "status $?"')
    terminal.wait_for("✓ intact")
    terminal.press("j", "j")
    terminal.wait_for("user_input  #2")
    terminal.resize(60, 20)
    terminal.wait_for("user_input  #2")
    terminal.press("q")
    terminal.wait_for("status 0")
    check_left_clean(terminal)


def test_ctrl_c_leaves(terminal: Terminal, tmp_path: Path) -> None:
    """From any screen, also while a text is typed."""
    write_weather(tmp_path / "t.jsonl")
    for keys in ((), ("/", "x"), ("Enter",)):
        terminal.type('clear; $TUI t.jsonl; echo "status $?"')
        terminal.wait_for("✓ intact")
        terminal.press(*keys, "C-c")
        terminal.wait_for("status 0")
    check_left_clean(terminal)


def test_data_is_piped_in_and_keys_still_work(terminal: Terminal, tmp_path: Path) -> None:
    """Standard output may be a pipe too; nothing of the screen goes into it."""
    write_weather(tmp_path / "t.jsonl")
    terminal.type('cat t.jsonl | $TUI | cat > out; echo "status $?"')
    shown = terminal.wait_for("✓ intact")
    assert "standard input" in shown
    assert len(shown.split("\n")[0]) > 90  # the whole width, though standard output has none
    terminal.press("G")
    terminal.wait_for("trace_end  #37")
    terminal.press("q")
    terminal.wait_for("status 0")
    assert (tmp_path / "out").read_bytes() == b""
    check_left_clean(terminal)


def test_a_live_pipe_shows_what_has_come(terminal: Terminal, tmp_path: Path) -> None:
    """And q doesn't wait for the rest."""
    write_weather(tmp_path / "t.jsonl")
    terminal.type('(head -n 3 t.jsonl; exec sleep 1000) | $TUI -; echo "left"')
    terminal.wait_for("3 events  reading …")
    terminal.press("q")
    terminal.wait_for("exec sleep 1000")  # the shell's screen again
    terminal.press("C-c")
    terminal.wait_for("\n" + PROMPT)
    check_left_clean(terminal)


def test_no_files_opens_the_trace_folder(terminal: Terminal, tmp_path: Path) -> None:
    """The runs; Enter opens one."""
    (tmp_path / "traces").mkdir(mode=0o700)
    write_weather(tmp_path / "traces" / "20261126T064000Z-00000000.jsonl")
    terminal.type("$TUI")
    terminal.wait_for("1 run")
    terminal.press("Enter")
    terminal.wait_for("✓ intact")
    terminal.press("q")
    terminal.wait_for("1 run")
    terminal.press("q")
    terminal.wait_for(PROMPT)


def test_hostile_text_does_not_reach_the_terminal(terminal: Terminal, tmp_path: Path) -> None:
    """The window's title stays, and the screen is not cleared."""
    write_hostile(tmp_path / "t.jsonl")
    terminal.type("$TUI t.jsonl")
    terminal.wait_for("✓ intact")
    for key in ("j", "j", "j", "t", "j", "Enter", "q", "!", "q"):
        terminal.press(key)
        time.sleep(0.1)
    assert "\\u001b]0;owned" in terminal.wait_for("trace_end")
    assert "owned" not in terminal.asked("pane_title")
    terminal.press("q")
    terminal.wait_for(PROMPT)


def test_a_crash_is_one_line_and_status_1(terminal: Terminal, tmp_path: Path) -> None:
    """No local variables, no second screen left open."""
    write_weather(tmp_path / "t.jsonl")
    (tmp_path / "crash.py").write_text(
        "import sys\n"
        "from agenttrace.tui.app import run\n"
        "from agenttrace.tui.widgets.event_list import EventList\n"
        "def row_pieces(self, row, width):\n"
        "    prompt = 'sk-prompt'\n"
        "    raise ValueError(prompt)\n"
        "EventList.row_pieces = row_pieces\n"
        "sys.exit(run(['t.jsonl']))\n"
    )
    terminal.type(f'clear; {shlex.quote(sys.executable)} crash.py; echo "status $?"')
    shown = terminal.wait_for("status 1")
    assert "agenttrace: the screen failed: ValueError at crash.py:6" in shown
    assert "sk-prompt" not in shown
    check_left_clean(terminal)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("$TUI none.jsonl", "agenttrace: none.jsonl: No such file or directory"),
        ("$TUI -", "agenttrace: standard input is a terminal"),
        ("$TUI t.jsonl 2>err; cat err", "agenttrace: tui needs a terminal"),
    ],
)
def test_what_cannot_be_shown_is_told(
    terminal: Terminal, tmp_path: Path, command: str, told: str
) -> None:
    """One line, and no screen."""
    write_weather(tmp_path / "t.jsonl")
    terminal.type(command)
    terminal.wait_for(told)
