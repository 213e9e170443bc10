"""The command line. `main` is what the command `agenttrace` runs; the app stands in app.py."""

from __future__ import annotations

import gc
from typing import NoReturn


def main() -> NoReturn:
    """Runs the command that `sys.argv` names, and ends the process."""
    # Start-up makes objects that all live on: looking for garbage among them takes a tenth of it.
    gc.disable()
    from agenttrace.cli.app import start

    gc.freeze()
    gc.enable()
    start()
