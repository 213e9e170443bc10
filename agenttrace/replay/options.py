"""What `agenttrace replay` was asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from agenttrace.replay import json_path


@dataclass(frozen=True)
class ReplayOptions:
    """speed: None is as fast as it goes, 1.0 as recorded. check: 0 same, 123 diverged, 125 not comparable.
    ignore: JSON paths left out of matching. redact: the user's own patterns of secrets; keep_env: variables whose
    values are none. format: "text" or "jsonl", of the report on standard error.
    output: where the replay is recorded as a trace of its own. runs_tools: child processes run for real. is_forking:
    whether it goes on with the real thing where it diverges. from_seq: what was recorded from this event on counts as
    missing."""

    trace: str
    command: tuple[str, ...] = ()
    speed: float | None = None
    max_idle_s: float | None = None
    ignore: tuple[json_path.Path, ...] = ()
    redact: tuple[str, ...] = ()
    keep_env: tuple[str, ...] = ()
    check: bool = False
    format: str = "text"
    output: str | None = None
    quiet: bool = False
    runs_tools: bool = False
    is_forking: bool = False
    from_seq: int | None = None
