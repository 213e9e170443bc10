"""One event and one finding, as values: what a line holds, and what was found wrong with one."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from agenttrace import _backend
from agenttrace.errors import TraceFormatError

try:
    import orjson as _orjson
except (
    ImportError
):  # a tracer may live where orjson has no wheel; the standard library reads the same
    _orjson = None  # type: ignore[assignment]

# orjson reads integers above 64 bits as floats; the format keeps all digits, so such texts take the slower way.
# (Looked for so, ten times as fast as by an expression.)
_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_INTEGER = b"0" * 19


def parse_json(text: bytes) -> Any:
    """JSON text to Python values, integers with all their digits. ValueError if it isn't JSON."""
    if _orjson is None or _LONG_INTEGER in text.translate(_AS_ZEROS):
        return json.loads(text)
    return _orjson.loads(text)


class DataError(TraceFormatError, ValueError):
    """`data` is not JSON, though its seal fits: a seal says that bytes are as they were written."""


class Event:
    """What one line holds. Made from the line's bytes; nothing is parsed before it is asked for.

    `raw` is the line with its LF, as it stood in the file. `data` is parsed anew at each first access and
    then kept; changing it changes nothing in the trace.
    """

    __slots__ = ("raw", "_frame", "_data")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._frame: tuple[Any, ...] | None = None
        self._data: dict[str, Any] | None = None

    def _opened(self) -> tuple[Any, ...]:
        if self._frame is None:
            self._frame = _backend.open_line(self.raw)
        return self._frame

    @property
    def v(self) -> int:
        """The format version."""
        return self._opened()[0]  # type: ignore[no-any-return]

    @property
    def trace_id(self) -> str:
        """The trace, 32 hex digits."""
        return self._opened()[1]  # type: ignore[no-any-return]

    @property
    def ts(self) -> str:
        """When it happened: RFC 3339, UTC, nanoseconds."""
        return self._opened()[2]  # type: ignore[no-any-return]

    @property
    def ts_ns(self) -> int:
        """When it happened, in nanoseconds since 1970 UTC."""
        return parse_ts(self.ts)

    @property
    def seq(self) -> int:
        """The position in its trace, from 0."""
        return self._opened()[3]  # type: ignore[no-any-return]

    @property
    def kind(self) -> str:
        """What happened, see FORMAT.md."""
        return self._opened()[4]  # type: ignore[no-any-return]

    @property
    def span_id(self) -> str | None:
        """The piece of work it belongs to, 16 hex digits."""
        return self._opened()[5]  # type: ignore[no-any-return]

    @property
    def parent_span_id(self) -> str | None:
        """What that piece of work is part of."""
        return self._opened()[6]  # type: ignore[no-any-return]

    @property
    def crc32c(self) -> str | None:
        """The seal, 8 hex digits; None if the line is unsealed."""
        return self._opened()[9]  # type: ignore[no-any-return]

    @property
    def data_json(self) -> bytes:
        """`data` as it stands in the line."""
        frame = self._opened()
        return self.raw[frame[7] : frame[8]]

    @property
    def data(self) -> dict[str, Any]:
        """The facts of this kind of event. TraceFormatError (and a ValueError) if they are no JSON."""
        if self._data is None:
            try:
                self._data = parse_json(self.data_json)
            except (ValueError, RecursionError) as error:
                raise DataError(f"seq {self.seq}: the data is not JSON: {error}") from None
        return self._data

    @property
    def is_error(self) -> bool:
        """Whether it counts as an error, as FORMAT.md defines it."""
        return _ERRORS.matches(self.raw)

    def __repr__(self) -> str:
        return f"Event(seq={self.seq}, kind={self.kind!r}, span_id={self.span_id!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)


_ERRORS = _backend.Selection(errors=True)


class Finding(NamedTuple):
    """Damage, or something missing, in a trace: what, where, expected and got. Kinds: see FORMAT.md.

    `line` counts from 1; `offset` is in bytes from the start of the (unpacked) stream.
    """

    kind: str
    trace_id: str | None
    seq: int | None
    line: int | None
    offset: int | None
    expected: str | None
    got: str | None
    message: str

    def to_dict(self) -> dict[str, Any]:
        """As `agenttrace verify` writes it."""
        return self._asdict()


def parse_ts(ts: str) -> int:
    """`2026-11-22T06:40:00.123456789Z` to nanoseconds since 1970 UTC."""
    import calendar
    import time

    seconds = calendar.timegm(time.strptime(ts[:19], "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1_000_000_000 + int(ts[20:29])
