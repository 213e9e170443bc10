"""The screen of a trace, by the keys that a person presses and the text that then stands there."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from agenttrace import _backend
from agenttrace.tui.widgets.event_list import EventList
from agenttrace.tui.widgets.span_tree import SpanTree
from tests.tui.stage import (
    VECTORS,
    check_golden,
    play,
    screen_text,
    settle,
    trace_screen,
    write_weather,
)
from tests.tui.test_index import write_long

EVERY_KEY = "j k G g b colon 1 enter enter e E y t l h plus minus j enter t slash x enter n N"
SIZES = {80: (80, 24), 120: (120, 30)}


@pytest.fixture
def weather(tmp_path: Path) -> Path:
    """A short run with an error."""
    return write_weather(tmp_path / "weather.jsonl")


def cursor(pilot: Pilot[None]) -> int:
    """The row under the list's cursor."""
    return pilot.app.screen.query_one(EventList).cursor


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("list", "j j j"),
        ("tree", "t"),
        ("error", "e"),
        ("search", "slash c a l l underscore 1 enter"),
        ("detail", "j j j enter"),
        ("help", "question_mark"),
    ],
)
def test_golden_screens(name: str, keys: str, width: int, weather: Path) -> None:
    """The whole screen, as text."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press(*keys.split())
        check_golden(f"{name}-{width}", await settle(pilot))

    play(trace_screen(weather), act, SIZES[width])


@pytest.mark.parametrize(
    ("vector", "told"),
    [
        ("whole.jsonl", "12 events  ✓ intact"),
        ("flipped.jsonl", "11 events  ✗ corrupt · 4 findings (!)"),
        ("no-end.jsonl", "11 events  … incomplete · 1 finding (!)"),
        ("newer.jsonl", "11 events  ? unsupported · 1 finding (!)"),
        ("empty.jsonl", "0 events  … incomplete · 1 finding (!)"),
    ],
)
def test_the_bar_says_whether_the_trace_is_whole(vector: str, told: str) -> None:
    """In verify's words."""

    async def act(pilot: Pilot[None]) -> None:
        assert (await settle(pilot)).split("\n")[0].endswith(told)

    play(trace_screen(VECTORS / vector), act)


def test_findings_are_listed() -> None:
    """What, where, expected and got; and back."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("exclamation_mark")
        text = await settle(pilot)
        assert "checksum_mismatch  line 5, byte 1,755" in text
        assert "expected f955d2c9, got 431a1047" in text
        await pilot.press("q")
        assert "trace_start" in await settle(pilot)

    play(trace_screen(VECTORS / "flipped.jsonl"), act)


def test_an_empty_trace_says_what_to_press() -> None:
    """No blank screen; and no key fails on it."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press(*EVERY_KEY.split())
        assert "Press ! to see what is wrong, q to leave." in await settle(pilot)

    play(trace_screen(VECTORS / "empty.jsonl"), act)


def test_a_number_is_gone_to(weather: Path) -> None:
    """By the event's own number; what is none is told, and Esc gives up."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("colon", "2", "1", "enter")
        assert cursor(pilot) == 21
        await pilot.press("colon", "9", "9", "enter")
        assert "no event 99" in await settle(pilot)
        await pilot.press("colon", "3", "escape", "j")
        assert cursor(pilot) == 22

    play(trace_screen(weather), act)


def test_the_last_row_stays_the_last_while_the_trace_grows(tmp_path: Path) -> None:
    """After G; any other move lets go."""
    lines = (VECTORS / "whole.jsonl").read_bytes().splitlines(keepends=True)
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"".join(lines[:4]))

    async def grown(pilot: Pilot[None], line: bytes) -> int:
        before = len(pilot.app.screen.index)
        with open(path, "ab") as file:
            file.write(line)
        for _ in range(100):
            await pilot.pause(0.05)
            if len(pilot.app.screen.index) > before:
                break
        await settle(pilot)
        return cursor(pilot)

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("G")
        assert await grown(pilot, lines[4]) == 4
        assert await grown(pilot, lines[5]) == 5
        await pilot.press("k")
        assert await grown(pilot, lines[6]) == 4

    play(trace_screen(path), act)


def test_a_note_is_read_on_a_narrow_screen(weather: Path) -> None:
    """It comes before the counts."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"nowhere-in-this", "enter")
        assert "/nowhere-in-this: not found" in (await settle(pilot)).split("\n")[0]

    play(trace_screen(weather), act, (60, 20))


def test_keys_move_the_cursor(weather: Path) -> None:
    """By rows, by screens, to the ends, and not beyond."""

    async def act(pilot: Pilot[None]) -> None:
        for key, row in (("j", 1), ("down", 2), ("k", 1), ("G", 37), ("j", 37), ("g", 0), ("k", 0)):
            await pilot.press(key)
            assert cursor(pilot) == row
        await pilot.press("pagedown")
        assert cursor(pilot) > 5

    play(trace_screen(weather), act)


def test_errors_are_reached_by_a_key(weather: Path) -> None:
    """Forward, no further, and back."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("e")
        assert cursor(pilot) == 34
        await pilot.press("e")
        assert "no error further down" in await settle(pilot)
        await pilot.press("G", "E")
        assert cursor(pilot) == 34

    play(trace_screen(weather), act)


def test_search_goes_round(weather: Path) -> None:
    """From the cursor on; n and N go round at the ends; Escape forgets it."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"timeouterror", "enter")
        assert "/timeouterror: 1 line" in await settle(pilot)
        assert cursor(pilot) == 34
        await pilot.press("n")
        assert cursor(pilot) == 34
        await pilot.press("escape")
        assert "/timeouterror" not in await settle(pilot)

    play(trace_screen(weather), act)


def test_a_text_that_is_not_there_is_told(weather: Path) -> None:
    """And what means something in a regular expression is looked for as it is."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"no", "left_parenthesis", "enter")
        assert "/no(: not found" in await settle(pilot)

    play(trace_screen(weather), act)


def test_the_tree_stands_where_the_list_stood(weather: Path) -> None:
    """And the list where the tree did."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("e", "t")
        await settle(pilot)
        tree = pilot.app.screen.query_one(SpanTree)
        assert tree.event_row() == 33  # the failed tool's span, folded
        await pilot.press("l", "j", "j", "t")
        await settle(pilot)
        assert cursor(pilot) == 34

    play(trace_screen(weather), act)


def test_the_tree_folds(weather: Path) -> None:
    """One span, all spans, and a fold of many events."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("t")
        await settle(pilot)
        tree = pilot.app.screen.query_one(SpanTree)
        rows = tree.row_count()
        await pilot.press("minus")
        await settle(pilot)
        assert tree.row_count() == 5
        await pilot.press("plus")
        await settle(pilot)
        assert tree.row_count() == rows + 4
        await pilot.press("g", "h")
        assert tree.row_count() == 1
        await pilot.press("l")
        assert tree.row_count() > rows

    play(trace_screen(weather), act)


def test_folding_and_unfolding_gives_the_same_rows(weather: Path) -> None:
    """Rows are put in and taken out at the cursor; a fold that was open inside is closed again."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("t")
        before = await settle(pilot)
        await pilot.press(*["j", "j", "j", "j", "j", "j"])
        assert "12 events" in screen_text(pilot)
        await pilot.press("enter", "k", "h", "h", "l", "g")
        assert (await settle(pilot)).split("\n")[1:12] == before.split("\n")[1:12]

    play(trace_screen(weather), act)


def test_tab_goes_to_the_next_pane(weather: Path) -> None:
    """There the same keys scroll the text."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("j", "j", "j", "tab", "G")
        assert cursor(pilot) == 3
        assert '"crc32c"' in await settle(pilot)

    play(trace_screen(weather), act)


def test_the_event_in_full_goes_to_its_neighbours(weather: Path) -> None:
    """And back to the list."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("enter", "l", "l")
        assert "row 3 of 38" in await settle(pilot)
        await pilot.press("escape")
        assert "trace_start" in await settle(pilot)

    play(trace_screen(weather), act)


def test_q_leaves(weather: Path) -> None:
    """From the first screen, with status 0."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("q")
        assert pilot.app.return_code == 0

    play(trace_screen(weather), act)


def test_a_click_moves_the_cursor_and_a_second_one_opens(weather: Path) -> None:
    """As Enter does."""

    async def act(pilot: Pilot[None]) -> None:
        await pilot.click("#events", offset=(20, 3))
        assert cursor(pilot) == 3
        await pilot.click("#events", offset=(20, 3))
        assert "row 4 of 38" in await settle(pilot)

    play(trace_screen(weather), act)


def test_a_long_trace_opens_only_the_lines_on_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200,000 events: first, last and far rows cost what is visible of them, not what there is."""
    write_long(tmp_path / "long.jsonl", 200_000)
    opened = []
    real = _backend.open_line
    monkeypatch.setattr(_backend, "open_line", lambda line: opened.append(1) or real(line))

    async def act(pilot: Pilot[None]) -> None:
        assert "200,000 events" in await settle(pilot)
        await pilot.press("G")
        assert "line 199999" in await settle(pilot)
        await pilot.press(*["k"] * 20, "g", "pagedown")
        await settle(pilot)
        assert len(opened) < 1000

    play(trace_screen(tmp_path / "long.jsonl"), act)
