"""The options that several commands share, spelled once."""

from __future__ import annotations

from enum import Enum
from typing import Any

import typer


class Color(str, Enum):
    """When to colour what a person reads."""

    auto = "auto"
    always = "always"
    never = "never"


FILES: Any = typer.Argument(
    None, metavar="[FILE]...", show_default=False, help="Traces; none or `-` is standard input, `@last` the newest."
)
COLOR: Any = typer.Option(Color.auto, "--color", help="Colour: on a terminal, always, or never.")
QUIET: Any = typer.Option(False, "-q", "--quiet", help="No progress bar, no summary.")


def command_app() -> typer.Typer:
    """An app for one command: plain help, `-h`, no completion options."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
