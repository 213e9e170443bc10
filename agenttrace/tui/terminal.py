"""The terminal under the screens, also where standard input or output are pipes.

Textual paints on standard error and reads keys from descriptor 0. So with data on standard input
the data moves to a descriptor of its own, and the terminal takes its place.
"""

from __future__ import annotations

import os

from agenttrace.errors import AgentTraceError

_NEEDED = "tui needs a terminal to draw on; `agenttrace cat --to text` needs none"


def is_terminal(fd: int) -> bool:
    """Whether `fd` is open and a terminal."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


def take_standard_input() -> int:
    """Moves the data on standard input to a descriptor of its own, the terminal onto 0."""
    data = os.dup(0)
    try:
        keys = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        os.close(data)
        raise AgentTraceError(_NEEDED) from None
    os.dup2(keys, 0)
    os.close(keys)
    return data


def check_terminal() -> None:
    """AgentTraceError if there is nothing to draw on or no keys to read."""
    if not is_terminal(2) or not is_terminal(0):
        raise AgentTraceError(_NEEDED)


def terminal_size() -> tuple[int, int] | None:
    """Columns and rows of what is drawn on; None if it doesn't say."""
    try:
        columns, rows = os.get_terminal_size(2)
    except OSError:
        return None
    return (columns, rows) if columns and rows else None
