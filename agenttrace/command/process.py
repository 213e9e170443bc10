"""The wrapped command as a process: started in its environment, given its signals, waited for.
Used by record and replay.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

from agenttrace.capture import environment as child_environment
from agenttrace.capture import python_command
from agenttrace.command import stdio
from agenttrace.telling import tell

NOT_EXECUTABLE = 126
NOT_FOUND = 127

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
    environment: Mapping[str, str], socket_path: str, mode: str, without: Sequence[str] = ()
) -> dict[str, str]:
    """The variables that put the hooks into every Python below. without: "http", "entropy", or both."""
    return {
        "PYTHONPATH": child_environment.python_path(environment.get("PYTHONPATH")),
        "AGENTTRACE_SOCKET": socket_path,
        "AGENTTRACE_MODE": mode,
        "AGENTTRACE_WITHOUT": ",".join(without),
    }


def start_of(command: tuple[str, ...], environment: Mapping[str, str]) -> Any:
    """How the command is really started (a `python_command.Started`): each Python finds the hooks, or is given them."""
    file = python_command.resolved(command[0], environment.get("PATH", os.defpath))
    paths = environment.get("PYTHONPATH", "").split(os.pathsep)
    if paths[0] != child_environment.BOOTSTRAP:  # no hooks are wanted
        return python_command.Started(file, list(command))
    return python_command.started(file, list(command), environment)


def hold_standard_descriptors() -> tuple[int, ...]:
    """Puts /dev/null where 0, 1 or 2 is closed, so that nothing of ours lands there; which those were.

    The command gets them closed again: `run(closed=…)`.
    """
    closed = tuple(fd for fd in (0, 1, 2) if not stdio.is_open(fd))
    for fd in closed:
        nothing = os.open(os.devnull, os.O_RDWR)
        if nothing != fd:
            os.dup2(nothing, fd)
            os.close(nothing)
    return closed


def run(
    command: tuple[str, ...],
    environment: Mapping[str, str],
    streams: stdio.Stdio | None,
    fds: Mapping[int, int],
    started: Callable[[int], None],
    closed: tuple[int, ...] = (),
) -> int:
    """Runs it to its end, passing signals on and stopping when it stops. Its exit status, or -N for signal N.

    fds: its descriptors 0 to 2 that aren't simply ours. started: called with its number once it runs. closed: of 0
    to 2, those that it gets closed. OSError if the system can't start it.
    """
    start = start_of(command, environment)
    takes_keys = streams is not None and streams.terminal is not None and 0 in streams.child_fds

    def in_child() -> None:
        if streams is not None:
            streams.own_terminal()
        for fd in closed:
            os.close(fd)

    # Our terminal passes everything on as it is before the command can write its first byte.
    with _SignalRelay(streams) as relay, stdio.raw_terminal(takes_keys) as restored:
        process = subprocess.Popen(
            start.argv,
            executable=start.file,
            env=dict(environment),
            stdin=fds.get(0),
            stdout=fds.get(1),
            stderr=fds.get(2),
            preexec_fn=in_child if streams or closed else None,
        )
        relay.aim(process.pid)
        started(process.pid)
        while True:
            _, status = os.waitpid(process.pid, os.WUNTRACED if takes_keys else 0)
            if not os.WIFSTOPPED(status):
                break
            _stop_with(process.pid, restored)
    process.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return process.returncode


def _stop_with(pid: int, restored: Callable[[], Any]) -> None:
    """The command was stopped (Ctrl-Z): so are we, with the terminal as it was; when we go on, so does it."""
    with restored():
        os.kill(os.getpid(), signal.SIGSTOP)
    os.killpg(pid, signal.SIGCONT)


class _SignalRelay:
    """While it is entered, signals that we get go to the command; those that come before it runs,
    as soon as it does.
    """

    def __init__(self, streams: stdio.Stdio | None) -> None:
        self._streams = streams if streams is not None and streams.terminal is not None else None
        self._pid: int | None = None
        self._early: list[int] = []
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> _SignalRelay:
        for name in _PASSED_ON:
            number = getattr(signal, name)
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
                self._previous[number] = signal.signal(number, self._pass_on)
        if self._streams is not None:
            self._previous[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, self._copy_size)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def aim(self, pid: int) -> None:
        """The command runs as this process."""
        self._pid = pid
        for number in self._early:
            self._send(number)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if self._streams is None and number in _FROM_TERMINAL and _is_in_foreground():
            return  # the terminal sent it to the command too
        if self._pid is None:
            self._early.append(number)
        else:
            self._send(number)

    def _send(self, number: int) -> None:
        assert self._pid is not None
        try:
            # With a terminal of its own it leads a group of its own.
            (os.kill if self._streams is None else os.killpg)(self._pid, number)
        except ProcessLookupError:
            return

    def _copy_size(self, number: int, frame: FrameType | None) -> None:
        assert self._streams is not None
        self._streams.copy_size()


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
    tell(f"agenttrace: {message}")
