"""What the `tui` command runs: puts the terminal in order, then starts the browser.

Textual is imported behind that, when standard input is already the keyboard.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from agenttrace.errors import AgentTraceError
from agenttrace.tui import terminal

if TYPE_CHECKING:
    from textual.screen import Screen


def run(files: list[str]) -> int:
    """Browses traces. files: paths, folders or `-`; none is standard input or, if that is a
    terminal, the trace folder. Returns the exit status.

    Raises OSError or AgentTraceError for what can't be opened and where there is no terminal.
    """
    if not files:
        files = ["-"] if not terminal.is_terminal(0) else []
    data = None
    if "-" in files:
        if len(files) > 1:
            raise AgentTraceError("tui shows standard input alone, or files")
        if terminal.is_terminal(0):
            raise AgentTraceError("standard input is a terminal; name a trace, or pipe one in")
        data = terminal.take_standard_input()
    elif not terminal.is_terminal(0):
        os.close(terminal.take_standard_input())
    terminal.check_terminal()
    screen = _first_screen(files, data)

    from agenttrace.tui.browser import Browser

    browser = Browser(screen)
    browser.run()
    if browser.crash is not None:
        return _told(browser.crash)
    return browser.return_code or 0


def _first_screen(files: list[str], data: int | None) -> Screen[None]:
    from agenttrace.trace_folder import resolve
    from agenttrace.tui.index import LiveIndex
    from agenttrace.tui.screens.runs import RunsScreen
    from agenttrace.tui.screens.trace import TraceScreen

    if data is not None:
        return TraceScreen(LiveIndex(data, "standard input"))
    paths = [resolve(name) for name in files]
    if len(paths) == 1 and not os.path.isdir(paths[0]):
        return TraceScreen(LiveIndex(paths[0]))
    for path in paths:
        os.stat(path)
    return RunsScreen([Path(path) for path in paths])


def _told(crash: BaseException) -> int:
    """One line of what failed and where; no values, they may be what a trace holds."""
    if os.environ.get("AGENTTRACE_DEBUG") == "1":
        traceback.print_exception(type(crash), crash, crash.__traceback__)
    frames = traceback.extract_tb(crash.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    message = f"agenttrace: the screen failed: {type(crash).__name__}{where}"
    sys.stderr.write(f"{message}; AGENTTRACE_DEBUG=1 shows more\n")
    return 1
