"""Server-sent events: what is an event, and that it doesn't matter where the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttrace.providers import EventStream


def events_of(data: bytes, *cuts: int) -> list[tuple[str | None, str]]:
    """The events of these bytes, fed in pieces that end at the cuts."""
    stream = EventStream()
    ends = [0, *sorted(cuts), len(data)]
    events = [event for at, end in zip(ends, ends[1:]) for event in stream.feed(data[at:end])]
    return events + stream.close()


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_line_ends_in_lf_cr_or_crlf(end: bytes) -> None:
    """All three line ends of the standard, and the blank line between events with them."""
    data = end.join([b"event: a", b"data: 1", b"", b"data: 2", b"", b""])
    assert events_of(data) == [("a", "1"), (None, "2")]


def test_crlf_cut_between_its_bytes_is_one_line_end() -> None:
    """The LF of a CRLF that comes with the next piece makes no blank line."""
    stream = EventStream()
    assert stream.feed(b"data: 1\r") == []
    assert stream.feed(b"\ndata: 2\r\n\r") == [(None, "1\n2")]
    assert stream.feed(b"\n") == []


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"data: a\ndata: b\n\n", [(None, "a\nb")]),
        (b"data:a\n\ndata:  b\n\n", [(None, "a"), (None, " b")]),
        (b"data\n\n", [(None, "")]),
        (b": comment\n\n: another\ndata: a\n\n", [(None, "a")]),
        (b"event: only\n\ndata: a\n\n", [(None, "a")]),
        (b"id: 7\nretry: 100\nother: x\ndata: a: b\n\n", [(None, "a: b")]),
        (b"\xef\xbb\xbfdata: a\n\n", [(None, "a")]),
        (b"\n\n\ndata: a\n\n\n\n", [(None, "a")]),
        (b"", []),
    ],
)
def test_fields_are_read_as_the_standard_says(data: bytes, events: list) -> None:
    """Several data lines, spaces, comments, unknown fields, a byte-order mark, blank lines."""
    assert events_of(data) == events


@pytest.mark.parametrize("inside", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1e"])
def test_only_cr_and_lf_end_a_line(inside: str) -> None:
    """What str.splitlines would cut at is an ordinary character."""
    assert events_of(f"data: a{inside}b\n\n".encode()) == [(None, f"a{inside}b")]


def test_an_event_without_its_blank_line_is_given_at_the_end() -> None:
    """A stream's last event may lack its end; whether its data is whole, its reader finds out."""
    stream = EventStream()
    assert stream.feed(b"data: a\n\nevent: last\ndata: [DO") == [(None, "a")]
    assert stream.close() == [("last", "[DO")]
    assert stream.close() == []


def test_bytes_that_are_no_utf8_become_replacement_characters() -> None:
    """Also a character that the end of the bytes cuts off."""
    assert events_of(b"data: a\xffb\n\ndata: \xe2\x82") == [(None, "a\ufffdb"), (None, "\ufffd")]


SAMPLE = (
    "\ufeff: hello\r\n\r\nevent: first\r\ndata: Zürich 🌦 a\u2028b\r\ndata: more\r\n\r\n"
    'data: {"x": 1}\n\nevent: third\rdata: c\r\rdata: [DONE]\n\n'
).encode()


def test_no_single_cut_changes_the_events() -> None:
    """Cut at each byte once: inside characters, line ends, fields."""
    whole = events_of(SAMPLE)
    assert [name for name, _ in whole] == ["first", None, "third", None]
    assert all(events_of(SAMPLE, cut) == whole for cut in range(len(SAMPLE)))


def test_bytes_fed_one_by_one_give_the_same_events() -> None:
    """The finest cut of all."""
    assert events_of(SAMPLE, *range(1, len(SAMPLE))) == events_of(SAMPLE)


@given(
    st.data(),
    st.lists(st.sampled_from([b"\r", b"\n", b"data: ", b"event: e", b"\xe2\x82", b":", b"x"])),
)
def test_no_cut_changes_the_events_of_any_bytes(data: st.DataObject, parts: list[bytes]) -> None:
    """Bytes put together at random, cut at random, never raise and always give the same."""
    whole = b"".join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(whole))))
    assert events_of(whole, *cuts) == events_of(whole)


def test_a_long_line_in_small_pieces_takes_linear_time() -> None:
    """A million bytes of one line in pieces of ten: nothing is read twice."""
    stream = EventStream()
    stream.feed(b"data: ")
    for _ in range(100_000):
        assert stream.feed(b"0123456789") == []
    [(_, data)] = stream.feed(b"\n\n")
    assert len(data) == 1_000_000
