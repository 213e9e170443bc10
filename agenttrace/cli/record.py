"""`agenttrace record`: runs CMD and records what it does."""

from __future__ import annotations

from typing import List, Optional

import typer

from agenttrace.cli.failure import WrongUsage
from agenttrace.cli.options import command_app

app = command_app()


@app.command(
    "record",
    context_settings={"allow_interspersed_args": False},
    epilog="Try: agenttrace record -o run.jsonl -- python agent.py",
)
def record(
    command: Optional[List[str]] = typer.Argument(
        None, metavar="-- CMD [ARG]...", show_default=False, help="The command, with its own options."
    ),
    output: Optional[str] = typer.Option(
        None,
        "-o",
        "--output",
        metavar="FILE",
        help="Write here; `-` is standard output; left out: a new file in the trace folder.",
    ),
    append: bool = typer.Option(False, "--append", help="Add a new trace behind what is in FILE."),
    force: bool = typer.Option(False, "--force", help="Replace FILE."),
    name: Optional[str] = typer.Option(None, "--name", help="What to call the run."),
    no_stdio: bool = typer.Option(False, "--no-stdio", help="CMD keeps its own descriptors."),
    no_http: bool = typer.Option(False, "--no-http", help="Do not record HTTP."),
    no_redact: bool = typer.Option(False, "--no-redact", help="Write secrets as they are."),
    env: Optional[List[str]] = typer.Option(
        None, "--env", metavar="NAME", help="Keep this variable's value in the trace; may be repeated."
    ),
    quiet: bool = typer.Option(False, "-q", "--quiet", help="No summary at the end."),
) -> int:
    """Run CMD and record what it does.

    Ends as CMD ended: with its status, or by the same signal.
    """
    if not command:
        raise WrongUsage("give a command to record: agenttrace record -- CMD [ARG]...")
    if append and force:
        raise WrongUsage("--append and --force exclude each other")
    from agenttrace.recorder.options import RecordOptions
    from agenttrace.recorder.supervisor import record as run

    options = RecordOptions(
        command=tuple(command),
        output=output,
        if_exists="append" if append else "replace" if force else "refuse",
        name=name,
        stdio=not no_stdio,
        http=not no_http,
        redaction=not no_redact,
        keep_env=tuple(env or ()),
        quiet=quiet,
    )
    return run(options)
