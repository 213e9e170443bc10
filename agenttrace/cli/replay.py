"""`agenttrace replay`: runs CMD again with recorded I/O, or plays events at their recorded pace."""

from enum import Enum
from typing import Annotated, Any, Dict, List, Optional

from agenttrace.cli.declaring import Argument, Option, Positionals, command
from agenttrace.cli.failure import WrongUsage
from agenttrace.cli.inputs import named
from agenttrace.cli.options import redaction_patterns
from agenttrace.cli.terminal import Output


class _Format(str, Enum):
    text = "text"
    jsonl = "jsonl"


class _OnMiss(str, Enum):
    fail = "fail"
    live = "live"


@command(
    positionals=Positionals.BEHIND_DASHES,
    epilog="Try: agenttrace replay run.jsonl -- python agent.py",
)
def replay(
    trace: Annotated[
        str,
        Argument(metavar="TRACE", help="A trace; `-` is standard input, `@last` the newest."),
    ],
    command: Annotated[
        Optional[List[str]],
        Argument(
            metavar="[-- CMD [ARG]...]",
            show_default=False,
            help="The command, with its own options.",
        ),
    ] = None,
    check: Annotated[
        bool,
        Option(
            "--check", help="Exit 0 if CMD did the same, 123 if it diverged, 125 if not comparable."
        ),
    ] = False,
    speed: Annotated[
        Optional[float],
        Option("--speed", min=0.0, help="1 is as recorded; left out with CMD: as fast as it goes."),
    ] = None,
    max_idle: Annotated[
        Optional[float],
        Option(
            "--max-idle", min=0.0, metavar="SECONDS", help="Without CMD: wait no longer than this."
        ),
    ] = None,
    ignore: Annotated[
        Optional[List[str]],
        Option("--ignore", metavar="JSONPATH", help="Leave this out of matching; may be repeated."),
    ] = None,
    redact: Annotated[
        Optional[List[str]],
        Option(
            "--redact",
            metavar="REGEX",
            help="As given to record: what matches is a secret, when it is asked and in FILE; may be repeated.",
        ),
    ] = None,
    env: Annotated[
        Optional[List[str]],
        Option(
            "--env",
            metavar="NAME",
            help="As given to record: this variable is no secret; may be repeated.",
        ),
    ] = None,
    run_tools: Annotated[
        bool,
        Option("--run-tools", help="Let CMD's child processes run for real, on the real network."),
    ] = False,
    output: Annotated[
        Optional[str],
        Option("-o", "--output", metavar="FILE", help="Record the replay as a trace of its own."),
    ] = None,
    on_miss: Annotated[
        Optional[_OnMiss],
        Option(
            "--on-miss",
            help="What follows a request that was not recorded: `fail` (left out) ends CMD; `live` goes on with the"
            " real thing, and records that as a fork of the run, in FILE of -o or the trace folder.",
        ),
    ] = None,
    from_seq: Annotated[
        Optional[int],
        Option(
            "--from",
            min=0,
            metavar="SEQ",
            help="Go live from this event on: requests recorded in it or later count as missing.",
        ),
    ] = None,
    report: Annotated[
        _Format,
        Option("--format", help="Of the report on standard error."),
    ] = _Format.text,
    quiet: Annotated[
        bool,
        Option("-q", "--quiet", help="No report."),
    ] = False,
) -> int:
    """Run CMD again with recorded I/O; without CMD, play events."""
    from agenttrace.replay.options import ReplayOptions
    from agenttrace.trace_folder import resolve

    wanted = {
        "--check": check,
        "-o": output is not None,
        "--redact": bool(redact),
        "--env": bool(env),
        "--run-tools": run_tools,
        "--on-miss": on_miss is not None,
        "--from": from_seq is not None,
    }
    _fitting(wanted, command, output)
    is_forking = on_miss is _OnMiss.live or from_seq is not None
    if is_forking and on_miss is _OnMiss.fail:
        raise WrongUsage("--from goes live there, which --on-miss fail forbids")
    if is_forking and check:
        raise WrongUsage(
            "--check asks whether CMD does the same; a run that may go live is another"
        )
    if max_idle is not None and command:
        raise WrongUsage("--max-idle goes without a command")
    for option, value in (("--speed", speed), ("--max-idle", max_idle)):
        if value is not None and not 0 < value < float("inf"):
            raise WrongUsage(f"{option} is a number above 0")
    named([trace])
    options = ReplayOptions(
        trace=resolve(trace),
        command=tuple(command or ()),
        speed=speed,
        max_idle_s=max_idle,
        ignore=tuple(map(_path, ignore or ())),
        redact=redaction_patterns(redact),
        keep_env=tuple(env or ()),
        check=check,
        format=report.value,
        output=output,
        quiet=quiet,
        runs_tools=run_tools,
        is_forking=is_forking,
        from_seq=from_seq,
    )
    if command:
        from agenttrace.replay.supervisor import replay as run

        return run(options)
    from agenttrace.replay.pace import play

    return play(options, Output().write)


def _fitting(wanted: Dict[str, bool], command: Optional[List[str]], output: Optional[str]) -> None:
    """WrongUsage for an option that was given, and says something of a CMD that was not; for `-o -`."""
    for option, is_given in wanted.items():
        if is_given and not command:
            raise WrongUsage(f"{option} needs a command: agenttrace replay TRACE -- CMD")
    if output == "-":
        raise WrongUsage("-o names a file: standard output is CMD's")


def _path(text: str) -> Any:
    from agenttrace.replay import json_path

    try:
        return json_path.parse(text)
    except ValueError as error:
        raise WrongUsage(f"--ignore: {error}") from None
