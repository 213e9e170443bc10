"""RowList: a list of any number of rows with a cursor, of which only the visible ones are rendered.

Knows nothing of traces. What it shows comes from `row_count` and `row_pieces`.
"""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from agenttrace.tui.painting import painted, style_in

_CACHED_ROWS = 1000


class RowList(ScrollView, can_focus=True):
    """Base of the lists. Pieces name their style: a component class without its `row--`."""

    STYLES: ClassVar[tuple[str, ...]] = (
        *("cursor", "blurred", "dim", "strong", "error", "good", "warn", "match"),
        *("model", "tool", "wire", "person", "frame"),
    )
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"row--{name}" for name in STYLES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("pagedown,ctrl+f,space", "page(1)", "Page down", show=False),
        Binding("pageup,ctrl+b,b", "page(-1)", "Page up", show=False),
        Binding("home,g", "jump(0)", "First", show=False),
        Binding("end,G", "jump(-1)", "Last", show=False),
        Binding("enter", "choose", "Detail", show=True),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, rows: RowList) -> None:
            self.rows = rows
            super().__init__()

        @property
        def control(self) -> RowList:
            """The list that it happened in."""
            return self.rows

    class Chosen(Moved):
        """The row under the cursor was chosen: Enter, or a second click."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._painted: dict[tuple[int, bool], Strip] = {}
        self._styles: dict[tuple[str, str], Style] = {}
        self._painted_width = 0
        self._stays_last = False

    def row_count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def row_pieces(self, row: int, width: int) -> list[tuple[str, str]]:
        """The pieces of a row: (text, name of its style)."""
        raise NotImplementedError

    def empty_lines(self) -> list[str]:
        """What stands in place of rows where there are none."""
        return []

    def reload(self) -> None:
        """The rows, or their number, changed."""
        self._painted.clear()
        self.grow()

    def grow(self) -> None:
        """There are more rows than before; those that were there are the same."""
        self.virtual_size = Size(self._row_width(), self.row_count())
        if self._stays_last:
            self.action_jump(-1)
        self.refresh()

    def _row_width(self) -> int:
        return max(1, self.scrollable_content_region.width)

    def on_resize(self) -> None:
        """The rows take the new width; the cursor stays in sight."""
        self.virtual_size = Size(self._row_width(), self.row_count())
        self.call_after_refresh(self._follow_cursor)

    def notify_style_update(self) -> None:
        """Colours changed: all is painted anew."""
        super().notify_style_update()
        self._painted.clear()
        self._styles.clear()

    def on_focus(self) -> None:
        """The cursor's row shows where the keys go."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor's row shows that the keys go elsewhere."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        row = y + self.scroll_offset.y
        width = self._row_width()
        if width != self._painted_width:
            self._painted.clear()
            self._painted_width = width
        if row >= self.row_count():
            return self._blank(y, width)
        key = (row, row == self.cursor)
        strip = self._painted.get(key)
        if strip is None or row == self.cursor:
            if len(self._painted) >= _CACHED_ROWS:
                self._painted.clear()
            strip = self._paint(row, width)
            self._painted[key] = strip
        return strip

    def _paint(self, row: int, width: int) -> Strip:
        under = ""
        if row == self.cursor:
            under = "cursor" if self.has_focus else "blurred"
        return painted(self.row_pieces(row, width), lambda name: self._style(name, under), width)

    def _blank(self, y: int, width: int) -> Strip:
        lines = [] if self.row_count() else self.empty_lines()
        top = max(0, (self.size.height - len(lines)) // 3)
        text = lines[y - top] if top <= y < top + len(lines) else ""
        return painted([("  " + text, "dim")], lambda name: self._style(name, ""), width)

    def _style(self, name: str, under: str) -> Style:
        style = self._styles.get((name, under))
        if style is None:
            style = style_in(self, name and f"row--{name}", under and f"row--{under}")
            self._styles[name, under] = style
        return style

    def validate_cursor(self, row: int) -> int:
        """The cursor stays on the rows."""
        return max(0, min(row, self.row_count() - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        """Only the two rows that changed are painted anew."""
        self._stays_last = False
        self.refresh_line(old)
        self.refresh_line(new)
        self._follow_cursor()
        self.post_message(self.Moved(self))

    def _follow_cursor(self) -> None:
        height = self.scrollable_content_region.height
        top = self.scroll_offset.y
        if not height or top <= self.cursor < top + height:
            return
        near = self.cursor - (height - 1 if self.cursor >= top + height else 0)
        is_far = abs(near - top) > height
        self.scroll_to(y=self.cursor - height // 2 if is_far else near, animate=False)

    def action_move(self, step: int) -> None:
        """One row down or up."""
        self.cursor += step

    def action_page(self, step: int) -> None:
        """One screen of rows down or up."""
        self.cursor += step * max(1, self.scrollable_content_region.height - 1)

    def action_jump(self, row: int) -> None:
        """To a row; -1 is the last, also when more come."""
        self.cursor = row if row >= 0 else self.row_count() - 1
        self._stays_last = row < 0

    def action_choose(self) -> None:
        """The row under the cursor is opened."""
        if self.row_count():
            self.post_message(self.Chosen(self))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a click on the cursor's row opens it."""
        row = event.y + self.scroll_offset.y
        if row >= self.row_count():
            return
        if row == self.cursor:
            self.action_choose()
        self.cursor = row
