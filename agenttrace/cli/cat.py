"""`agenttrace cat`: reads traces and writes them as one: joined, followed, converted, resealed."""

import os
from enum import Enum
from typing import Annotated, Any, List, Optional, Tuple

from agenttrace.cli.declaring import Option, command
from agenttrace.cli.failure import NEGATIVE, WrongUsage
from agenttrace.cli.options import COLOR, FILES, QUIET, Color, redaction_patterns


class _Source(str, Enum):
    jsonl = "jsonl"


class _Target(str, Enum):
    jsonl = "jsonl"
    text = "text"
    runs = "runs"


@command(epilog="Try: agenttrace cat --to text @last", optional_value="--redact")
def cat(
    files: FILES = None,
    source: Annotated[
        Optional[_Source],
        Option("--from", help="Format of the input; guessed if left out."),
    ] = None,
    target: Annotated[
        _Target,
        Option("--to", help="jsonl: the events. text: for a person. runs: one JSON line a trace."),
    ] = _Target.jsonl,
    stable: Annotated[
        bool,
        Option("--stable", help="With --to text: no ids and times, for diff."),
    ] = False,
    output: Annotated[
        Optional[str],
        Option(
            "-o", "--output", metavar="FILE", help="Write to a new FILE instead of standard output."
        ),
    ] = None,
    follow: Annotated[
        bool,
        Option("-f", "--follow", help="Wait for more until each trace has ended."),
    ] = False,
    follow_name: Annotated[
        bool,
        Option("-F", "--follow-name", help="As -f, and open a file again that was rotated."),
    ] = False,
    full: Annotated[
        bool,
        Option(
            "--full", help="Conversations in full, sealed anew; with --to text: nothing shortened."
        ),
    ] = False,
    no_crc: Annotated[
        bool,
        Option("--no-crc", help="Write lines without seals."),
    ] = False,
    seal: Annotated[
        bool,
        Option("--seal", help="Make a new trace of edited lines (an edit drops the seal)."),
    ] = False,
    salvage: Annotated[
        bool,
        Option(
            "--salvage",
            help="Save what is whole inside damaged lines, into a new trace; report the loss.",
        ),
    ] = False,
    redact: Annotated[
        Optional[List[str]],
        Option(
            "--redact",
            metavar="[REGEX]",
            help="Take secrets out, as `record` does, in pieces of streams too: a new trace, to be"
            " shared. `--redact=REGEX`: also what matches, in any string; may be repeated.",
        ),
    ] = None,
    color: COLOR = Color.auto,
    quiet: QUIET = False,
) -> int:
    """Read traces and write them as one.

    Intact events pass byte for byte; damaged lines are left out and reported, with exit status 1.
    It never changes its input.
    """
    if stable and target is not _Target.text:
        raise WrongUsage("--stable goes with --to text")
    if no_crc and target is not _Target.jsonl:
        raise WrongUsage("--no-crc goes with --to jsonl")
    job = _Job(target.value, salvage, quiet)
    if redact is not None:
        job.redact(redaction_patterns([pattern for pattern in redact if pattern]))
    job.add_stages(
        full=full, seal=seal, no_crc=no_crc, stable=stable, color=color.value, output=output
    )
    return job.run(files or [], output, follow=follow or follow_name, reopen=follow_name)


class _Job:
    """The stages that lines pass from inputs to output, each fed and finished like the others."""

    def __init__(self, target: str, salvage: bool, quiet: bool) -> None:
        self._target = target
        self._salvage = salvage
        self._quiet = quiet
        self._scanners: list[Any] = []
        self._stages: list[Any] = []
        self._left_out = 0
        self._cleaner: Any = None

    def redact(self, patterns: Tuple[str, ...]) -> None:
        """Secrets are taken out, first of all."""
        from agenttrace.redacting.events import EventCleaner
        from agenttrace.redacting.lines import StreamRedaction
        from agenttrace.redaction import Redactor

        self._cleaner = EventCleaner(Redactor(os.environ, patterns=patterns))
        self._stages.append(StreamRedaction(self._cleaner))

    def add_stages(
        self,
        *,
        full: bool,
        seal: bool,
        no_crc: bool,
        stable: bool,
        color: str,
        output: Optional[str],
    ) -> None:
        writes_full = full and self._target == "jsonl"
        if seal or self._salvage or self._cleaner or writes_full:
            from agenttrace.reseal import Resealer

            resealer = Resealer(
                full=writes_full,
                was_edited=seal,
                cleaner=self._cleaner,
                on_error=self._tell_left_out,
            )
            self._stages.append(resealer)
        if no_crc:
            self._stages.append(_Unsealer())
        if self._target == "text":
            self._stages.append(_text_view(stable, full, color, output))
        elif self._target == "runs":
            from agenttrace.convert.runs import RunsView

            self._stages.append(RunsView())

    def run(self, files: list[str], output: Optional[str], *, follow: bool, reopen: bool) -> int:
        from agenttrace.cli.inputs import named
        from agenttrace.cli.intake import Intake
        from agenttrace.cli.terminal import Output

        names = named(files)
        out = Output(output, holds_json=self._target != "text")
        straight = None if self._stages else out
        intake = Intake(names, self._scanner, quiet=self._quiet, output=straight)
        for lines in intake.followed(reopen=reopen) if follow else intake.batches():
            self._pass_on(lines, self._stages, out)
        for place, stage in enumerate(self._stages):
            self._pass_on(stage.finish(), self._stages[place + 1 :], out)
        out.close()
        if self._salvage:
            for scanner in self._scanners:
                scanner.loss.tell()
        if self._cleaner is not None and not self._quiet:
            _tell_redacted(self._cleaner.total)
        self._tell_built_on_lost()
        return max(intake.status, NEGATIVE if self._left_out else 0)

    def _scanner(self) -> Any:
        if self._salvage:
            from agenttrace.cli.salvage import SalvagingScanner

            self._scanners.append(SalvagingScanner())
            return self._scanners[-1]
        from agenttrace import _backend

        return _backend.Scanner(judge="lines")

    @staticmethod
    def _pass_on(lines: bytes, stages: list[Any], out: Any) -> None:
        if not stages:
            if lines:
                out.write(lines)
            return
        first, others = stages[0], stages[1:]
        # One megabyte after another where lines grow: memory is bounded by the longest of them.
        pieces = first.pieces(lines) if hasattr(first, "pieces") else [first.feed(lines)]
        for piece in pieces:
            _Job._pass_on(piece, others, out)

    def _tell_left_out(self, trace_id: str, seq: int, message: str) -> None:
        from agenttrace.cli.terminal import say

        self._left_out += 1
        if self._left_out <= 100:
            say(f"trace {trace_id}, seq {seq}: {message}")
        elif self._left_out == 101:
            say("… and more events were left out")

    def _tell_built_on_lost(self) -> None:
        from agenttrace.cli.terminal import say

        count = sum(getattr(stage, "built_on_lost", 0) for stage in self._stages)
        if count:
            events = "event that goes" if count == 1 else "events that go"
            say(f"{count} more {events} on with what was left out")


def _tell_redacted(count: int) -> None:
    from agenttrace.cli.terminal import say

    said = "no secret was found" if not count else f"{count} secret{'s' * (count != 1)} redacted"
    say(f"{said}; redaction has holes: look before you share")


class _Unsealer:
    def feed(self, lines: bytes) -> bytes:
        from agenttrace.reseal import without_seals

        return without_seals(lines)

    def finish(self) -> bytes:
        return b""


def _text_view(stable: bool, full: bool, color: str, output: Optional[str]) -> Any:
    from agenttrace.cli.terminal import Paint
    from agenttrace.convert.text import TextView

    paint = Paint(color if output in (None, "-") or color == "always" else "never")
    return TextView(stable=stable, full=full, paint=paint)
