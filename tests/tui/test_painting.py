"""Rows fit their width to the cell, whatever text they hold, and nothing in them steers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from agenttrace.text_cleaning import clean_line
from agenttrace.tui.painting import fitted, painted, row_ends
from agenttrace.tui.summary import count, duration, size
from agenttrace.tui.widgets.event_list import since

TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
WIDTHS = st.integers(min_value=2, max_value=40)


@given(TEXT, WIDTHS)
def test_fitted_text_has_the_width(text: str, width: int) -> None:
    """Padded or cut, wide characters too."""
    assert cell_len(fitted(text, width)) == width


def test_what_is_cut_ends_in_an_ellipsis() -> None:
    """So that nobody takes a part for the whole."""
    assert fitted("abcdef", 4) == "abc…"
    assert fitted("漢字漢字", 5) == "漢字…"


@given(st.lists(TEXT, max_size=4), WIDTHS)
def test_a_painted_row_has_the_width_and_is_clean(texts: list[str], width: int) -> None:
    """All pieces pass the one choke point."""
    strip = painted([(text, "") for text in texts], lambda _name: Style(), width)
    assert strip.cell_length == width == cell_len(strip.text)
    assert clean_line(strip.text) == strip.text


@given(TEXT.map(clean_line), WIDTHS, st.integers(min_value=0, max_value=1))
def test_wrapped_rows_hold_all_but_spaces(text: str, width: int, indent: int) -> None:
    """No row is wider than it may be, and no character but a space is lost."""
    ends = row_ends(text, width, indent)
    rows = [text[start:end] for start, end in ends]
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(row) <= width for row in rows if len(row) > 1)


def test_rows_are_broken_between_words() -> None:
    """A word that fits into a row stands in one."""
    text = "it is cold in Zürich today"
    rows = [text[start:end] for start, end in row_ends(text, 12)]
    assert rows == ["it is cold", "in Zürich", "today"]


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (850_000, "850µs"),
        (1_500_000, "1.5ms"),
        (31_000_000, "31ms"),
        (1_250_000_000, "1.25s"),
        (59_999_000_000, "1m00s"),
        (125_000_000_000, "2m05s"),
        (3_725_000_000_000, "1h02m"),
        ("1", ""),
        (None, ""),
    ],
)
def test_durations(ns: object, shown: str) -> None:
    """Three figures, a unit; nothing for what is no number."""
    assert duration(ns) == shown


@pytest.mark.parametrize(
    ("ns", "shown"),
    [(0, "+0.000"), (31_400_000, "+0.031"), (-2_000_000, "-0.002"), (125_100_000_000, "+2:05.1")],
)
def test_times_since_the_start(ns: int, shown: str) -> None:
    """Clocks step, so a time may be before the start."""
    assert since(ns) == shown


def test_counts_and_sizes() -> None:
    """As a person writes them."""
    assert (count(1, "event"), count(1204, "event")) == ("1 event", "1,204 events")
    assert (size(812), size(4_096), size(2_000_000_000)) == ("812 B", "4.1 kB", "2.0 GB")
