"""`agenttrace filter`: passes on the events that meet all conditions, byte for byte."""

from typing import Annotated, List, Optional

from agenttrace.cli.declaring import Argument, Option, command
from agenttrace.cli.failure import WrongUsage
from agenttrace.cli.options import QUIET


@command(epilog="""Try: agenttrace filter '.kind=="llm_response"' run.jsonl""")
def filter(  # noqa: A001 - the command's name
    positional: Annotated[
        Optional[List[str]],
        Argument(
            metavar="[EXPR] [FILE]...",
            show_default=False,
            help="A jq expression, then traces; with a condition given by an option: traces alone.",
        ),
    ] = None,
    kind: Annotated[
        Optional[List[str]],
        Option("-k", "--kind", metavar="KIND,...", help="Events of these kinds; may be repeated."),
    ] = None,
    span: Annotated[
        Optional[List[str]],
        Option(
            "--span",
            metavar="ID",
            help="Events of this span, and spans right under it; may be repeated.",
        ),
    ] = None,
    trace_id: Annotated[
        Optional[List[str]],
        Option("--trace-id", metavar="ID", help="Events of this trace; may be repeated."),
    ] = None,
    grep: Annotated[
        Optional[str],
        Option(
            "--grep",
            metavar="REGEX",
            instead="A|B matches either; a filter behind this one, both",
            help="Events whose line matches (Rust's regex syntax).",
        ),
    ] = None,
    since: Annotated[
        Optional[str],
        Option(
            "--since",
            metavar="TIME",
            help="From TIME on: 2026-11-22T06:40:00Z, 2026-11-22, 10m, 2h, 1d.",
        ),
    ] = None,
    until: Annotated[
        Optional[str],
        Option("--until", metavar="TIME", help="Before TIME."),
    ] = None,
    errors: Annotated[
        bool,
        Option("--errors", help="Only errors."),
    ] = False,
    expression: Annotated[
        Optional[str],
        Option(
            "-x",
            "--expr",
            metavar="EXPR",
            instead="join expressions with `and`",
            help="A jq expression.",
        ),
    ] = None,
    invert: Annotated[
        bool,
        Option("-v", "--invert", help="The events that do not match."),
    ] = False,
    need_match: Annotated[
        bool,
        Option("-e", "--exit-status", help="Exit status 1 if none passed."),
    ] = False,
    max_count: Annotated[
        Optional[int],
        Option("-m", "--max-count", min=0, metavar="N", help="Stop after N events."),
    ] = None,
    full: Annotated[
        bool,
        Option("--full", help="Conversations in full, each event sealed anew."),
    ] = False,
    quiet: QUIET = False,
) -> int:
    """Pass on the events that meet all conditions, byte for byte.

    EXPR holds for an event if it yields any value other than false and null.
    """
    conditions = {
        "kinds": _split(kind),
        "span_ids": _ids(span, "--span", 16),
        "trace_ids": _ids(trace_id, "--trace-id", 32),
        "since": _moment(since, "--since"),
        "until": _moment(until, "--until"),
        "grep": grep,
        "errors": errors,
    }
    given = {name: value for name, value in conditions.items() if value not in (None, False)}
    expression, files = _expression_and_files(expression, positional or [], bool(given))
    from agenttrace.cli.filtering import Job

    job = Job(given, expression, invert=invert, full=full, limit=max_count)
    return job.run(files, quiet=quiet, need_match=need_match)


def _split(values: Optional[List[str]]) -> Optional[list[str]]:
    return [part for value in values for part in value.split(",") if part] if values else None


def _ids(values: Optional[List[str]], option: str, digits: int) -> Optional[list[str]]:
    ids = _split(values)
    for one in ids or ():
        if len(one) != digits or one.strip("0123456789abcdef"):
            raise WrongUsage(f"{option}: {one!r} is no id: {digits} lower-case hex digits")
    return ids


def _moment(text: Optional[str], option: str) -> Optional[str]:
    if text is None:
        return None
    from agenttrace.cli.moment import parse_moment

    try:
        return parse_moment(text)
    except ValueError as error:
        raise WrongUsage(f"{option}: {error}") from None


def _expression_and_files(
    expression: Optional[str], positional: list[str], has_condition: bool
) -> tuple[Optional[str], list[str]]:
    """As with grep: once a condition is given by an option, every positional is a FILE."""
    if expression is not None or has_condition:
        return expression, positional
    if not positional:
        raise WrongUsage("give a condition: an EXPR, or an option such as --kind")
    return positional[0], positional[1:]
