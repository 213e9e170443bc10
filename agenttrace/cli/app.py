"""The commands as Typer's: help, what is wrong with a command line, and the rare forms that `quick.py` leaves to it.

Options and help stand in each command's file alone; man pages and completions come from there.
"""

import inspect
from typing import Annotated, Any, Optional, Type

import typer
from typer.core import TyperCommand, TyperGroup

from agenttrace.cli.declaring import COMMANDS, Command, Option, Positionals, at_dashes, load
from agenttrace.cli.failure import UNUSABLE, WrongUsage
from agenttrace.cli.quick import show_version
from agenttrace.cli.terminal import write_error

try:
    from typer._click.exceptions import ClickException
except ImportError:  # Typer below 0.26 stands on click itself
    from click.exceptions import ClickException  # type: ignore[no-redef]

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


def _app(**settings: Any) -> typer.Typer:
    """Plain help, no completion options."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=HELP_NAMES,
        **settings,
    )


class _Commands(TyperGroup):
    """Imports a command's file when that command is named (`--help` names all)."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _typers(load(cmd_name))
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # What is close to a mistyped name is looked for among the loaded ones.
        if args and args[0] not in COMMANDS:
            for name in COMMANDS:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)


def _typers(command: Command) -> Any:
    """The command, with what is declared of it in Typer's words."""

    def function(**values: Any) -> int:
        return command(**values)

    function.__doc__ = command.run.__doc__
    function.__annotations__ = {
        name: Annotated[kind, _typers_parameter(declared)]
        for name, (kind, declared) in command.parameters().items()
    }
    parameters = [
        parameter.replace(annotation=function.__annotations__[parameter.name])
        for parameter in inspect.signature(command.run).parameters.values()
    ]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    settings: dict[str, Any] = dict(HELP_NAMES)
    if command.positionals is Positionals.LAST:
        settings["allow_interspersed_args"] = False
    app = _app()
    app.command(
        command.name, cls=_class(command), epilog=command.epilog, context_settings=settings
    )(function)
    return typer.main.get_command(app)


def _typers_parameter(declared: Any) -> Any:
    if isinstance(declared, Option):
        return typer.Option(*declared.names, **declared.facts)
    return typer.Argument(**declared.facts)


def _class(command: Command) -> Type[TyperCommand]:
    """How its arguments are read before Typer reads them."""

    class Usual(TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            args = command.with_values(args)
            given = self.make_parser(ctx).parse_args(list(args))[2]
            names = [parameter.name for parameter in given]
            for name, (_, declared) in command.parameters().items():
                if isinstance(declared, Option) and declared.instead and names.count(name) > 1:
                    option = given[names.index(name)].opts[0]
                    raise WrongUsage(f"{option} can be given once; {declared.instead}")
            return super().parse_args(ctx, args)

    class BehindDashes(TyperCommand):
        """Takes what is behind the first `--` as CMD; options may stand on both sides of TRACE."""

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            ours, behind = at_dashes(args)
            rest: list[str] = super().parse_args(ctx, ours)
            if ctx.params.get("command") and not ctx.resilient_parsing:
                raise WrongUsage(
                    "put -- before the command: agenttrace replay TRACE -- CMD [ARG]..."
                )
            ctx.params["command"] = behind[1:]
            if behind == ["--"]:
                raise WrongUsage("give a command behind --, or leave -- out to play the events")
            return rest

    return BehindDashes if command.positionals is Positionals.BEHIND_DASHES else Usual


app = _app(cls=_Commands)


def _show_version(asked: bool) -> None:
    if asked:
        show_version()
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


def run(args: list[str]) -> Optional[int]:
    """Runs what the arguments name; returns the status. WrongUsage, in Typer's words, where they name nothing."""
    # Not `command.main()`: that makes status 1 of a closed pipe and answers completion requests.
    command = typer.main.get_command(app)
    if not args:  # not left to click, which ends in 0 or in 2 by its release
        with command.make_context("agenttrace", [], resilient_parsing=True) as context:
            write_error(context.get_help() + "\n")
        return UNUSABLE
    try:
        with command.make_context("agenttrace", args) as context:
            status: Optional[int] = command.invoke(context)
    except typer.Exit as leave:
        return leave.exit_code
    except ClickException as error:
        message = error.format_message().rstrip(".")
        raise WrongUsage(message[:1].lower() + message[1:]) from error
    return status
