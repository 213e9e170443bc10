"""Man pages and completions are what the commands say today, and leave nothing out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from agenttrace.cli.app import COMMANDS, app
from tests.cli.conftest import REPOSITORY

pytest.importorskip("shtab")
pytest.importorskip("argparse_manpage")

GENERATED = sorted(
    [
        *(f"man/agenttrace{name}.1" for name in ("", *(f"-{command}" for command in COMMANDS))),
        "completions/bash/agenttrace",
        "completions/zsh/_agenttrace",
        "completions/fish/agenttrace.fish",
    ]
)


def options() -> Iterator[tuple[str, str]]:
    """(command, option) of all there are."""
    group: Any = typer.main.get_command(app)
    for name in COMMANDS:
        for parameter in group.get_command(None, name).params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                yield name, option


def test_what_is_committed_is_what_the_commands_say(tmp_path: Path) -> None:
    """Else run `python tools/generate_docs.py`."""
    tool = REPOSITORY / "tools" / "generate_docs.py"
    subprocess.run([sys.executable, tool, tmp_path], check=True, cwd=REPOSITORY, timeout=60)
    for name in GENERATED:
        made, committed = (folder / name for folder in (tmp_path, REPOSITORY))
        assert committed.read_text() == made.read_text(), f"{name} drifted"


def test_every_option_has_help_and_stands_in_page_and_completions() -> None:
    """Nothing is dropped on the way."""
    scripts = [(REPOSITORY / name).read_text() for name in GENERATED if name.startswith("comp")]
    for command, option in options():
        page = (REPOSITORY / f"man/agenttrace-{command}.1").read_text().replace("\\-", "-")
        assert option in page, f"{command} {option}"
        for script in scripts:
            assert option.lstrip("-") in script, f"{command} {option}"


@pytest.mark.parametrize("name", [name for name in GENERATED if name.startswith("man/")])
def test_a_page_has_its_sections_and_no_date(name: str) -> None:
    """Long where help is short."""
    page = (REPOSITORY / name).read_text()
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "EXIT STATUS", "ENVIRONMENT"):
        assert f".SH {section}\n" in page
    assert ".SH FILES\n" in page
    assert page.splitlines()[0].split(" ")[2] == '"1"' or ' "1" "" ' in page.splitlines()[0]


def test_the_bash_script_is_bash() -> None:
    """And zsh's is zsh, where that is installed."""
    for shell, name in (("bash", "bash/agenttrace"), ("zsh", "zsh/_agenttrace")):
        if shutil.which(shell):
            script = REPOSITORY / "completions" / name
            subprocess.run([shell, "-n", script], check=True, timeout=20)


def test_the_wheel_links_to_each_file() -> None:
    """What is installed below share/ is what stands here."""
    share = REPOSITORY / "tools/wheel/data/share"
    linked = sorted(
        str(path.resolve().relative_to(REPOSITORY))
        for path in share.rglob("*")
        if path.is_symlink()
    )
    assert linked == GENERATED
