"""The command on a terminal of its own, as a job of ours: stopped and resumed as we are, ended as it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from types import FrameType

from agenttrace.command.session import ENDED, STOPPED, Session, Start
from agenttrace.command.signals import Handler, SignalRelay
from agenttrace.command.terminal import Terminal

# How often a job that had the terminal looks whether it was brought back: no signal tells.
_LOOK_S = 0.25
_WANTS_TERMINAL = (signal.SIGTTIN, signal.SIGTTOU)


class InTerminal:
    """One run of the command on its terminal."""

    def __init__(self, terminal: Terminal, start: Start, started: Callable[[int], None]) -> None:
        self._terminal = terminal
        self._start = start
        self._started = started
        self._session: Session | None = None
        self._was_resumed = False

    def run(self) -> int:
        """Runs it to its end; its status as of waitpid."""
        terminal = self._terminal
        handlers: dict[int, Handler] = {
            signal.SIGWINCH: lambda number, frame: terminal.copy_size(),
            signal.SIGCONT: self._on_resumed,
            signal.SIGCHLD: _reap,
        }
        more = [signal.SIGTSTP]
        try:
            with SignalRelay(False, more, handlers) as relay:
                has_it = terminal.is_wanted and terminal.is_foreground()
                if has_it:  # raw before the command can write its first byte
                    terminal.take()
                session = Session(self._start, terminal.slave, terminal.master, has_it)
                self._session = session
                relay.aim(session.signal)
                self._started(session.command)
                terminal.start()
                return self._follow(session)
        finally:
            terminal.give_back()

    def _follow(self, session: Session) -> int:
        terminal = self._terminal
        while True:
            is_waiting = terminal.is_wanted and not terminal.is_taken
            news = session.wait(_LOOK_S if is_waiting else None)
            if news is None:
                if terminal.is_foreground():
                    self._give_terminal(session)
            elif news.what == ENDED:
                return news.number
            elif news.what == STOPPED:
                self._stopped(session, news.number)

    def _give_terminal(self, session: Session) -> None:
        self._terminal.take()
        session.resume(True)

    def _stopped(self, session: Session, number: int) -> None:
        """The command was stopped: because it wants the terminal, which it gets if we have it; else so are we,
        with the terminal as it was; when we go on, so does it.
        """
        terminal = self._terminal
        wants_it = number in _WANTS_TERMINAL
        if wants_it and not terminal.is_taken and terminal.is_foreground():
            self._give_terminal(session)
            return
        wants_it = terminal.give_back() or wants_it
        was_stopped = self._stop(number)
        if wants_it and terminal.is_foreground():
            self._give_terminal(session)
        elif number in _WANTS_TERMINAL and not was_stopped:
            # Nobody is there to bring us to the foreground: the terminal is gone for us.
            session.signal(signal.SIGHUP)
            session.resume(False)
        else:
            session.resume(False)

    def _stop(self, number: int) -> bool:
        """Stops us as the command was; returns when we go on. False if the system doesn't stop us, having
        nobody who could resume us.
        """
        self._was_resumed = False
        is_job = number != signal.SIGSTOP and self._terminal.has_job_control()
        old = None
        if number != signal.SIGSTOP:
            old = signal.signal(number, signal.SIG_DFL)
        # The terminal stops the whole group; that of a command stopped by a person's key is ours.
        os.kill(0 if is_job else os.getpid(), number)
        time.sleep(0.01)  # the handler of SIGCONT runs
        if old is not None:
            signal.signal(number, old)
        return self._was_resumed

    def _on_resumed(self, number: int, frame: FrameType | None) -> None:
        """We go on: perhaps in the background, perhaps with a terminal that a shell has used since."""
        self._was_resumed = True
        terminal = self._terminal
        if not terminal.is_taken or self._session is None:
            return
        if terminal.is_foreground():
            terminal.retake()
        else:
            terminal.give_back()
            self._session.resume(False)


def _reap(number: int, frame: FrameType | None) -> None:
    """Takes the status of all that ended below us: as the first process of a container we inherit orphans."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
