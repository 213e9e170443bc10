"""`agenttrace tui`: browses traces in the terminal."""

from typing import Annotated, List, Optional

from agenttrace.cli.declaring import Argument, command


@command(epilog="Try: agenttrace tui @last")
def tui(
    files: Annotated[
        Optional[List[str]],
        Argument(
            metavar="[FILE|DIR|-]...",
            show_default=False,
            help="Traces or folders; none is the trace folder, `@last` the newest trace.",
        ),
    ] = None,
) -> int:
    """Browse traces in the terminal."""
    from agenttrace.trace_folder import resolve
    from agenttrace.tui.app import run

    return run([resolve(name) for name in files or []])
