"""The options that several commands share, spelled once.

The files of the commands do without `from __future__ import annotations`: on Python 3.9 and 3.10 Typer
then misses what stands in `Annotated` where the default is None.
"""

from enum import Enum
from typing import Annotated, Any, List, Optional, Tuple, Type

import typer
from typer.core import TyperCommand

from agenttrace.cli.failure import WrongUsage


class Color(str, Enum):
    """When to colour what a person reads."""

    auto = "auto"
    always = "always"
    never = "never"


FILES = Annotated[
    Optional[List[str]],
    typer.Argument(
        metavar="[FILE]...",
        show_default=False,
        help="Traces; none or `-` is standard input, `@last` the newest.",
    ),
]
COLOR = Annotated[Color, typer.Option("--color", help="Colour: on a terminal, always, or never.")]
QUIET = Annotated[bool, typer.Option("-q", "--quiet", help="No progress bar, no summary.")]


def redaction_patterns(patterns: Optional[List[str]]) -> Tuple[str, ...]:
    """The values of `--redact`; WrongUsage for one that is no regular expression."""
    if not patterns:
        return ()
    from agenttrace.redaction import Redactor

    for pattern in patterns:
        try:
            Redactor({}, patterns=[pattern])
        except ValueError as error:
            words = str(error).replace("redact-1: ", "", 1)
            raise WrongUsage("--redact: this pattern can't be used", detail=words) from None
    return tuple(patterns)


def optional_value(option: str) -> Type[TyperCommand]:
    """A command one of whose options may stand without a value, which else is behind `=`; without one it is empty."""

    class Command(TyperCommand):
        def parse_args(self, ctx: Any, args: List[str]) -> List[str]:
            end = args.index("--") if "--" in args else len(args)
            options = [f"{option}=" if arg == option else arg for arg in args[:end]]
            return super().parse_args(ctx, options + args[end:])

    return Command


def command_app() -> typer.Typer:
    """An app for one command: plain help, `-h`, no completion options."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
