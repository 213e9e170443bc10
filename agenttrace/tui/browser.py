"""Browser: the Textual app: its look, what all screens share, and how it ends."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import App
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

    def __init__(self, first: Screen[None]) -> None:
        super().__init__(driver_class=_Driver)
        self._first = first
        self.crash: BaseException | None = None

    def on_mount(self) -> None:
        """The first screen."""
        self.push_screen(self._first)

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
