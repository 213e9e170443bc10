"""The exit statuses, and the exceptions by which a command says how it ends."""

from __future__ import annotations

FINE = 0
NEGATIVE = 1  # damage was found, or with -e nothing matched
UNUSABLE = 2  # wrong usage, or an input that can't be read
OURS = 125  # AgentTrace failed before CMD had started
INTERRUPTED = 130


class Failure(Exception):
    """Ends the command with `message` on standard error and `status`.

    detail: more lines, in another program's own words.
    """

    def __init__(self, message: str, status: int = UNUSABLE, detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail


class WrongUsage(Failure):
    """The command was called wrongly; behind the message stands where help is."""
