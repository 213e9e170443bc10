"""How a command ends: the one place where an error becomes a message and a status."""

from __future__ import annotations

import os
import sys
from typing import Callable, NoReturn, Optional

from agenttrace.cli.failure import FINE, INTERRUPTED, UNUSABLE, Failure, WrongUsage
from agenttrace.cli.terminal import say, write_error
from agenttrace.errors import AgentTraceError
from agenttrace.text_cleaning import clean


def end(run: Callable[[], Optional[int]], command: str = "", *, ours: int = UNUSABLE) -> NoReturn:
    """Runs a command and ends the process as it says: a status, or -N for the end by signal N.

    ours: the status of a failure of AgentTrace's own, where the command's status belongs to CMD.
    """
    try:
        status = _Ending(command, ours).status_of(run)
        _flush_standard_output()
    except BrokenPipeError:
        import signal  # most commands need none

        end_by_signal(signal.SIGPIPE)
    if status < 0:
        end_by_signal(-status)
    sys.exit(status)


class _Ending:
    def __init__(self, command: str, ours: int) -> None:
        self._command = command
        self._ours = ours

    def status_of(self, run: Callable[[], Optional[int]]) -> int:
        try:
            return run() or FINE
        except KeyboardInterrupt:
            return INTERRUPTED
        except BrokenPipeError:
            raise
        except (Failure, AgentTraceError, OSError, MemoryError) as error:
            return self._told(error)
        except Exception as error:  # noqa: BLE001 - a user never sees a traceback unasked
            _show_traceback()
            say(f"this is a fault in agenttrace: {type(error).__name__}: {error}")
            say("AGENTTRACE_DEBUG=1 shows where; please report it")
            return self._ours

    def _told(self, error: BaseException) -> int:
        _show_traceback()
        say(reason(error))
        if isinstance(error, Failure) and error.detail:
            write_error(clean(error.detail).rstrip("\n") + "\n")
        if isinstance(error, WrongUsage):
            self._point_to_help()
        return error.status if isinstance(error, Failure) else self._ours

    def _point_to_help(self) -> None:
        say("try 'agenttrace {}--help'".format(f"{self._command} " if self._command else ""))


def reason(error: BaseException) -> str:
    """What went wrong, in words: of the system's errors the file and the system's own words."""
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return where + error.strerror
    if isinstance(error, MemoryError):
        return "out of memory"
    return str(error) or type(error).__name__


def _show_traceback() -> None:
    if os.environ.get("AGENTTRACE_DEBUG") == "1":
        import traceback

        traceback.print_exc()


def _flush_standard_output() -> None:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # Nothing is to be tried again when the interpreter shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise


def end_by_signal(number: int) -> NoReturn:
    """Ends this process by a signal, as `cat` ends by SIGPIPE; without a core of our own."""
    import resource
    import signal

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # a signal that ends nothing
