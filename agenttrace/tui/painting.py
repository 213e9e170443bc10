"""Text to what Textual paints: the one place where the screens' text becomes segments, cleaned.

Every piece of text, whoever wrote it, is cleaned here, and none is read as markup.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from agenttrace.text_cleaning import clean_line

StyleOf = Callable[[str], Style]

_ELLIPSIS = "…"


def style_in(widget: Widget, name: str, under: str = "") -> Style:
    """The style of a component class on a widget's own background, or on that of the class `under`.

    Textual's own way to a Rich style drops the transparency that quiet colours are made with.
    """
    _, _, background, color = widget.colors
    if under:
        background = background + widget.get_component_styles(under).background
    flags = Style()
    if name:
        found = widget.get_component_styles(name)
        flags = found.text_style
        if found.has_rule("color"):
            color = found.color
    return flags + Style.from_color((background + color).rich_color, background.rich_color)


def width_of(text: str) -> int:
    """The cells that `text` takes."""
    return len(text) if text.isascii() else cell_len(text)


def fitted(text: str, width: int) -> str:
    """`text` in exactly `width` cells: padded, or cut with `…`."""
    text = clean_line(text if len(text) <= 4 * width + 16 else text[: 4 * width + 16])
    if text.isascii():
        if len(text) <= width:
            return text.ljust(width)
        return text[: width - 1] + _ELLIPSIS if width > 0 else ""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + _ELLIPSIS if width > 0 else ""


def painted(pieces: Iterable[tuple[str, str]], style_of: StyleOf, width: int) -> Strip:
    """One row of `width` cells from pieces, each cleaned; the last cell is `…` where it is cut."""
    segments, left = [], width
    for text, style in pieces:
        if left <= 0:
            break
        text = clean_line(text)
        if width_of(text) > left:
            text = fitted(text, left)
        left -= width_of(text)
        segments.append(Segment(text, style_of(style)))
    if left > 0:
        segments.append(Segment(" " * left, style_of("")))
    return Strip(segments, width)


def row_ends(text: str, width: int, indent: int = 0) -> list[tuple[int, int]]:
    """Where one line of cleaned text is broken into rows: (start, end) of each, between words.

    The first row has `width` cells, each later one `indent` less; spaces at a break are left out.
    """
    if len(text) <= width and text.isascii():
        return [(0, len(text))]
    rows: list[tuple[int, int]] = []
    start = 0
    while True:
        end = start + _fitting(text[start : start + width], max(1, width))
        if end >= len(text):
            return [*rows, (start, len(text))]
        space = text.rfind(" ", start, end + 1)
        if space > start + (end - start) // 2:  # else a word longer than half the row is broken
            end = space
        rows.append((start, end))
        start = end
        while start < len(text) - 1 and text[start] == " ":
            start += 1
        if len(rows) == 1:
            width -= indent


def _fitting(text: str, width: int) -> int:
    """How many characters of `text` fit into `width` cells; at least one."""
    if text.isascii():
        return max(1, min(len(text), width))
    end = cells = 0
    for character in text:
        cells += cell_len(character)
        if cells > width:
            break
        end += 1
    return max(1, end)
