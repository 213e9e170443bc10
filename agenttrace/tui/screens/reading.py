"""ReadingScreen: one text on the whole screen: an event in full, or what is wrong with a trace."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from agenttrace.event import Finding
from agenttrace.text_cleaning import clean_line
from agenttrace.tui import summary
from agenttrace.tui.event_text import Line
from agenttrace.tui.index import LiveIndex
from agenttrace.tui.widgets.bar import Bar
from agenttrace.tui.widgets.detail import FULL_CHARS, Detail


class ReadingScreen(Screen[None]):
    """The bar, and a text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape", "dismiss", "Back"),
        Binding("question_mark", "app.help", "Help", key_display="?"),
    ]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._heading = title

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Bar(id="bar")
        yield Detail(limit_chars=FULL_CHARS, id="text")
        yield Footer(show_command_palette=False)

    def show_place(self, place: str) -> None:
        """The title, and on the right where in it one is."""
        self.query_one(Bar).show([(self._heading, "strong")], [(place, "dim")])


class EventScreen(ReadingScreen):
    """One event in full; left and right go to its neighbours."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "step(1)", "Next event", key_display="→"),
        Binding("left,h", "step(-1)", "Previous event", key_display="←"),
    ]

    def __init__(self, index: LiveIndex, row: int) -> None:
        super().__init__(index.name)
        self._index = index
        self.row = row

    def on_mount(self) -> None:
        """Shows the event."""
        self.action_step(0)

    def action_step(self, step: int) -> None:
        """To the event before or behind."""
        self.row = max(0, min(self.row + step, len(self._index) - 1))
        self.show_place(f"row {self.row + 1:,} of {len(self._index):,}")
        self.query_one("#text", Detail).show_event(self._index, self.row)


class FindingsScreen(ReadingScreen):
    """What is wrong with a trace, or that nothing is."""

    def __init__(self, index: LiveIndex) -> None:
        super().__init__(f"Seals of {index.name}")
        self._lines = finding_lines(index)

    def on_mount(self) -> None:
        """Shows the findings."""
        self.show_place("")
        self.query_one("#text", Detail).show_lines(self._lines)


def finding_lines(index: LiveIndex) -> list[Line]:
    """A trace's findings as text."""
    if not index.is_complete:
        return [Line((("The trace is still being read.", ""),))]
    if not index.findings_total:
        return [
            Line((("Intact: every line has its seal, and none is missing.", ""),)),
            Line((("Seals find accidents, not forgeries.", "dim"),)),
        ]
    total = summary.count(index.findings_total, "finding")
    lines = [Line(((f"{index.status}: {total}", "strong"),)), Line((("", ""),))]
    for finding in index.findings:
        lines += _finding(finding)
    if index.findings_total > len(index.findings):
        rest = index.findings_total - len(index.findings)
        lines.append(Line(((f"… and {rest:,} more: agenttrace verify --max-findings", "dim"),)))
    return lines


def _finding(finding: Finding) -> list[Line]:
    where = f"line {finding.line:,}" if finding.line is not None else "the whole"
    if finding.offset is not None:
        where += f", byte {finding.offset:,}"
    told = [Line(((finding.kind, "error"), (f"  {where}", "dim")))]
    told.append(Line((("  " + clean_line(finding.message), ""),), 2))
    if finding.expected is not None or finding.got is not None:
        compared = f"  expected {finding.expected}, got {finding.got}"
        told.append(Line(((clean_line(compared), "dim"),), 2))
    return told
