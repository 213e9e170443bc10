"""Browser: the Textual app: its look, what all screens share, and how it ends."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from agenttrace.tui.screens.help import HelpScreen
from agenttrace.tui.terminal import terminal_size


class _Driver(LinuxDriver):
    """Takes the size from what is drawn on: standard output may be a pipe, which has none."""

    def _get_terminal_size(self) -> tuple[int, int]:
        return terminal_size() or super()._get_terminal_size()


class Browser(App[None]):
    """Shows one screen first; `crash` is what ended it, if it failed."""

    CSS_PATH: ClassVar[Any] = "browser.tcss"
    TITLE = "AgentTrace"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(self, first: Screen[None]) -> None:
        super().__init__(driver_class=_Driver)
        self._first = first
        self.crash: BaseException | None = None
        self._outer_excepthook = threading.excepthook

    def on_mount(self) -> None:
        """The first screen. A thread that fails ends the browser as any other failure does."""
        self._outer_excepthook = threading.excepthook
        threading.excepthook = self._thread_failed
        self.push_screen(self._first)

    def on_unmount(self) -> None:
        """Leaves the process as it was."""
        threading.excepthook = self._outer_excepthook

    def _thread_failed(self, failed: threading.ExceptHookArgs) -> None:
        if isinstance(failed.exc_value, Exception):
            self.call_from_thread(self._handle_exception, failed.exc_value)

    def action_help(self) -> None:
        """The keys."""
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen())

    def _handle_exception(self, error: Exception) -> None:
        # Textual's own keeps the error for tests and prints a page with local variables: prompts.
        self.crash = self.crash or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        self._close_messages_no_wait()

    def panic(self, *renderables: Any) -> None:
        """As after any failure: nothing is printed here."""
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        self._exit_renderables.clear()
