"""The wrapped command as a process: started in its environment, given its signals, waited for. Used by record and replay."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from agenttrace import capture
from agenttrace.recorder import stdio

NOT_EXECUTABLE = 126
NOT_FOUND = 127

BOOTSTRAP = str(Path(capture.__file__).parent / "bootstrap")

# Signals that a supervisor gets and that are meant for the command.
_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGINT")
_FROM_TERMINAL = frozenset((signal.SIGINT, signal.SIGQUIT, signal.SIGHUP))


def unfit(command: tuple[str, ...]) -> int | None:
    """126 or 127, told, if the command can't be run; None if it can (as far as can be seen before)."""
    name = command[0]
    if shutil.which(name) is not None:
        return None
    is_path = os.sep in name
    if is_path and os.path.exists(name):
        reason = "is a folder" if os.path.isdir(name) else "is not executable (chmod +x)"
        _say(f"{name}: {reason}")
        return NOT_EXECUTABLE
    _say(f"{name}: command not found")
    return NOT_FOUND


def status_of_start_error(error: OSError) -> int:
    """The status for a command that the system would not start."""
    return (
        NOT_FOUND if isinstance(error, (FileNotFoundError, NotADirectoryError)) else NOT_EXECUTABLE
    )


def told_start_error(command: tuple[str, ...], error: OSError) -> int:
    """Tells why the system would not start it; the status."""
    _say(f"{command[0]}: {error.strerror or error}")
    return status_of_start_error(error)


def hooked_environment(
    environment: Mapping[str, str], socket_path: str, mode: str
) -> dict[str, str]:
    """The variables that put the hooks into every Python below."""
    paths = [
        part
        for part in environment.get("PYTHONPATH", "").split(os.pathsep)
        if part and part != BOOTSTRAP
    ]
    return {
        "PYTHONPATH": os.pathsep.join([BOOTSTRAP, *paths]),
        "AGENTTRACE_SOCKET": socket_path,
        "AGENTTRACE_MODE": mode,
    }


def start(
    command: tuple[str, ...],
    environment: Mapping[str, str],
    fds: Mapping[int, int],
    in_child: Callable[[], None] | None,
) -> subprocess.Popen[bytes]:
    """Starts it. fds: its descriptors 0 to 2 that aren't simply ours. OSError if the system can't."""
    return subprocess.Popen(
        command,
        env=dict(environment),
        stdin=fds.get(0),
        stdout=fds.get(1),
        stderr=fds.get(2),
        preexec_fn=in_child,
    )


def wait(command: subprocess.Popen[bytes], streams: stdio.Stdio | None) -> int:
    """Waits for its end, passing signals on and stopping when it stops. Its exit status, or -N for signal N."""
    has_terminal = streams is not None and streams.terminal is not None
    takes_keys = has_terminal and streams is not None and 0 in streams.child_fds
    previous = _pass_signals(command.pid, has_terminal, streams)
    try:
        with stdio.raw_terminal(takes_keys) as restored:
            while True:
                _, status = os.waitpid(command.pid, os.WUNTRACED if takes_keys else 0)
                if not os.WIFSTOPPED(status):
                    break
                _stop_with(command.pid, restored)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    command.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return command.returncode


def _stop_with(pid: int, restored: Callable[[], Any]) -> None:
    """The command was stopped (Ctrl-Z): so are we, with the terminal as it was; when we go on, so does it."""
    with restored():
        os.kill(os.getpid(), signal.SIGSTOP)
    os.killpg(pid, signal.SIGCONT)


def _pass_signals(pid: int, has_own_terminal: bool, streams: stdio.Stdio | None) -> dict[int, Any]:
    previous: dict[int, Any] = {}

    def pass_on(number: int, frame: FrameType | None) -> None:
        if not has_own_terminal and number in _FROM_TERMINAL and _is_in_foreground():
            return  # the terminal sent it to the command too
        try:
            if has_own_terminal:
                os.killpg(pid, number)
            else:
                os.kill(pid, number)
        except ProcessLookupError:
            return

    for name in _PASSED_ON:
        number = getattr(signal, name)
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
            previous[number] = signal.signal(number, pass_on)
    if streams is not None and streams.terminal is not None:
        previous[signal.SIGWINCH] = signal.signal(
            signal.SIGWINCH, lambda number, frame: streams.copy_size()
        )
    return previous


def _is_in_foreground() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def end_facts(returncode: int) -> dict[str, Any]:
    """What `trace_end` says of how it ended."""
    if returncode < 0:
        name = (
            signal.Signals(-returncode).name
            if -returncode in set(signal.Signals)
            else str(-returncode)
        )
        status = (
            "interrupted"
            if -returncode in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            else "error"
        )
        return {"status": status, "signal": name}
    return {"status": "ok" if returncode == 0 else "error", "exit_code": returncode}


def _say(message: str) -> None:
    sys.stderr.write(f"agenttrace: {message}\n")
