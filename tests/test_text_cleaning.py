"""What of a trace's text may reach a terminal, and what is shown as an escape instead."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttrace.text_cleaning import clean, clean_line

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
STEERING_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]0;owned\x07", "\\u001b]0;owned\\u0007"),
        ("\x1b[2J\x1b[H", "\\u001b[2J\\u001b[H"),
        ("\x9b31m\x85", "\\u009b31m\\u0085"),
        ("a\x7fb\x00c", "a\\u007fb\\u0000c"),
        ("pay \u202e001$", "pay \\u202e001$"),
        ("over\rwritten\b\f", "over\\rwritten\\b\\f"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("name\udcff", "name\\udcff"),
    ],
)
def test_what_steers_a_terminal_is_shown_as_an_escape(hostile: str, shown: str) -> None:
    """Titles, clear-screen, C1, DEL, overrides, overwriting: visible, not obeyed."""
    assert clean(hostile) == shown
    assert clean_line(hostile) == shown


def test_tabs_and_line_feeds_stay_in_text_and_are_escaped_in_a_line() -> None:
    """A line is one row on the screen whatever it holds."""
    assert clean("a\tb\nc") == "a\tb\nc"
    assert clean_line("a\tb\nc") == "a\\tb\\nc"


@pytest.mark.parametrize(
    "text", ["", "plain", "naïve Ünïcode 漢字 🦀 עברית", "[red]markup[/red]", "C:\\new"]
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Letters of any script, emoji, brackets and backslashes go through as they are."""
    assert clean(text) == text
    assert clean_line(text) == text


@given(st.text(st.characters(codec=None)))
def test_nothing_that_steers_is_left(text: str) -> None:
    """Whatever comes in, no control character but tab and LF comes out, no bidi, no surrogate."""
    for character in clean(text):
        assert character in "\t\n" or unicodedata.category(character) not in STEERING_CATEGORIES
        assert character not in BIDI
    assert not set(clean_line(text)) & set("\t\n")


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    """So a path that cleans early may be followed by one that cleans again."""
    assert clean(clean(text)) == clean(text)
    assert clean_line(clean_line(text)) == clean_line(text)


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_cleaned_json_is_the_same_json(value: object) -> None:
    """The escapes are JSON's own, so what is shown on a terminal can be pasted into jq."""
    assert json.loads(clean(json.dumps(value, ensure_ascii=False))) == value
