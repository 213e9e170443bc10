"""TraceBar: one line on top: which trace, how far it is read, whether it is whole."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from agenttrace.text_cleaning import clean_line
from agenttrace.tui import summary
from agenttrace.tui.index import LiveIndex
from agenttrace.tui.painting import fitted, painted, style_in, width_of

# What verify says, with a mark that is not a colour alone.
_SEAL_STYLES = {
    "intact": ("✓", "good"),
    "incomplete": ("…", "warn"),
    "partial": ("~", "warn"),
    "unsupported": ("?", "warn"),
    "corrupt": ("✗", "error"),
}


_WIDE = 100


class Bar(Widget):
    """A line of pieces on the left and on the right; the left gives way."""

    STYLES: ClassVar[tuple[str, ...]] = ("strong", "dim", "good", "warn", "error")
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"bar--{name}" for name in STYLES}

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._left: list[tuple[str, str]] = []
        self._right: list[tuple[str, str]] = []

    def show(self, left: list[tuple[str, str]], right: list[tuple[str, str]]) -> None:
        """Shows these pieces."""
        # What an escaped character takes is known once it is escaped.
        left, right = [
            [(clean_line(text), style) for text, style in side] for side in (left, right)
        ]
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.size.width
        if y:
            return Strip.blank(width, self.rich_style)
        right_width = min(width, sum(width_of(text) for text, _ in self._right) + 2)
        pieces, left = [(" ", "")], width - right_width - 1
        for text, style in self._left:
            text = fitted(text, max(0, min(left, width_of(text))))
            left -= width_of(text)
            pieces.append((text, style))
        pieces.append((" " * max(0, left + 1), ""))
        return painted([*pieces, *self._right], self._style, width)

    def _style(self, name: str) -> Style:
        return style_in(self, name and f"bar--{name}")


class TraceBar(Bar):
    """The line of one trace."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown_run: str | None = None

    def show_index(self, index: LiveIndex, note: str = "") -> None:
        """What is known of the trace now; `note` is what the last key press found."""
        left = [(self._run_name(index), "strong"), (index.name, "dim")]
        if note:
            left.insert(0, (f"{note}  ", "warn"))
        counts = summary.count(len(index), "event")
        if index.errors_total:
            counts += f" · {summary.count(index.errors_total, 'error')}"
        right = [(counts, "dim"), ("  ", ""), _seal(index)]
        # On a narrow screen the answer to a key comes before what stood there all the time.
        self.show(left, right[2:] if note and self.size.width < _WIDE else right)

    def _run_name(self, index: LiveIndex) -> str:
        if self._shown_run is None and len(index):
            first = index.event(0)
            name = first.data.get("name") if first and first.kind == "trace_start" else ""
            self._shown_run = (
                f"{summary.one_line(name)}  " if isinstance(name, str) and name else ""
            )
        return self._shown_run or ""


def _seal(index: LiveIndex) -> tuple[str, str]:
    if index.failure:
        return f"✗ {summary.one_line(index.failure)}", "error"
    if not index.is_complete:
        share = index.progress
        return ("reading …" if share is None else f"reading {share:4.0%}"), "dim"
    mark, style = _SEAL_STYLES.get(index.status, ("?", "warn"))
    found = index.findings_total
    more = f" · {summary.count(found, 'finding')} (!)" if found else ""
    return f"{mark} {index.status}{more}", style
