"""A trace that wants to steer the terminal, or the screens' own markup, is shown and not obeyed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.pilot import Pilot

from agenttrace.text_cleaning import clean
from agenttrace.tui.browser import Browser
from agenttrace.tui.screens.runs import RunsScreen
from tests.tui.stage import TraceFile, play, settle, trace_screen

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\u202egnp.exe\u2066 [red]alarm[/red] [/] \r\b"
KEYS = "e t plus j j j enter q exclamation_mark q t slash a l a r m enter n y"


def write_hostile(path: Path) -> Path:
    """Hostile text in every place that is shown."""
    trace = TraceFile(path)
    trace.add("trace_start", name=HOSTILE, command=[HOSTILE])
    trace.add("span_start", 1, name=HOSTILE, attributes={HOSTILE: HOSTILE})
    asked = [{"role": HOSTILE, "content": HOSTILE}]
    trace.add("llm_request", 2, 1, model=HOSTILE, request={"messages": asked})
    call = {"name": HOSTILE, "arguments": {HOSTILE: HOSTILE}}
    trace.add("llm_response", 2, 1, text=HOSTILE, tool_calls=[call], finish_reason=HOSTILE)
    trace.add("tool_call", 3, 1, **call)
    trace.add("tool_result", 3, 1, name=HOSTILE, output=HOSTILE, is_error=True)
    trace.add("error", 1, type=HOSTILE, message=HOSTILE, stack=HOSTILE)
    trace.add("a_kind", 1, **{HOSTILE: HOSTILE})
    return trace.end(totals={"llm_calls": HOSTILE})


def check_clean(text: str) -> None:
    """Nothing in a screen's text steers."""
    assert clean(text) == text


@pytest.mark.parametrize("size", [(80, 24), (120, 50)])
def test_hostile_text_is_shown_and_not_obeyed(tmp_path: Path, size: tuple[int, int]) -> None:
    """On every screen, in every pane; markup is text."""

    async def act(pilot: Pilot[None]) -> None:
        seen = await settle(pilot)
        for key in ["j"] * 8 + KEYS.split():
            await pilot.press(key)
            seen += await settle(pilot)
        check_clean(seen)
        assert "\\u001b]0;owned\\u0007" in seen
        assert "[red]alarm[/red]" in seen

    play(trace_screen(write_hostile(tmp_path / "hostile.jsonl")), act, size)


@pytest.mark.parametrize("name", ["left \u202e right", "漢字の名前"])
def test_a_name_is_cut_for_want_of_room_alone(tmp_path: Path, name: str) -> None:
    """What an escaped or a wide character takes is counted: in the bar, and in a row of the tree."""
    trace = TraceFile(tmp_path / "run.jsonl")
    trace.add("trace_start", name=name)
    trace.add("span_start", 1, name=name)

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("t")
        rows = (await settle(pilot)).split("\n")
        shown = clean(name)
        assert rows[0].startswith(f" {shown}  run.jsonl ")
        assert [shown in row for row in rows[1:3]] == [True, True]
        assert "…" not in rows[1]

    play(trace_screen(trace.end()), act, (120, 30))


def test_hostile_names_in_a_folder(tmp_path: Path) -> None:
    """Names of runs, of files and of the folder itself."""
    folder = tmp_path / "\x1b[2J[red]"
    folder.mkdir()
    write_hostile(folder / "\x1b]0;x\x07[b].jsonl")

    async def act(pilot: Pilot[None]) -> None:
        check_clean(await settle(pilot))
        await pilot.press("enter")
        check_clean(await settle(pilot))

    play(RunsScreen([folder]), act, (120, 30))


def test_what_is_copied_is_clean(tmp_path: Path) -> None:
    """Pasted into a terminal it would be obeyed there."""
    screen = trace_screen(write_hostile(tmp_path / "hostile.jsonl"))

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("j", "y")
        check_clean(pilot.app.clipboard)
        assert "owned" in pilot.app.clipboard

    play(screen, act)


def test_a_crash_prints_no_values(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No page with local variables, which would be prompts."""
    screen = trace_screen(write_hostile(tmp_path / "hostile.jsonl"))
    browser = Browser(screen)

    async def act(pilot: Pilot[None]) -> None:
        browser._handle_exception(ValueError("sk-prompt"))

    async def run() -> None:
        async with browser.run_test() as pilot:
            await act(pilot)

    with pytest.raises(ValueError, match="sk-prompt"):
        asyncio.run(run())
    assert isinstance(browser.crash, ValueError)
    captured = capfd.readouterr()
    assert "sk-prompt" not in captured.out + captured.err
