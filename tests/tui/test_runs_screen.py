"""The screen of a folder's runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from textual.pilot import Pilot

from agenttrace.tui.screens.runs import RunsScreen
from tests.tui.stage import VECTORS, check_golden, play, settle, write_weather


def make_folder(folder: Path) -> None:
    """Runs of every kind."""
    folder.mkdir()
    write_weather(folder / "b.jsonl")
    write_weather(folder / "c.jsonl.zst", compress=True)
    for name in ("whole.jsonl", "no-end.jsonl", "empty.jsonl", "crlf.jsonl"):
        (folder / name).write_bytes((VECTORS / name).read_bytes())
    (folder / "other.jsonl").write_text('{"type":"user"}\n')
    (folder / "notes.txt").write_text("no trace")
    os.symlink(folder / "b.jsonl", folder / "link.jsonl")


@pytest.mark.parametrize("size", [(80, 24), (120, 30)])
def test_golden_runs(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newest first; links and other files are left out."""
    make_folder(tmp_path / "runs")
    monkeypatch.chdir(tmp_path)

    async def act(pilot: Pilot[None]) -> None:
        check_golden(f"runs-{size[0]}", await settle(pilot))

    play(RunsScreen([Path("runs")]), act, size)


def test_a_run_is_opened_and_left(tmp_path: Path) -> None:
    """Enter opens it, q comes back, q leaves."""
    make_folder(tmp_path / "runs")

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        assert "✓ intact" in await settle(pilot)
        await pilot.press("q")
        assert "started (UTC)" in await settle(pilot)
        await pilot.press("q")
        assert pilot.app.return_code == 0

    play(RunsScreen([tmp_path / "runs"]), act)


def test_an_empty_folder_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How a run is recorded, how a file is opened; also where the folder isn't there yet."""
    monkeypatch.setenv("AGENTTRACE_DIR", str(tmp_path / "none"))

    async def act(pilot: Pilot[None]) -> None:
        text = await settle(pilot)
        assert "agenttrace record -- python agent.py" in text
        await pilot.press("enter", "j", "G")

    play(RunsScreen([]), act)


def test_a_run_that_is_gone_is_told(tmp_path: Path) -> None:
    """The screen stays."""
    make_folder(tmp_path / "runs")

    async def act(pilot: Pilot[None]) -> None:
        (tmp_path / "runs" / "c.jsonl.zst").unlink()
        (tmp_path / "runs" / "b.jsonl").unlink()
        await pilot.press("enter")
        assert "No such file or directory" in await settle(pilot)

    play(RunsScreen([tmp_path / "runs"]), act)


def test_new_runs_come_with_r(tmp_path: Path) -> None:
    """The folder is read again."""
    (tmp_path / "runs").mkdir()

    async def act(pilot: Pilot[None]) -> None:
        write_weather(tmp_path / "runs" / "new.jsonl")
        await pilot.press("r")
        assert "weather agent" in await settle(pilot)

    play(RunsScreen([tmp_path / "runs"]), act)
