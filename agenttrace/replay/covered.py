"""What a replay reaches: it gives the command a network of its own; Pythons without hooks, and programs that have the
system's network, it tells of.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from agenttrace import encoding
from agenttrace.command import own_network, process
from agenttrace.command.descendants import DescendantWatch
from agenttrace.event import parse_json
from agenttrace.redaction import NoRedactor, Redactor
from agenttrace.replay.options import ReplayOptions
from agenttrace.replay.stillness import Watch

_MOST = 100


class Covered:
    """Of one run."""

    def __init__(self, options: ReplayOptions) -> None:
        """From here on this process has no way out, if the system allows that; so before it has threads."""
        # What runs for real, now or once it has gone live, has the real network.
        is_real = options.is_forking or options.runs_tools
        self.has_own_network = not is_real and own_network.enter()
        self._command = options.command
        self._may_go_live = options.is_forking  # which is to say that things connect
        self._is_python = False
        self._unreached: dict[int, tuple[list[str], str]] = {}
        self._descendants: DescendantWatch | None = None

    def start(self, pid: int, environment: Mapping[str, str], watch: Watch) -> None:
        """The command runs as this process, in this environment."""
        # Its hooks refuse to connect; the children that it starts are stood in for.
        self._is_python = process.start_of(self._command, environment).is_python
        socket_path = environment["AGENTTRACE_SOCKET"]
        self._descendants = DescendantWatch(socket_path, self._seen, watch.leave_out)
        self._descendants.start(pid)

    def stop(self) -> None:
        """It has ended."""
        if self._descendants is not None:
            self._descendants.stop()

    def _seen(self, head: dict[str, Any]) -> None:
        """A Python that may be without hooks; one that can be seen to keep them out is."""
        if head["why"] is not None and len(self._unreached) < _MOST:
            self._unreached[head["pid"]] = (head["argv"], head["why"])

    def unreached(self, redactor: Redactor | NoRedactor) -> list[str]:
        """The Pythons without hooks: each command line, without secrets, with the reason."""
        told = []
        for argv, why in self._unreached.values():
            # As it is recorded: an option's secret may stand in the next word.
            cleaned = parse_json(redactor.clean(encoding.encode({"argv": argv})))["argv"]
            told.append(f"{shlex.join(cleaned)}: {why}")
        return told

    @property
    def is_open(self) -> bool:
        """Whether something may have connected to the world."""
        if self.has_own_network or self._may_go_live:
            return False
        return bool(self._unreached) or not self._is_python
