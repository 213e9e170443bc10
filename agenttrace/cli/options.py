"""The options that several commands share, spelled once."""

from enum import Enum
from typing import Annotated, List, Optional, Tuple

from agenttrace.cli.declaring import Argument, Option
from agenttrace.cli.failure import WrongUsage


class Color(str, Enum):
    """When to colour what a person reads."""

    auto = "auto"
    always = "always"
    never = "never"


FILES = Annotated[
    Optional[List[str]],
    Argument(
        metavar="[FILE]...",
        show_default=False,
        help="Traces; none or `-` is standard input, `@last` the newest.",
    ),
]
COLOR = Annotated[Color, Option("--color", help="Colour: on a terminal, always, or never.")]
QUIET = Annotated[bool, Option("-q", "--quiet", help="No progress bar, no summary.")]


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
