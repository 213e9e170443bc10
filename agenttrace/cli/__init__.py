"""The command line. `main` is what the command `agenttrace` runs."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn, Optional


def main() -> NoReturn:
    """Runs the command that `sys.argv` names, and ends the process."""
    # Start-up makes objects that all live on: looking for garbage among them takes a tenth of it.
    gc.disable()
    from agenttrace.cli import exit as exits
    from agenttrace.cli.declaring import COMMANDS
    from agenttrace.cli.failure import OURS, UNUSABLE

    args = sys.argv[1:]
    command = args[0] if args and args[0] in COMMANDS else ""
    is_cmds = command == "record" or (command == "replay" and "--" in args)
    exits.end(lambda: _run(args), command, ours=OURS if is_cmds else UNUSABLE)


def _run(args: list[str]) -> Optional[int]:
    from agenttrace.cli import quick

    run = quick.start(args)
    if run is None:
        from agenttrace.cli import app

        run = app.run
    gc.freeze()
    gc.enable()
    return run(args)
