"""TraceScreen: one trace: its list of events or tree of spans, and the event under the cursor."""

from __future__ import annotations

import threading
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Footer, Input

from agenttrace.text_cleaning import clean
from agenttrace.tui import summary
from agenttrace.tui.index import LiveIndex
from agenttrace.tui.screens.reading import EventScreen, FindingsScreen
from agenttrace.tui.search import Search
from agenttrace.tui.spans import SpanForest
from agenttrace.tui.widgets.bar import TraceBar
from agenttrace.tui.widgets.detail import Detail
from agenttrace.tui.widgets.event_list import EventList
from agenttrace.tui.widgets.row_list import RowList
from agenttrace.tui.widgets.span_tree import SpanTree

_LOOK_S = 0.05


class TraceScreen(Screen[None]):
    """Owns the LiveIndex and closes it."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "toggle_tree", "Tree/list"),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("n", "match(1)", "Next"),
        Binding("N", "match(-1)", "Previous match", show=False),
        Binding("e", "error(1)", "Error"),
        Binding("E", "error(-1)", "Previous error", show=False),
        Binding("colon", "ask_number", "Go to", show=False),
        Binding("exclamation_mark", "findings", "Findings", show=False),
        Binding("y", "copy", "Copy", show=False),
        Binding("tab", "app.focus_next", "Pane", show=True),
        Binding("question_mark", "app.help", "Help", key_display="?"),
        Binding("q", "leave", "Quit"),
        Binding("escape", "back", "Back", show=False),
    ]

    def __init__(self, index: LiveIndex) -> None:
        super().__init__()
        self.index = index
        self._search: Search | None = None
        self._note = ""
        self._shown_rows = -1
        self._shown_matches = 0
        self._forest: SpanForest | None = None
        self._wanted_match: tuple[int, int] | None = None

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield TraceBar(id="bar")
        with Container(id="panes"):
            with ContentSwitcher(initial="events", id="rows"):
                yield EventList(self.index, id="events")
                yield SpanTree(self.index, id="spans")
            yield Detail(id="detail")
        yield Input(id="search", placeholder="Search for text, Enter to find, Esc to give up")
        yield Input(
            id="number", placeholder="Number of an event, Enter to go there", type="integer"
        )
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Reading begins; the screen looks after it from time to time."""
        self.query_one("#search").display = False
        self.query_one("#number").display = False
        self._list.focus()
        self.index.start()
        self.set_interval(_LOOK_S, self._look)

    def on_unmount(self) -> None:
        """Threads end, files close."""
        if self._search is not None:
            self._search.stop()
        self.index.close()

    @property
    def _list(self) -> EventList:
        return self.query_one("#events", EventList)

    @property
    def _tree(self) -> SpanTree:
        return self.query_one("#spans", SpanTree)

    @property
    def _is_tree(self) -> bool:
        return self.query_one("#rows", ContentSwitcher).current == "spans"

    def event_row(self) -> int | None:
        """The trace's row under the cursor of the list or the tree."""
        if self._is_tree:
            return self._tree.event_row()
        return self._list.cursor if len(self.index) else None

    def _look(self) -> None:
        """What the threads found since the last time comes onto the screen."""
        rows = len(self.index)
        if rows != self._shown_rows:
            is_first = self._shown_rows <= 0 < rows
            # Wider row numbers move every row.
            was_wide = max(4, len(str(max(0, self._shown_rows))))
            self._shown_rows = rows
            if max(4, len(str(rows))) != was_wide:
                self._list.reload()
            else:
                self._list.grow()
            if is_first:
                self._show_event()
        if self._forest is not None:
            forest, self._forest = self._forest, None
            at = self._list.cursor
            self._tree.show_forest(forest)
            self._tree.show_event_row(at)
        self._look_after_search()
        self.query_one(TraceBar).show_index(self.index, self._note)

    @on(RowList.Moved)
    def _show_event(self) -> None:
        if self._search is None:
            self._note = ""
        row = self.event_row()
        if row is not None:
            self.query_one("#detail", Detail).show_event(self.index, row)

    @on(RowList.Chosen)
    def _open_event(self) -> None:
        row = self.event_row()
        if row is not None:
            self.app.push_screen(EventScreen(self.index, row))

    def _go_to(self, row: int) -> None:
        self._list.cursor = row
        if self._is_tree:
            self._tree.show_event_row(row)

    def action_toggle_tree(self) -> None:
        """The tree in place of the list, at the same event, and back."""
        switcher = self.query_one("#rows", ContentSwitcher)
        row = self.event_row()
        if self._is_tree:
            switcher.current = "events"
            if row is not None:
                self._list.cursor = row
            self._list.focus()
            return
        switcher.current = "spans"
        self._tree.focus()
        if self._tree.forest_rows != len(self.index):
            threading.Thread(target=self._grow_forest, name="trace-spans", daemon=True).start()
        elif row is not None:
            self._tree.show_event_row(row)

    def _grow_forest(self) -> None:
        self._forest = SpanForest(self.index)

    def action_error(self, step: int) -> None:
        """To the next error or the one before."""
        at = self.event_row()
        found = self.index.next_error(at if at is not None else -1, step)
        if found is not None:
            self._note = ""
            self._go_to(found)
        elif not self.index.errors_total:
            self._note = "no errors" if self.index.is_complete else "no errors so far"
        else:
            self._note = "no error further down" if step > 0 else "no error further up"

    def action_search(self) -> None:
        """Asks for a text."""
        self._ask("#search")

    def action_ask_number(self) -> None:
        """Asks for the number of an event."""
        self._ask("#number")

    def _ask(self, name: str) -> None:
        self._close_field()
        field = self.query_one(name, Input)
        field.display = True
        field.focus()

    @on(Input.Submitted, "#number")
    def _go_to_number(self, event: Input.Submitted) -> None:
        self._close_field()
        if not event.value.isdecimal():
            return
        # Of several traces in a file the one that the cursor is in.
        at = self.event_row()
        here = self.index.event(at) if at is not None else None
        row = self.index.row_of(min(int(event.value), 2**53), here.trace_id if here else None)
        if row is None or row >= len(self.index):
            self._note = f"no event {event.value[:20]}"
        else:
            self._note = ""
            self._go_to(row)

    @on(Input.Submitted, "#search")
    def _begin_search(self, event: Input.Submitted) -> None:
        self._close_field()
        self._stop_search()
        if not event.value:
            return
        self._search = Search(self.index, event.value)
        self._search.start()
        self._list.search = self._search
        self._shown_matches = 0
        at = self.event_row()
        self._wanted_match = ((at if at is not None else 0) - 1, 1)

    def _close_field(self) -> None:
        for name in ("#search", "#number"):
            self.query_one(name).display = False
        (self._tree if self._is_tree else self._list).focus()

    def _stop_search(self) -> None:
        if self._search is not None:
            self._search.stop()
        self._search = None
        self._wanted_match = None
        self._list.search = None
        self._list.reload()
        self._note = ""

    def action_match(self, step: int) -> None:
        """To the next match or the one before; round at the ends."""
        if self._search is None:
            self.action_search()
            return
        at = self.event_row()
        self._wanted_match = (at if at is not None else -1, step)
        self._look_after_search()

    def _look_after_search(self) -> None:
        search = self._search
        if search is None:
            return
        if len(search.rows) != self._shown_matches:
            self._shown_matches = len(search.rows)
            self._list.reload()
        if self._wanted_match is not None:
            self._reach_match(search, *self._wanted_match)
        self._note = self._told_of(search)

    def _reach_match(self, search: Search, at: int, step: int) -> None:
        found = search.next_row(at, step)
        if found is None and search.is_complete and search.rows:
            found = search.rows[0] if step > 0 else search.rows[-1]
        if found is not None:
            self._go_to(found)
        if found is not None or search.is_complete:
            self._wanted_match = None

    def _told_of(self, search: Search) -> str:
        found = summary.count(len(search.rows), "line")
        if not search.is_complete:
            return f"/{search.text}: {found} so far"
        return f"/{search.text}: {found}" if search.rows else f"/{search.text}: not found"

    def action_findings(self) -> None:
        """What is wrong with the seals."""
        self.app.push_screen(FindingsScreen(self.index))

    def action_copy(self) -> None:
        """The event's line to the clipboard, cleaned as on the screen."""
        row = self.event_row()
        if row is not None:
            self.app.copy_to_clipboard(clean(self.index.line(row).decode(errors="replace")))
            self._note = "copied"

    def action_back(self) -> None:
        """Gives up a search; else back to where one came from, if that is a screen of ours."""
        if self.query_one("#search").display or self.query_one("#number").display:
            self._close_field()
        elif self._search is not None:
            self._stop_search()
        elif len(self.app.screen_stack) > 2:
            self.action_leave()

    def action_leave(self) -> None:
        """Back to the runs, or out."""
        if len(self.app.screen_stack) > 2:
            self.dismiss(None)
        else:
            self.app.exit()
