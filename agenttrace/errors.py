"""The tree of everything that AgentTrace raises of its own.

    AgentTraceError
    ├── TracerClosedError           an event for a tracer that is closed
    ├── TraceFormatError            a line or a trace is not what FORMAT.md says
    │   ├── ChecksumError           a seal does not fit its bytes
    │   ├── TruncatedTraceError     the trace was cut off: a torn line, no trace_end
    │   └── UnsupportedVersionError a line of a later format version
    └── ReplayError                 a trace can't be replayed
        └── Divergence              the agent asked for something that was not recorded

What the operating system raises (FileNotFoundError, PermissionError, …) stays what it is.
The native module imports these; they are defined here alone.
"""

from __future__ import annotations


class AgentTraceError(Exception):
    """Base of every error of this package."""


class TracerClosedError(AgentTraceError, ValueError):
    """An event for a Tracer that is closed; a ValueError too, as of a closed file."""


class TraceFormatError(AgentTraceError):
    """A line or a trace breaks the format. `finding` says where, if it was found in a file."""

    finding: object | None = None


class ChecksumError(TraceFormatError):
    """A seal does not fit the bytes that it seals."""


class TruncatedTraceError(TraceFormatError):
    """The trace ends early: its last line is torn, or it has no trace_end."""


class UnsupportedVersionError(TraceFormatError):
    """A line whose seal fits, of a format version later than this release reads."""


class ReplayError(AgentTraceError):
    """A trace can't be used for a replay."""


class Divergence(ReplayError):
    """A replayed program asked for what was not recorded; `report` holds the comparison."""

    report: dict[str, object] | None = None
