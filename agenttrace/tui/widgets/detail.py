"""Detail: an event's text, built by a thread, wrapped to the width and painted row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer
from textual.worker import get_current_worker

from agenttrace.tui.event_text import EventText, Line
from agenttrace.tui.index import LiveIndex
from agenttrace.tui.painting import painted, row_ends, style_in

# Beside a list, where each key press shows another event, and on a screen of its own.
PREVIEW_CHARS = 1 << 16
FULL_CHARS = 1 << 22
_SETTLED_S = 0.03


class Detail(ScrollView, can_focus=True):
    """The text of one event."""

    STYLES: ClassVar[tuple[str, ...]] = (
        *("dim", "strong", "error", "warn", "rule", "role", "key"),
        *("model", "tool", "wire", "person", "frame"),
    )
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"detail--{name}" for name in STYLES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_by(1)", "Down", show=False),
        Binding("up,k", "scroll_by(-1)", "Up", show=False),
        Binding("pagedown,ctrl+f,space", "scroll_page(1)", "Page down", show=False),
        Binding("pageup,ctrl+b,b", "scroll_page(-1)", "Page up", show=False),
        Binding("home,g", "scroll_edge(0)", "Top", show=False),
        Binding("end,G", "scroll_edge(1)", "Bottom", show=False),
    ]

    def __init__(self, *, limit_chars: int = PREVIEW_CHARS, id: str | None = None) -> None:
        super().__init__(id=id)
        self._limit_chars = limit_chars
        self._lines: list[Line] = []
        self._rows: list[tuple[tuple[str, str], ...]] = []
        self._styles: dict[str, Style] = {}
        self._timer: Timer | None = None
        self.is_building = False

    def show_event(self, index: LiveIndex, row: int) -> None:
        """Shows a row's event once the cursor has stood there for a moment."""
        self.is_building = True
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_SETTLED_S, lambda: self._build_soon(index, row))

    def _build_soon(self, index: LiveIndex, row: int) -> None:
        self.run_worker(
            lambda: self._build(index, row), thread=True, exclusive=True, exit_on_error=True
        )

    def _build(self, index: LiveIndex, row: int) -> None:
        worker = get_current_worker()
        lines = EventText(index, row, self._limit_chars).lines
        if not worker.is_cancelled:
            self.app.call_from_thread(self.show_lines, lines)

    def show_lines(self, lines: list[Line]) -> None:
        """Shows these lines from the top."""
        self._lines = lines
        self.is_building = False
        self.scroll_to(0, 0, animate=False)
        self._wrap()

    def on_resize(self) -> None:
        """The text is wrapped to the new width."""
        self._wrap()

    def _wrap(self) -> None:
        width = max(1, self.scrollable_content_region.width - 1)
        self._rows = [row for line in self._lines for row in _rows_of(line, width)]
        self.virtual_size = Size(width + 1, len(self._rows))
        self.refresh()

    def notify_style_update(self) -> None:
        """Colours changed: all is painted anew."""
        super().notify_style_update()
        self._styles.clear()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        row = y + self.scroll_offset.y
        pieces = self._rows[row] if row < len(self._rows) else ()
        return painted(pieces, self._style, max(1, self.scrollable_content_region.width))

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            style = self._styles[name] = style_in(self, name and f"detail--{name}")
        return style

    def action_scroll_by(self, step: int) -> None:
        """One line down or up."""
        self.scroll_to(y=self.scroll_offset.y + step, animate=False)

    def action_scroll_page(self, step: int) -> None:
        """One screen down or up."""
        height = max(1, self.scrollable_content_region.height - 1)
        self.scroll_to(y=self.scroll_offset.y + step * height, animate=False)

    def action_scroll_edge(self, edge: int) -> None:
        """To the top (0) or the bottom (1)."""
        self.scroll_to(y=len(self._rows) if edge else 0, animate=False)


def _rows_of(line: Line, width: int) -> Iterator[tuple[tuple[str, str], ...]]:
    """A line in rows of at most `width` cells; what goes on is indented as the line is."""
    indent = min(line.indent, width // 2)
    text = "".join(piece for piece, _ in line.pieces)
    for start, end in row_ends(text, width, indent):
        row = _cut_out(line.pieces, start, end)
        yield ((" " * indent, ""), *row) if start else row


def _cut_out(
    pieces: tuple[tuple[str, str], ...], start: int, end: int
) -> tuple[tuple[str, str], ...]:
    """The part of the pieces from character `start` to `end`, each with its style."""
    found = []
    for text, style in pieces:
        part = text[max(0, start) : max(0, end)]
        if part:
            found.append((part, style))
        start, end = start - len(text), end - len(text)
    return tuple(found)
