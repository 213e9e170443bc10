"""HelpScreen: every key, from one table; laid over the screen that it was asked on."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from agenttrace.tui.event_text import Line
from agenttrace.tui.widgets.detail import Detail

KEYS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Move",
        (
            ("j k ↓ ↑", "one row"),
            ("Space b PgDn PgUp", "one screen"),
            ("g G Home End", "first, last; on the last of a trace that grows, stay there"),
            ("Tab", "next pane"),
            ("Enter", "the event in full; a run is opened"),
            (":", "go to an event by its number"),
            ("q Esc", "back; on the first screen q leaves, Ctrl+c everywhere"),
        ),
    ),
    (
        "Find",
        (
            ("/", "search; without capitals either case is found"),
            ("n N", "next match, previous match"),
            ("e E", "next error, previous error"),
            ("!", "what is wrong with the trace's seals"),
        ),
    ),
    (
        "Tree of spans",
        (
            ("t", "tree or list"),
            ("l h → ←", "unfold, fold"),
            ("+ -", "unfold all, fold all"),
        ),
    ),
    ("Else", (("y", "copy the event as JSON"), ("Ctrl+p", "all commands"), ("?", "this help"))),
)


class HelpScreen(ModalScreen[None]):
    """The keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,question_mark", "dismiss", "Back"),
    ]

    def compose(self) -> ComposeResult:
        """One scrollable text."""
        yield Detail(id="help")

    def on_mount(self) -> None:
        """The table as lines."""
        text = self.query_one("#help", Detail)
        text.border_title = "Keys"
        text.border_subtitle = "q back"
        text.show_lines(help_lines())


def help_lines() -> list[Line]:
    """The table of keys as text."""
    lines = []
    for title, keys in KEYS:
        lines += [Line(((title, "role"),))]
        lines += [Line(((f"  {key:<20}", "key"), (what, "")), 22) for key, what in keys]
        lines += [Line((("", ""),))]
    return lines[:-1]
