"""How a command declares its options: once, in its own file, as Typer would have it but without loading Typer.

`quick.py` reads most command lines by that. Help, and whatever is not plain, is Typer's, which `app.py` makes of it.

The files of the commands do without `from __future__ import annotations`: what stands in `Annotated` is read.
"""

import importlib
from enum import Enum
from typing import Any, Callable, Dict, Optional, Tuple, Union

COMMANDS = ("record", "cat", "verify", "filter", "replay", "tui")


class Option:
    """An option: its names; facts: help, metavar, min, show_default, as Typer's.

    instead: for one that must not be given twice, since the last alone would hold: what to do in place of that.
    """

    def __init__(self, *names: str, instead: Optional[str] = None, **facts: Any) -> None:
        self.names = names
        self.instead = instead
        self.facts = facts


class Argument:
    """A positional; facts: help, metavar, show_default, as Typer's."""

    def __init__(self, **facts: Any) -> None:
        self.facts = facts


class Positionals(Enum):
    """Where positionals stand."""

    ANYWHERE = "among options; behind `--` all are"
    LAST = "from the first one on all are"
    BEHIND_DASHES = "one among options; the last parameter that is one takes all behind `--`"


class Command:
    """A command: a function that returns its status, and what is declared of it.

    optional_value: an option that may stand without a value, which else is behind `=`; without one it is empty.
    """

    def __init__(
        self,
        run: Callable[..., int],
        epilog: str,
        positionals: Positionals,
        optional_value: Optional[str],
    ) -> None:
        self.run = run
        self.name = run.__name__
        self.epilog = epilog
        self.positionals = positionals
        self.optional_value = optional_value

    def __call__(self, **values: Any) -> int:
        return self.run(**values)

    def parameters(self) -> Dict[str, Tuple[Any, Union[Option, Argument]]]:
        """By name: the type, and what is declared."""
        return {
            name: (annotation.__origin__, annotation.__metadata__[0])
            for name, annotation in self.run.__annotations__.items()
            if name != "return"
        }

    def with_values(self, args: list[str]) -> list[str]:
        """The arguments, the option of an optional value with an empty one where it stands alone."""
        ours, rest = at_dashes(args)
        alone = self.optional_value
        return [f"{arg}=" if arg == alone else arg for arg in ours] + rest


def at_dashes(args: list[str]) -> Tuple[list[str], list[str]]:
    """The arguments before the first `--`, and those from it on."""
    place = args.index("--") if "--" in args else len(args)
    return args[:place], args[place:]


def command(
    *,
    epilog: str,
    positionals: Positionals = Positionals.ANYWHERE,
    optional_value: Optional[str] = None,
) -> Callable[[Callable[..., int]], Command]:
    """A decorator for a command's function, whose parameters are all `Annotated` with an Option or an Argument."""
    return lambda run: Command(run, epilog, positionals, optional_value)


def load(name: str) -> Command:
    """The command of this name; imports its file."""
    found: Command = getattr(importlib.import_module(f"agenttrace.cli.{name}"), name)
    return found
