"""A replay that goes on with the real thing from where it diverges, and so becomes a run of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from agenttrace.replay.recorded import RecordedRun
from agenttrace.replay.retold import Retold
from agenttrace.telling import tell
from agenttrace.text_cleaning import clean_line


class Fork:
    """Of one replay. Not thread-safe: `Desk` has the lock.

    seq: the first event of the recorded run that is not part of this one; None until it goes live. calls: how many
    requests went to the real thing. hosts: which it was, in their order. runs: how many child processes ran for real.
    """

    def __init__(self, run: RecordedRun, retold: Retold, from_seq: int | None = None) -> None:
        """from_seq: where the run was cut to fork there on purpose."""
        self._last_seq = run.last_seq if from_seq is None else from_seq
        self.retold = retold
        self.seq: int | None = None
        self.calls = 0
        self.runs = 0
        self.hosts: list[str] = []
        self._programs: set[str] = set()
        self._has_said = False

    @property
    def is_live(self) -> bool:
        """Whether it has gone live."""
        return self.seq is not None

    def begin(self, missing: Iterable[int]) -> None:
        """A request or process was not recorded. missing: the numbers of what was recorded and did not come yet."""
        self.seq = min(missing, default=self._last_seq)
        self.retold.fork(self.seq)

    def call(self, url: str) -> None:
        """This is about to be asked of the real thing: says so where it is the first time for that host."""
        self.calls += 1
        host = _host(url)
        if host not in self.hosts:
            self.hosts.append(host)
            self._say(f"will call {host}")

    def run(self, program: str) -> None:
        """This program is about to be run for real."""
        self.runs += 1
        if program not in self._programs:
            self._programs.add(program)
            self._say(f"will run {program}")

    def _say(self, what: str) -> None:
        begins = "" if self._has_said else f"goes live at event {self.seq}: "
        self._has_said = True
        tell(clean_line(f"agenttrace: replay {begins}{what}"))

    def to_dict(self) -> dict[str, Any]:
        """For `--format jsonl`."""
        trace = self.retold.path
        return {
            "seq": self.seq,
            "calls": self.calls,
            "runs": self.runs,
            "hosts": self.hosts,
            "trace": trace,
        }


def _host(url: str) -> str:
    """Host and port; never the user and password that a URL may have."""
    try:
        host = urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    return host or "an address that is no URL"
