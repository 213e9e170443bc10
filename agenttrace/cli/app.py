"""The Typer app and the six commands, each loaded when it is asked for.

Options and help stand in each command's file alone; man pages and completions come from there.
"""

import importlib
import sys
from typing import Annotated, Any, NoReturn, Optional

import typer
from typer.core import TyperGroup

from agenttrace import __version__
from agenttrace.cli import exit as exits
from agenttrace.cli.failure import OURS, UNUSABLE
from agenttrace.cli.terminal import write_error

COMMANDS = ("record", "cat", "verify", "filter", "replay", "tui")
HELP_NAMES = {"help_option_names": ["-h", "--help"]}


class _Commands(TyperGroup):
    """Imports a command's file when that command is named (`--help` names all)."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            module = importlib.import_module(f"agenttrace.cli.{cmd_name}")
            self.commands[cmd_name] = typer.main.get_command(module.app)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # What is close to a mistyped name is looked for among the loaded ones.
        if args and args[0] not in COMMANDS:
            for name in COMMANDS:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP_NAMES,
)


def _show_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"agenttrace {__version__}\n")
        raise typer.Exit()


@app.callback(epilog="Try: agenttrace record -o run.jsonl -- python agent.py")
def _agenttrace(
    version: Annotated[
        Optional[bool],
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = None,
) -> None:
    """Record AI agents, and verify, filter, replay and browse what they did."""


def start() -> NoReturn:
    """Runs what the arguments name, and ends the process as that says."""
    args = sys.argv[1:]
    command = args[0] if args and args[0] in COMMANDS else ""
    is_cmds = command == "record" or (command == "replay" and "--" in args)
    exits.end(lambda: _run(args), command, ours=OURS if is_cmds else UNUSABLE)


def _run(args: list[str]) -> Optional[int]:
    # Not `command.main()`: that makes status 1 of a closed pipe and answers completion requests.
    command = typer.main.get_command(app)
    if not args:  # not left to click, which ends in 0 or in 2 by its release
        with command.make_context("agenttrace", [], resilient_parsing=True) as context:
            write_error(context.get_help() + "\n")
        return UNUSABLE
    with command.make_context("agenttrace", args) as context:
        status: Optional[int] = command.invoke(context)
    return status
