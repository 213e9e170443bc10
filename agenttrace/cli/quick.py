"""Reads plain command lines without Typer, whose loading takes longer than most commands.

What it reads it reads as Typer does: `tests/cli/test_quick.py` compares. What it isn't sure of, and what is wrong, is
left to Typer and its words.
"""

from enum import Enum
from typing import Any, Callable, Dict, List, Optional, Union

from agenttrace.cli.declaring import (
    COMMANDS,
    Argument,
    Command,
    Option,
    Positionals,
    at_dashes,
    load,
)


class _NotPlain(Exception):
    """Typer must say what this means."""


class _Parameter:
    """One option or positional, as values are put into it."""

    def __init__(self, name: str, kind: Any, declared: Union[Option, Argument]) -> None:
        self.name = name
        self.facts = declared.facts
        self.may_be_again = getattr(declared, "instead", None) is None
        # Optional[List[str]], Optional[X] and X are what there is.
        if getattr(kind, "__origin__", None) is Union:
            kind = kind.__args__[0]
        self.is_list = getattr(kind, "__origin__", None) is list
        self.kind = str if self.is_list else kind

    def put(self, text: str, values: Dict[str, Any]) -> None:
        value = self._value(text)
        if self.name in values and not self.may_be_again:
            raise _NotPlain
        if self.is_list:
            values.setdefault(self.name, []).append(value)
        else:
            values[self.name] = value  # of several the last

    def _value(self, text: str) -> Any:
        if self.kind is str:
            return text
        try:
            value = self.kind(text)
        except ValueError:
            raise _NotPlain from None
        if not issubclass(self.kind, Enum) and not value >= self.facts.get("min", value):
            raise _NotPlain
        return value


def arguments(command: Command, args: List[str]) -> Optional[Dict[str, Any]]:
    """What the command is called with; None where Typer must be asked."""
    try:
        return _Reading(command).of(args)
    except _NotPlain:
        return None


class _Reading:
    """One command line."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._options: Dict[str, _Parameter] = {}
        self._arguments: List[_Parameter] = []
        self._positionals: List[str] = []
        self._values: Dict[str, Any] = {}
        for name, (kind, declared) in command.parameters().items():
            parameter = _Parameter(name, kind, declared)
            if isinstance(declared, Option):
                self._options.update((option, parameter) for option in declared.names)
            else:
                self._arguments.append(parameter)

    def of(self, args: List[str]) -> Dict[str, Any]:
        behind: List[str] = []
        if self._command.positionals is Positionals.BEHIND_DASHES:
            args, behind = at_dashes(args)
            if behind == ["--"]:
                raise _NotPlain
        left = self._command.with_values(args)[::-1]  # the next one is the last: it is popped
        while left:
            self._take(left.pop(), left)
        if self._command.positionals is Positionals.BEHIND_DASHES:
            self._values[self._arguments.pop().name] = behind[1:]
        self._give_positionals()
        return self._values

    def _take(self, arg: str, left: List[str]) -> None:
        if arg == "--":
            self._positionals += left[::-1]
            left.clear()
        elif arg == "-" or not arg.startswith("-"):
            self._positionals.append(arg)
            if self._command.positionals is Positionals.LAST:
                self._positionals += left[::-1]
                left.clear()
        elif arg.startswith("--"):
            name, is_given, value = arg.partition("=")
            option = self._option(name)
            if option.kind is bool:
                if is_given:
                    raise _NotPlain
                self._values[option.name] = True
            else:
                option.put(value if is_given else _next(left), self._values)
        else:
            self._take_short(arg, left)

    def _take_short(self, arg: str, left: List[str]) -> None:
        for place, letter in enumerate(arg[1:], 2):
            option = self._option("-" + letter)
            if option.kind is bool:
                self._values[option.name] = True
                continue
            rest = arg[place:]
            if rest.startswith("="):
                raise _NotPlain
            option.put(rest or _next(left), self._values)
            return

    def _option(self, name: str) -> _Parameter:
        option = self._options.get(name)
        if option is None:
            raise _NotPlain
        return option

    def _give_positionals(self) -> None:
        if not self._arguments:
            if self._positionals:
                raise _NotPlain
            return
        (argument,) = self._arguments
        if not argument.is_list and len(self._positionals) != 1:
            raise _NotPlain
        for text in self._positionals:
            argument.put(text, self._values)


def _next(left: List[str]) -> str:
    """An option's value. What looks like an option itself may be one that was forgotten."""
    if not left or (left[-1].startswith("-") and left[-1] != "-"):
        raise _NotPlain
    return left.pop()


def start(args: List[str]) -> Optional[Callable[[List[str]], Optional[int]]]:
    """What runs these arguments of `agenttrace`; None where Typer must be asked."""
    if args == ["--version"]:
        return lambda _: show_version()
    if not args or args[0] not in COMMANDS:
        return None
    command = load(args[0])
    values = arguments(command, args[1:])
    return None if values is None else lambda _: command(**values)


def show_version() -> None:
    """Writes it to standard output."""
    import sys

    from agenttrace import __version__

    sys.stdout.write(f"agenttrace {__version__}\n")
