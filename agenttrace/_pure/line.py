"""Seals and opens one line; pure, on bytes. Knows the frame, and nothing of other lines."""

from __future__ import annotations

import re
import time
from typing import NamedTuple, Optional

from agenttrace._pure import words
from agenttrace._pure.checksum import as_bytes, crc32c
from agenttrace._pure.jsontext import MAX_DEPTH, check_json, members
from agenttrace.errors import ChecksumError, TraceFormatError, UnsupportedVersionError

FORMAT_VERSION = 1
MAX_LINE_BYTES = 64 * 1024 * 1024
MAX_INTEGER = 2**53
SEAL_BYTES = 21

OpenedLine = tuple[int, str, str, int, str, Optional[str], Optional[str], int, int, Optional[str]]

_SEAL = re.compile(rb',"crc32c":"([0-9a-f]{8})"\}')
_TS = (
    rb"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3])"
    rb":[0-5][0-9]:(?:[0-5][0-9]|60)\.[0-9]{9}Z"
)
_MEMBERS: tuple[tuple[bytes, bytes, bool], ...] = (
    (b"v", rb"([1-9][0-9]*)", True),
    (b"trace_id", rb'"([0-9a-f]{32})"', True),
    (b"ts", rb'"(' + _TS + rb')"', True),
    (b"seq", rb"(0|[1-9][0-9]*)", True),
    (b"kind", rb'"([a-z][a-z0-9_]*)"', True),
    (b"span_id", rb'"([0-9a-f]{16})"', False),
    (b"parent_span_id", rb'"([0-9a-f]{16})"', False),
)


def _frame(space: bytes) -> re.Pattern[bytes]:
    """The members before `data`, with `space` allowed between the tokens."""
    parts = [space, rb"\{", space]
    for name, value, needed in _MEMBERS:
        member = b'"' + name + b'"' + space + b":" + space + value + space + b"," + space
        parts.append(member if needed else b"(?:" + member + b")?")
    parts.append(b'"data"' + space + b":" + space + rb"(?=\{)")
    return re.compile(b"".join(parts))


_SEALED_FRAME = _frame(b"")
_UNSEALED_FRAME = _frame(rb"[ \t]*")
_UNSEALED_END = re.compile(rb"\}[ \t]*\}[ \t]*\Z")
_MAX_DIGITS = 16
_INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]*)\Z")
_HEX_STRING = re.compile(rb'"[0-9a-f]{8}"\Z')
_BARRED = ((b"\0", words.NUL), (b"\r", words.CR), (b"\n", words.LF))


class Line(NamedTuple):
    """A line's members, and where its `data` stands."""

    v: int
    trace_id: str
    ts: str
    seq: int
    kind: str
    span_id: Optional[str]
    parent_span_id: Optional[str]
    data_start: int
    data_end: int
    stored_crc: Optional[str]


class Malformed(Exception):
    """Not a line of the format; the message says why."""


def _number(digits: bytes, why: str) -> int:
    if len(digits) > _MAX_DIGITS or int(digits) >= MAX_INTEGER:
        raise Malformed(why)
    return int(digits)


def _span(digits: Optional[bytes]) -> Optional[str]:
    if digits is None:
        return None
    if not digits.strip(b"0"):
        raise Malformed(words.SPAN_ID)
    return digits.decode()


def parse_line(body: bytes) -> Line:
    """A line without its LF -> its parts. Raises Malformed; its seal and version are not judged.

    An unsealed line is parsed whole; of a sealed one nothing inside `data`.
    """
    for byte, why in _BARRED:
        if byte in body:
            raise Malformed(why)
    seal = _SEAL.match(body, max(len(body) - SEAL_BYTES, 0))
    if seal is None:
        return _parse_unsealed(body)
    data_end = len(body) - SEAL_BYTES
    frame = _SEALED_FRAME.match(body)
    if frame is None or body[data_end - 1 : data_end] != b"}" or data_end - 2 < frame.end():
        raise Malformed(words.FRAME)
    return _line(frame, data_end, seal[1].decode())


def _parse_unsealed(body: bytes) -> Line:
    frame = _UNSEALED_FRAME.match(body)
    last = max(body.rfind(b"}"), 0)
    end = _UNSEALED_END.match(body, max(body.rfind(b"}", 0, last), 0))
    if frame is None or end is None or end.start() < frame.end():
        raise Malformed(_why_not_unsealed(body))
    line = _line(frame, end.start() + 1, None)
    check_data(body, line)
    return line


def _why_not_unsealed(body: bytes) -> str:
    if not body.strip(b" \t"):
        return words.BLANK
    if b'"crc32c":' in body[-2 * SEAL_BYTES :]:
        return words.SEAL_REMAINS
    return words.FRAME if body.rstrip(b" \t").endswith(b"}") else words.NOT_CLOSED


def _line(frame: re.Match[bytes], data_end: int, stored: Optional[str]) -> Line:
    v, trace_id, ts, seq, kind, span_id, parent_span_id = frame.groups()
    if not trace_id.strip(b"0"):
        raise Malformed(words.TRACE_ID)
    return Line(
        _number(v, words.V),
        trace_id.decode(),
        ts.decode(),
        _number(seq, words.SEQ),
        kind.decode(),
        _span(span_id),
        _span(parent_span_id),
        frame.end(),
        data_end,
        stored,
    )


def crc_of(body: bytes, line: Line) -> int:
    """CRC-32C of what a seal covers; of an unsealed line, of the bytes before its last `}`."""
    end = body.rindex(b"}") if line.stored_crc is None else line.data_end
    return crc32c(memoryview(body)[:end])


def data_of(body: bytes, line: Line) -> bytes:
    """The bytes of `data` as they stand."""
    return body[line.data_start : line.data_end]


def check_data(body: bytes, line: Line) -> None:
    """Malformed unless `data` is JSON in UTF-8, within the depth of a line."""
    try:
        # The line's own object is the one level more.
        check_json(data_of(body, line), MAX_DEPTH - 1)
    except ValueError:
        raise Malformed(words.DATA_NOT_JSON) from None


def end_promise(body: bytes, line: Line) -> tuple[str, str]:
    """`events` and `chain` of a `trace_end`, as spelled. Malformed where they are not there."""
    check_data(body, line)
    found = dict(members(data_of(body, line)))
    events, chain = found.get(b'"events"', b""), found.get(b'"chain"', b"")
    if not _INTEGER.match(events) or not _HEX_STRING.match(chain):
        raise Malformed(words.END_DATA)
    return events.decode(), chain[1:-1].decode()


def open_line(line: bytes) -> OpenedLine:
    """One line, with its LF or without -> its members and where its data stands.

    Raises TraceFormatError (malformed), ChecksumError, UnsupportedVersionError.
    """
    body = without_lf(line)
    try:
        opened = parse_line(body)
    except Malformed as error:
        raise TraceFormatError(str(error)) from None
    computed = f"{crc_of(body, opened):08x}"
    if opened.stored_crc not in (None, computed):
        raise ChecksumError(
            f"{words.FINDINGS['checksum_mismatch']}: "
            f"it says {opened.stored_crc}, they give {computed}"
        )
    if opened.v != FORMAT_VERSION:
        raise UnsupportedVersionError(
            f"{words.FINDINGS['unsupported_version']}: "
            f"{opened.v}, and this release reads {FORMAT_VERSION}"
        )
    return opened


def without_lf(line: bytes) -> bytes:
    """A line without its LF, if it has one."""
    line = as_bytes(line)
    return line[:-1] if line.endswith(b"\n") else line


def seal(line: bytes) -> bytes:
    """An unsealed line in compact form, with LF or without -> the sealed line with its LF.

    ValueError if it doesn't end in `}` or is sealed already.
    """
    body = without_lf(line)
    if body[-1:] != b"}":
        raise ValueError(words.NOT_CLOSED)
    if _SEAL.match(body, max(len(body) - SEAL_BYTES, 0)):
        raise ValueError(words.SEALED_ALREADY)
    return seal_open(body[:-1])


def seal_event(head: bytes, text: bytes, start: int, end: int) -> bytes:
    """A line up to `"data":`, and the data, `text[start:end]` -> the sealed line with its LF."""
    return seal_open(b"".join((head, text[start:end])))


def seal_open(start: bytes) -> bytes:
    """A line up to its last `}` -> the sealed line with its LF."""
    return b'%b,"crc32c":"%08x"}\n' % (start, crc32c(start))


# 9999-12-31T23:59:59.999999999Z
_LAST_NS = 253402300799_999999999


def format_ts(ts_ns: int) -> str:
    """Nanoseconds since 1970 UTC -> `2026-11-22T06:40:00.123456789Z`; clamped to 1970-9999."""
    seconds, fraction = divmod(min(max(ts_ns, 0), _LAST_NS), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09d}Z"
