"""`agenttrace filter`: passes on the events that meet all conditions, byte for byte."""

from typing import Annotated, Any, List, Optional

import typer

from agenttrace.cli.failure import NEGATIVE, UNUSABLE, WrongUsage
from agenttrace.cli.options import QUIET, command_app

app = command_app()


@app.command("filter", epilog="""Try: agenttrace filter '.kind=="llm_response"' run.jsonl""")
def filter(  # noqa: A001 - the command's name
    positional: Annotated[
        Optional[List[str]],
        typer.Argument(
            metavar="[EXPR] [FILE]...",
            show_default=False,
            help="A jq expression, then traces; with a condition given by an option: traces alone.",
        ),
    ] = None,
    kind: Annotated[
        Optional[List[str]],
        typer.Option(
            "-k", "--kind", metavar="KIND,...", help="Events of these kinds; may be repeated."
        ),
    ] = None,
    span: Annotated[
        Optional[List[str]],
        typer.Option(
            "--span",
            metavar="ID",
            help="Events of this span, and spans right under it; may be repeated.",
        ),
    ] = None,
    trace_id: Annotated[
        Optional[List[str]],
        typer.Option("--trace-id", metavar="ID", help="Events of this trace; may be repeated."),
    ] = None,
    grep: Annotated[
        Optional[str],
        typer.Option(
            "--grep", metavar="REGEX", help="Events whose line matches (Rust's regex syntax)."
        ),
    ] = None,
    since: Annotated[
        Optional[str],
        typer.Option(
            "--since",
            metavar="TIME",
            help="From TIME on: 2026-11-22T06:40:00Z, 2026-11-22, 10m, 2h, 1d.",
        ),
    ] = None,
    until: Annotated[
        Optional[str],
        typer.Option("--until", metavar="TIME", help="Before TIME."),
    ] = None,
    errors: Annotated[
        bool,
        typer.Option("--errors", help="Only errors."),
    ] = False,
    expression: Annotated[
        Optional[str],
        typer.Option("-x", "--expr", metavar="EXPR", help="A jq expression."),
    ] = None,
    invert: Annotated[
        bool,
        typer.Option("-v", "--invert", help="The events that do not match."),
    ] = False,
    need_match: Annotated[
        bool,
        typer.Option("-e", "--exit-status", help="Exit status 1 if none passed."),
    ] = False,
    max_count: Annotated[
        Optional[int],
        typer.Option("-m", "--max-count", min=0, metavar="N", help="Stop after N events."),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Conversations in full, each event sealed anew."),
    ] = False,
    quiet: QUIET = False,
) -> int:
    """Pass on the events that meet all conditions, byte for byte.

    EXPR holds for an event if it yields any value other than false and null.
    """
    conditions = {
        "kinds": _split(kind),
        "span_ids": _split(span),
        "trace_ids": _split(trace_id),
        "since": _moment(since, "--since"),
        "until": _moment(until, "--until"),
        "grep": grep,
        "errors": errors,
    }
    given = {name: value for name, value in conditions.items() if value not in (None, False)}
    expression, files = _expression_and_files(expression, positional or [], bool(given))
    job = _Job(given, expression, invert=invert, full=full, limit=max_count)
    return job.run(files, quiet=quiet, need_match=need_match)


def _split(values: Optional[List[str]]) -> Optional[list[str]]:
    return [part for value in values for part in value.split(",") if part] if values else None


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


class _Job:
    """The way of a batch of lines: expanded, selected, judged by EXPR, counted, passed on."""

    def __init__(
        self,
        given: dict[str, Any],
        expression: Optional[str],
        *,
        invert: bool,
        full: bool,
        limit: Optional[int],
    ) -> None:
        from agenttrace import _backend

        try:
            self._selection = _backend.Selection(**given) if given else None
        except ValueError as error:
            option = "--grep: " if "grep" in given else ""
            raise _wrong(option, error) from None
        self._expression = _compiled(expression) if expression is not None else None
        self._conversations = _backend.Conversations() if full else None
        self._invert = invert
        self._left = limit
        self._passed = 0
        self._broken = 0
        # The scanner selects by itself unless an event must be expanded, or EXPR asked, first.
        self._is_fast = (
            self._selection is not None and not full and (expression is None or not invert)
        )

    def run(self, files: list[str], *, quiet: bool, need_match: bool) -> int:
        from agenttrace.cli.inputs import named
        from agenttrace.cli.intake import Intake
        from agenttrace.cli.terminal import Output

        out = Output()
        intake = Intake(named(files), self._scanner, quiet=quiet)
        for lines in intake.batches() if self._left != 0 else ():
            passing = self._limited(self._passing(lines))
            if passing:
                out.write(passing)
            if self._left == 0:
                break
        return self._status(intake.status, need_match)

    def _scanner(self) -> Any:
        from agenttrace import _backend

        if self._is_fast:
            return _backend.Scanner(
                judge="lines",
                selection=self._selection,
                invert=self._invert and self._expression is None,
            )
        return _backend.Scanner(judge="lines")

    def _passing(self, lines: bytes) -> bytes:
        if self._is_fast and self._expression is None:
            return lines
        each = [line + b"\n" for line in lines.split(b"\n")[:-1]]
        if self._conversations is not None:
            each = [line for line in map(self._expanded, each) if line]
        return b"".join(
            [line for line, held in zip(each, self._held(each)) if held != self._invert]
        )

    def _expanded(self, line: bytes) -> bytes:
        from agenttrace.errors import TraceFormatError

        try:
            return self._conversations.expand(line)  # type: ignore[union-attr]
        except TraceFormatError as error:
            from agenttrace.cli.terminal import say

            self._broken += 1
            if self._broken <= 100:
                say(f"a conversation can't be had in full: {error}")
            return b""

    def _held(self, lines: list[bytes]) -> list[bool]:
        selection = None if self._is_fast else self._selection
        held = [selection is None or selection.matches(line) for line in lines]
        if self._expression is None:
            return held
        asked = [line for line, is_asked in zip(lines, held) if is_asked]
        verdicts = iter(self._expression.verdicts(asked))
        return [is_asked and next(verdicts) for is_asked in held]

    def _limited(self, lines: bytes) -> bytes:
        count = lines.count(b"\n")
        if self._left is not None:
            if count > self._left:
                lines = b"".join([line + b"\n" for line in lines.split(b"\n")[: self._left]])
                count = self._left
            self._left -= count
        self._passed += count
        return lines

    def _status(self, status: int, need_match: bool) -> int:
        from agenttrace.cli.terminal import say

        if need_match and not self._passed:
            status = max(status, NEGATIVE)
        if self._broken:
            status = max(status, NEGATIVE)
        if self._expression is not None:
            self._expression.close()
            if self._expression.failures:
                events = (
                    "1 event"
                    if self._expression.failures == 1
                    else f"{self._expression.failures} events"
                )
                say(f"EXPR failed on {events}: {self._expression.first_failure}")
                status = UNUSABLE
        return status


def _compiled(text: str) -> Any:
    from agenttrace.cli.expression import BadExpression, Expression

    try:
        return Expression(text)
    except BadExpression as error:
        raise _wrong("EXPR: ", error) from None


def _wrong(prefix: str, error: Exception) -> WrongUsage:
    """In jq's or the regex engine's own words, which may point into the text below."""
    first, _, detail = str(error).partition("\n")
    return WrongUsage(prefix + first, detail=detail)
