"""Signals that we get and that are meant for the command."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

_FROM_TERMINAL = frozenset((signal.SIGINT, signal.SIGQUIT, signal.SIGHUP))

# What speaks of our own process: its children, its output, its faults, its limits, its being stopped.
_OURS = frozenset(
    getattr(signal, name)
    for name in (
        *("SIGKILL", "SIGSTOP", "SIGCHLD", "SIGPIPE", "SIGXCPU", "SIGXFSZ", "SIGWINCH", "SIGCONT"),
        *("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGSYS", "SIGTRAP"),
        *("SIGTSTP", "SIGTTIN", "SIGTTOU"),
    )
)

Handler = Callable[[int, "FrameType | None"], Any]


class SignalRelay:
    """While it is entered, signals that we get go to the command; those that come before it runs, once it does."""

    def __init__(
        self,
        shares_terminal: bool,
        more: Iterable[int] = (),
        handlers: dict[int, Handler] | None = None,
    ) -> None:
        """shares_terminal: whether the command gets the terminal's signals itself. more: also to be passed on.
        handlers: of signals that are not.
        """
        self._shares_terminal = shares_terminal
        self._passed_on = (signal.valid_signals() - _OURS) | set(more)
        self._handlers = handlers or {}
        self._send: Callable[[int], None] | None = None
        self._early: list[int] = []
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> SignalRelay:
        for number in self._passed_on:
            # nohup stays nohup. None: a handler that isn't Python's.
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._previous[number] = signal.signal(number, self._pass_on)
        for number, handler in self._handlers.items():
            self._previous[number] = signal.signal(number, handler)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def aim(self, send: Callable[[int], None]) -> None:
        """The command runs, and this sends it a signal."""
        self._send = send
        for number in self._early:
            send(number)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if self._shares_terminal and number in _FROM_TERMINAL and _is_in_foreground():
            return  # the terminal sent it to the command too
        if self._send is None:
            self._early.append(number)
        else:
            self._send(number)


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
