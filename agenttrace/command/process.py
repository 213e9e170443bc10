"""The wrapped command as a process: started in its environment, given its signals, waited for.
Used by record and replay.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agenttrace.capture import environment as child_environment
from agenttrace.capture import python_command
from agenttrace.command import stdio
from agenttrace.command.in_terminal import InTerminal
from agenttrace.command.signals import SignalRelay
from agenttrace.telling import tell

NOT_EXECUTABLE = 126
NOT_FOUND = 127
_SHELL = "/bin/sh"


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
    environment: Mapping[str, str],
    socket_path: str,
    mode: str,
    without: Sequence[str] = (),
    is_retold: bool = False,
) -> dict[str, str]:
    """The variables that put the hooks into every Python below. without: "http", "entropy", or both. is_retold: of a
    replay, whether it is recorded.
    """
    return {
        "PYTHONPATH": child_environment.python_path(environment.get("PYTHONPATH")),
        "AGENTTRACE_SOCKET": socket_path,
        "AGENTTRACE_MODE": mode,
        "AGENTTRACE_WITHOUT": ",".join(without),
        "AGENTTRACE_RETOLD": "1" if is_retold else "",
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
    begin = start_of(command, environment)

    def start(prepare: Callable[[], None] | None) -> subprocess.Popen[bytes]:
        def in_child() -> None:
            if prepare is not None:
                prepare()
            for fd in closed:
                os.close(fd)

        def started_as(file: str, argv: list[str]) -> subprocess.Popen[bytes]:
            # What whoever started us left open is the command's too (`CMD <(list)`); what is ours closes itself.
            return subprocess.Popen(
                argv,
                executable=file,
                env=dict(environment),
                stdin=fds.get(0),
                stdout=fds.get(1),
                stderr=fds.get(2),
                close_fds=False,
                preexec_fn=in_child if prepare or closed else None,
            )

        try:
            return started_as(begin.file, begin.argv)
        except OSError as error:
            if error.errno != errno.ENOEXEC or not _is_text(begin.file):
                raise
            # A script without a first line that says whose it is: a shell would run it so (POSIX, execvp).
            return started_as(_SHELL, [_SHELL, begin.file, *begin.argv[1:]])

    if streams is not None and streams.terminal is not None:
        status = InTerminal(streams.terminal, start, started).run()
    else:
        status = _run_here(lambda: start(None), started)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _is_text(path: str) -> bool:
    """Whether it may be a script: a shell looks for a NUL near the beginning, too."""
    with open(path, "rb") as file:
        return b"\0" not in file.read(80)


def _run_here(start: Callable[[], subprocess.Popen[bytes]], started: Callable[[int], None]) -> int:
    """In our own session and process group."""
    with SignalRelay(shares_terminal=True) as relay:
        process = start()
        # Not the Popen's own way, which may take the status that is waited for here.
        relay.aim(lambda number: _send(process.pid, number))
        started(process.pid)
        while True:
            # All that end below us: as the first process of a container we inherit orphans.
            pid, status = os.waitpid(-1, 0)
            if pid == process.pid:
                process.returncode = status  # it is waited for
                return status


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


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
