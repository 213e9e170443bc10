"""Where a trace comes from: its id, and what `trace_start` says of who writes it, where, for whom."""

from __future__ import annotations

import os
import platform
import socket
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import agenttrace


def new_trace_id() -> str:
    """32 hex digits, never all zero."""
    while True:
        trace_id = os.urandom(16).hex()
        if trace_id != "0" * 32:
            return trace_id


def _producer() -> dict[str, str]:
    """Who writes, for `trace_start`."""
    return {"name": "agenttrace", "version": agenttrace.__version__}


def _host() -> dict[str, str]:
    """Where it runs, for `trace_start`."""
    runtime = f"{platform.python_implementation()} {platform.python_version()}"
    return {"os": sys.platform, "arch": platform.machine(), "runtime": runtime}


def place(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Whose and where, for `trace_start`: what a replay elsewhere must not take for a difference."""
    try:
        temporary = environment.get("TMPDIR") or tempfile.gettempdir()
    except OSError:  # a system on which nothing can be written
        temporary = "/tmp"
    home = environment.get("HOME") or os.path.expanduser("~")
    return {
        "home": home,
        "user": environment.get("USER") or environment.get("LOGNAME") or os.path.basename(home),
        "hostname": socket.gethostname(),
        "tmp": temporary,
    }


def _cwd() -> str | None:
    """The current folder, for `trace_start`; None where it is gone."""
    try:
        return os.getcwd()
    except OSError:  # the folder is gone
        return None


def facts() -> dict[str, Any]:
    """What every `trace_start` says of this process."""
    return {"cwd": _cwd(), "producer": _producer(), "host": _host(), "place": place()}
