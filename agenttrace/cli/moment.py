"""Points in time as people write them: RFC 3339, a date, or how long ago."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta, timezone

_AGO = re.compile(r"(\d{1,9})\s*(s|m|h|d|w)(?:\s+ago)?\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_STAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?"
    r"(?:([Zz])|([+-])(\d\d):?(\d\d))?\Z"
)


def parse_moment(text: str) -> str:
    """`2026-11-22T06:40:00Z`, `2026-11-22`, `2h` (ago) -> the 30 bytes of `ts`. ValueError.

    Without a zone it is UTC.
    """
    ago = _AGO.match(text)
    if ago:
        return _format(int(time.time()) - int(ago[1]) * _SECONDS[ago[2]], "")
    stamp = _STAMP.match(text)
    if stamp is None:
        raise ValueError(f"{text!r} is no time; write 2026-11-22T06:40:00Z, 2026-11-22 or 2h (ago)")
    year, month, day, hour, minute, second = (
        int(part or 0) for part in stamp.group(1, 2, 3, 4, 5, 6)
    )
    offset = timedelta()
    if stamp[9]:
        offset = timedelta(hours=int(stamp[10]), minutes=int(stamp[11])) * (
            -1 if stamp[9] == "-" else 1
        )
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc) - offset
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is no time: {error}") from None
    return _format(int(moment.timestamp()), stamp[7] or "")


def _format(seconds: int, fraction: str) -> str:
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:0<9}Z"
