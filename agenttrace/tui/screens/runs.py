"""RunsScreen: the traces of a folder, newest first; Enter opens one."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from agenttrace.trace_folder import recent_traces, trace_folder
from agenttrace.tui import summary
from agenttrace.tui.index import LiveIndex
from agenttrace.tui.painting import fitted
from agenttrace.tui.run_facts import RunFacts, read_facts, traces_in
from agenttrace.tui.screens.trace import TraceScreen
from agenttrace.tui.widgets.bar import Bar
from agenttrace.tui.widgets.row_list import RowList

_LOOK_S = 0.05


class RunsList(RowList):
    """One row a trace; grows as their ends are read."""

    def __init__(self, place: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.runs: list[RunFacts] = []
        self.is_complete = False
        self._place = place

    def row_count(self) -> int:
        """As many as were read so far."""
        return len(self.runs)

    def empty_lines(self) -> list[str]:
        """Why there is nothing, and what to do about it."""
        if not self.is_complete:
            return ["Reading the folder …"]
        return [
            f"No traces in {self._place}",
            "",
            "Record one:   agenttrace record -- python agent.py",
            "Or open one:  agenttrace tui FILE",
            "",
            "Press q to leave, ? for the keys.",
        ]

    def row_pieces(self, row: int, width: int) -> list[tuple[str, str]]:
        """`2026-11-22 06:40:00  ok   11.00s   2   1   0   181   $0.01  name`"""
        run = self.runs[row]
        status = run.status
        style = "good" if status == "ok" else "error" if status == "error" else "warn"
        failed = run.total("errors")
        tokens = (run.total("input_tokens") or 0) + (run.total("output_tokens") or 0)
        pieces = [
            (f" {run.started:<19} ", "dim"),
            (fitted(status, 11) + " ", style),
            (f"{summary.duration(run.duration_ns):>7} ", ""),
            (f"{_number(run.total('llm_calls')):>6} ", ""),
        ]
        if width >= 100:
            pieces.append((f"{_number(run.total('tool_calls')):>6} ", ""))
        pieces.append((f"{_number(failed):>6} ", "error" if failed else "dim"))
        if width >= 100:
            pieces.append((f"{_number(tokens or None):>9} ", ""))
            cost = run.total("cost_usd")
            pieces.append((f"{f'${cost:.2f}' if cost is not None else '':>8} ", ""))
        file_name = f"  {run.path.name}" if run.path.name != run.name else ""
        return [*pieces, (f" {summary.one_line(run.name)}", "strong"), (file_name, "dim")]


def heading(width: int) -> str:
    """The titles over the columns of `row_pieces`."""
    text = f" {'started (UTC)':<19} {'status':<11} {'took':>7} {'calls':>6} "
    if width >= 100:
        text += f"{'tools':>6} {'errors':>6} {'tokens':>9} {'cost':>8}  run"
    else:
        text += f"{'errors':>6}  run"
    return text


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


class Headings(Bar):
    """The titles of the columns."""

    def on_resize(self) -> None:
        """The columns depend on the width."""
        self.show([(heading(self.size.width)[1:], "dim")], [])


class RunsScreen(Screen[None]):
    """The traces of some places; of the trace folder if none are given."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "read_again", "Read again"),
        Binding("question_mark", "app.help", "Help", key_display="?"),
        Binding("q", "app.quit", "Quit"),
    ]

    def __init__(self, places: list[Path]) -> None:
        super().__init__()
        self._places = places
        self._place = ", ".join(map(str, places)) if places else str(trace_folder())
        self._read: list[RunFacts] = []
        self._is_complete = False
        self._reading = 0
        self._note = ""

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Bar(id="bar")
        yield Headings(id="headings")
        yield RunsList(self._place, id="runs")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Reading begins."""
        self.query_one(RunsList).focus()
        self.action_read_again()
        self.set_interval(_LOOK_S, self._look)

    def action_read_again(self) -> None:
        """Reads the folder anew."""
        self._reading += 1
        self._read, self._is_complete = [], False
        threading.Thread(
            target=self._read_all, args=(self._reading, self._read), name="runs", daemon=True
        ).start()

    def _read_all(self, reading: int, found: list[RunFacts]) -> None:
        paths = traces_in(self._places) if self._places else recent_traces()
        facts = []
        for path in paths:
            if reading != self._reading:
                return
            facts.append(read_facts(path))
        facts.sort(key=lambda run: (run.started, str(run.path)), reverse=True)
        found.extend(facts)
        if reading == self._reading:
            self._is_complete = True

    def _look(self) -> None:
        runs = self.query_one(RunsList)
        if (len(runs.runs), runs.is_complete) != (len(self._read), self._is_complete):
            runs.runs, runs.is_complete = list(self._read), self._is_complete
            runs.reload()
        right = summary.count(len(runs.runs), "run") if self._is_complete else "reading …"
        self.query_one("#bar", Bar).show(
            [(self._note, "error"), (self._place, "strong")], [(right, "dim")]
        )

    @on(RowList.Chosen)
    def _open(self) -> None:
        runs = self.query_one(RunsList)
        path = runs.runs[runs.cursor].path
        try:
            index = LiveIndex(str(path))
        except OSError as error:
            self._note = f"{path.name}: {error.strerror}  "
            return
        self._note = ""
        self.app.push_screen(TraceScreen(index))
