"""One line: sealed, opened, and what is no line."""

from __future__ import annotations

from types import ModuleType

import pytest

from agenttrace.errors import ChecksumError, TraceFormatError, UnsupportedVersionError
from tests.contract.making import TRACE, TS, bitwise_crc32c, event, line, sealed

SPAN = '"span_id":"00f067aa0ba902b7",'
PARENT = '"parent_span_id":"00f067aa0ba902b8",'


def test_a_sealed_line_opens_to_its_parts(backend: ModuleType) -> None:
    """All members, and where data stands."""
    raw = line(7, "tool_call", b'{"a":1}', more=SPAN + PARENT)
    opened = backend.open_line(raw)
    wanted = (1, TRACE, TS, 7, "tool_call", "00f067aa0ba902b7", "00f067aa0ba902b8")
    assert opened[:7] == wanted
    assert raw[opened[7] : opened[8]] == b'{"a":1}'
    assert opened[9] == f"{bitwise_crc32c(raw[:-22]):08x}"


@pytest.mark.parametrize("lf", [b"", b"\n"])
def test_sealing_and_opening_are_inverse(backend: ModuleType, lf: bytes) -> None:
    """`seal` makes what `open_line` takes; with LF or without."""
    raw = event(3, data=b'{"text":"\xc3\xbc"}')
    made = backend.seal(raw + lf)
    assert made == sealed(raw)
    assert backend.open_line(made)[:9] == backend.open_line(raw + lf)[:9]
    assert backend.open_line(raw + lf)[9] is None


@pytest.mark.parametrize("raw", [b"", b"\n", b"{", event(0) + b" ", event(0) + b"\n\n", line(0)])
def test_seal_refuses_what_is_open_or_sealed(backend: ModuleType, raw: bytes) -> None:
    """Only what ends in a brace and has no seal can be sealed."""
    with pytest.raises(ValueError, match=r"."):
        backend.seal(raw)


def test_a_string_that_holds_a_whole_line_is_a_string(backend: ModuleType) -> None:
    """The seal is found by its place at the end, whatever the text before looks like."""
    inner = line(9).rstrip(b"\n").replace(b'"', b'\\"')
    raw = line(1, data=b'{"text":"' + inner + b'"}')
    assert backend.open_line(raw)[3] == 1
    inside = sealed(event(1, data=b'{"text":"' + inner + b'"}').replace(b'\\"', b'"'))
    assert backend.open_line(inside)[3] == 1


MALFORMED = {
    "blank": b"",
    "a byte-order mark": b"\xef\xbb\xbf" + line(0),
    "a carriage return": line(0)[:-1] + b"\r\n",
    "an inner LF": line(0) + line(1),
    "NUL in a string, sealed": line(0, data=b'{"a":"\0"}'),
    "CR in a string, sealed": line(0, data=b'{"a":"\r"}'),
    "a trailing space": line(0)[:-1] + b" \n",
    "a space in the frame, sealed": sealed(event(0).replace(b',"seq"', b', "seq"')),
    "upper-case hex in the seal": line(0)[:-11] + b"ABCDEF01" + b'"}\n',
    "a short seal": line(0)[:-4] + b'"}\n',
    "version zero": line(0, v=0),
    "a leading zero": sealed(event(0).replace(b'"seq":0', b'"seq":00')),
    "a number beyond 2^53": sealed(event(2**53)),
    "a number in exponent form": sealed(event(0).replace(b'"seq":0', b'"seq":1e2')),
    "a trace id of zeros": line(0, trace="0" * 32),
    "an upper-case trace id": line(0, trace=TRACE.upper()),
    "a short trace id": line(0, trace=TRACE[1:]),
    "month 13": sealed(event(0).replace(b"-11-22T", b"-13-22T")),
    "hour 24": sealed(event(0).replace(b"T06:", b"T24:")),
    "second 61": sealed(event(0).replace(b":00.1", b":61.1")),
    "a time zone": sealed(event(0).replace(b"789Z", b"78+1")),
    "an upper-case kind": line(0, "Log"),
    "an empty kind": line(0, ""),
    "a span id of zeros": line(0, more='"span_id":"0000000000000000",'),
    "parent before span": line(0, more=PARENT + SPAN),
    "a foreign member": line(0, more='"x":1,'),
    "data that is an array": line(0, data=b"[]"),
    "data that is a number": line(0, data=b"1"),
    "not JSON": b"hello",
    "an unsealed foreign member": event(0)[:-1] + b',"x":{}}',
    "an unsealed doubled member": event(0)[:-1] + b',"data":{}}',
    "an unsealed crc32c": event(0)[:-1] + b',"crc32c":"00000000" }',
    "an unsealed number": event(0)[:-1] + b',"crc32c":1}',
    "unsealed, members out of order": event(0).replace(b'{"v":1,', b"{")[:-1] + b',"v":1}',
    "unsealed, v as a float": event(0).replace(b'"v":1', b'"v":1.0'),
    "unsealed, not UTF-8": event(0, data=b'{"a":"\xff"}'),
    "unsealed, NaN": event(0, data=b'{"a":NaN}'),
    "unsealed, too deep": event(0, data=b'{"a":' + b"[" * 127 + b"]" * 127 + b"}"),
    "unsealed, a form feed": event(0) + b"\x0c",
    "two unsealed lines welded": event(0) + event(1),
    "a cut line": line(0)[:-5],
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_not_of_the_form_is_malformed(backend: ModuleType, name: str) -> None:
    """TraceFormatError, and none of its kinds; the scanner says the same."""
    raw = MALFORMED[name]
    with pytest.raises(TraceFormatError) as caught:
        backend.open_line(raw)
    assert type(caught.value) is TraceFormatError
    scanner = backend.Scanner()
    assert scanner.feed(raw.rstrip(b"\n") + b"\n") in (b"", raw)
    assert raw.count(b"\n") > 1 or [f[0] for f in scanner.take_findings()] == ["malformed"]


UNSEALED = {
    "compact": event(0),
    "spaced": event(0, data=b'{ "a" : [1,\t2] }').replace(b'":', b'" : ').replace(b',"', b' ,\t"'),
    "spaced around": b" \t" + event(0) + b" ",
    "with spans": event(0, more=SPAN + PARENT),
    "with parent alone": event(0, more=PARENT),
    "at the deepest": event(0, data=b'{"a":' + b"[" * 126 + b"]" * 126 + b"}"),
    "with a long integer": event(0, data=b'{"a":' + b"1" * 5000 + b"}"),
    "with a lone surrogate's escape": event(0, data=rb'{"a":"\ud800"}'),
    "with a doubled key in data": event(0, data=b'{"a":1,"a":2}'),
    "of a leap second": event(0).replace(b":00.1", b":60.1"),
    "of the largest number": event(2**53 - 1),
}


@pytest.mark.parametrize("name", UNSEALED)
def test_an_unsealed_line_is_an_event(backend: ModuleType, name: str) -> None:
    """Other tools may write such lines; data is where it stands."""
    raw = UNSEALED[name]
    opened = backend.open_line(raw)
    assert opened[9] is None
    assert raw[opened[7] : opened[7] + 1] == b"{"
    assert raw[opened[8] - 1 : opened[8]] == b"}"


def test_a_seal_that_does_not_fit_is_a_checksum_error(backend: ModuleType) -> None:
    """The frame is right, one byte of data is not."""
    raw = line(0, data=b'{"a":1}').replace(b'"a":1', b'"a":2')
    with pytest.raises(ChecksumError, match=r"[0-9a-f]{8}.*[0-9a-f]{8}"):
        backend.open_line(raw)


@pytest.mark.parametrize("raw", [line(0, v=2), event(0, v=2), line(0, v=2**53 - 1)])
def test_a_later_version_is_told_apart_from_damage(backend: ModuleType, raw: bytes) -> None:
    """Its frame is the same in all versions."""
    with pytest.raises(UnsupportedVersionError):
        backend.open_line(raw)


def test_data_of_a_sealed_line_is_not_parsed(backend: ModuleType) -> None:
    """A seal is enough: what is sealed is taken as it stands unless `deep` asks."""
    raw = line(0, data=b"{nonsense\xff}")
    assert backend.open_line(raw)[3] == 0
    assert backend.Scanner().feed(raw) == raw
    assert backend.Scanner(deep=True).feed(raw) == b""


TIMES = [
    (0, "1970-01-01T00:00:00.000000000Z"),
    (-1, "1970-01-01T00:00:00.000000000Z"),
    (1_795_329_600_123_456_789, "2026-11-22T06:40:00.123456789Z"),
    (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
    (253_402_300_799_999_999_999, "9999-12-31T23:59:59.999999999Z"),
    (253_402_300_800_000_000_000, "9999-12-31T23:59:59.999999999Z"),
    (10**40, "9999-12-31T23:59:59.999999999Z"),
    (-(10**40), "1970-01-01T00:00:00.000000000Z"),
]


@pytest.mark.parametrize(("ts_ns", "wanted"), TIMES)
def test_a_time_is_thirty_bytes(backend: ModuleType, ts_ns: int, wanted: str) -> None:
    """Nine digits, UTC, clamped to the years that have four."""
    assert backend.format_ts(ts_ns) == wanted
