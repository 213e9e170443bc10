"""Command lines that are read without Typer are read as Typer reads them; all others are left to it."""

from __future__ import annotations

from typing import Any, Optional

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from agenttrace.cli import app, quick
from agenttrace.cli.declaring import COMMANDS, Argument, Command, Option, Positionals, load
from agenttrace.cli.failure import WrongUsage


class Called(Command):
    """A command that keeps what it is called with, in place of running."""

    values: Optional[dict[str, Any]] = None

    def __call__(self, **values: Any) -> int:
        self.values = values
        return 0


def by_typer(command: Command, args: list[str]) -> Optional[dict[str, Any]]:
    """What Typer calls the command with; None where it calls nothing."""
    called = Called(command.run, command.epilog, command.positionals, command.optional_value)
    typers = app._typers(called)
    try:
        with typers.make_context(command.name, list(args)) as context:
            typers.invoke(context)
    except (app.ClickException, typer.Exit, WrongUsage):
        return None
    return called.values


def complete(values: dict[str, Any], command: Command) -> dict[str, Any]:
    """With defaults where nothing was given; an empty list is none."""
    run = command.run
    names = list(command.parameters())
    defaults = dict(zip(names[-len(run.__defaults__ or ()) :], run.__defaults__ or ()))
    return {name: None if value == [] else value for name, value in {**defaults, **values}.items()}


def tokens(command: Command) -> st.SearchStrategy[list[str]]:
    """Arguments of this command, and some that are none."""
    words = [
        "run.jsonl",
        "-",
        "--",
        "",
        "3",
        "-1",
        "x y",
        "jsonl",
        "text",
        "always",
        "live",
        "0.5",
        "a=b",
        "-z",
        "--no",
    ]
    for _, declared in command.parameters().values():
        if isinstance(declared, Option):
            words += declared.names
            words += [f"{name}={value}" for name in declared.names for value in ("3", "text", "")]
            words += [name + "3" for name in declared.names if len(name) == 2]
    flags = [
        name[1:]
        for kind, declared in command.parameters().values()
        if kind is bool and isinstance(declared, Option)
        for name in declared.names
        if len(name) == 2
    ]
    words += [f"-{''.join(flags[:2])}", f"-{''.join(flags)}k"]
    return st.lists(st.sampled_from(words), max_size=6)


@pytest.mark.parametrize("name", COMMANDS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_is_read_is_what_typer_reads(name: str, data: st.DataObject) -> None:
    """Where Typer refuses, it is asked."""
    command = load(name)
    args = data.draw(tokens(command))
    values = quick.arguments(command, args)
    if values is not None:
        expected = by_typer(command, args)
        assert expected is not None, args
        assert complete(values, command) == complete(expected, command), args


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("verify", [], {}),
        ("verify", ["a", "--deep", "-", "-q"], {"files": ["a", "-"], "deep": True, "quiet": True}),
        ("verify", ["--max-findings=3", "a"], {"max_findings": 3, "files": ["a"]}),
        ("filter", ["-ve", "-kerror", "-k", "log", "--", "-x"],
         {"invert": True, "need_match": True, "kind": ["error", "log"], "positional": ["-x"]}),
        ("cat", ["--redact", "a", "--redact=b"], {"redact": ["", "b"], "files": ["a"]}),
        ("record", ["-q", "--", "x", "-q"], {"quiet": True, "command": ["x", "-q"]}),
        ("record", ["x", "--", "-q"], {"command": ["x", "--", "-q"]}),
        ("replay", ["t", "-q", "--", "x", "--"], {"trace": "t", "quiet": True, "command": ["x", "--"]}),
        ("replay", ["t", "--speed", "0.5"], {"trace": "t", "speed": 0.5, "command": []}),
    ],
)  # fmt: skip
def test_plain_command_lines_need_no_typer(
    name: str, args: list[str], expected: dict[str, Any]
) -> None:
    """All that scripts and pipes are made of."""
    assert quick.arguments(load(name), args) == expected


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("verify", ["--help"]),
        ("verify", ["--dee"]),
        ("verify", ["--deep=1"]),
        ("verify", ["--max-findings", "-1"]),
        ("verify", ["--max-findings", "x"]),
        ("verify", ["--format", "xml"]),
        ("verify", ["--key"]),
        ("verify", ["--key", "--deep"]),
        ("filter", ["-k=log"]),
        ("replay", []),
        ("replay", ["t", "--"]),
        ("replay", ["t", "x", "--", "y"]),
    ],
)
def test_what_is_not_plain_is_left_to_typer(name: str, args: list[str]) -> None:
    """Which has the words for it."""
    assert quick.arguments(load(name), args) is None


def test_each_parameter_is_declared() -> None:
    """By an Option or an Argument; a command that takes what stands behind dashes has a place for it."""
    for name in COMMANDS:
        command = load(name)
        declared = [one for _, one in command.parameters().values()]
        assert all(isinstance(one, (Option, Argument)) for one in declared)
        places = sum(isinstance(one, Argument) for one in declared)
        assert places == 1 + (command.positionals is Positionals.BEHIND_DASHES)
