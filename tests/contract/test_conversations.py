"""A conversation is stored once: what the writer leaves out is put back, byte for byte."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agenttrace.errors import TraceFormatError
from tests.contract.conftest import load
from tests.contract.making import TRACE, compact, event, judged, line

LONG = "x" * 300


def write_all(backend: ModuleType, path: Path, requests: list[Any], **options: Any) -> list[bytes]:
    """A trace of these requests; its lines."""
    fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND)
    try:
        writer = backend.Writer(fd, TRACE, **options)
        writer.write("trace_start", b"{}", ts_ns=1)
        for index, request in enumerate(requests):
            data = compact({"provider": "p", "request": request, "http": {"n": index}})
            writer.write("llm_request", data, ts_ns=index + 2)
        writer.end(b"{}", ts_ns=10**6)
    finally:
        os.close(fd)
    return path.read_bytes().splitlines(keepends=True)


def data_of(backend: ModuleType, raw: bytes) -> dict[str, Any]:
    opened = backend.open_line(raw)
    return dict(json.loads(raw[opened[7] : opened[8]]))


def chat(count: int, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"{index} {LONG}"} for index in range(count)]
    return {"model": "m", "messages": messages, **more}


def test_what_was_said_before_is_left_out(backend: ModuleType, tmp_path: Path) -> None:
    """Equal members by name, equal first messages by their number; small ones stay."""
    tools = [{"description": LONG}]
    lines = write_all(backend, tmp_path / "t", [chat(2, tools=tools), chat(3, tools=tools)])
    data = data_of(backend, lines[2])
    seal = lines[1][-11:-3].decode()
    assert list(data) == ["provider", "request", "base", "http"]
    assert data["request"] == {"model": "m", "messages": chat(3)["messages"][2:]}
    wanted = {"seq": 1, "crc32c": seal, "same": ["tools"], "prefix": {"messages": 2}}
    assert data["base"] == wanted
    assert list(data["base"]) == list(wanted)


def test_an_array_that_lost_its_end_leaves_an_empty_one(
    backend: ModuleType, tmp_path: Path
) -> None:
    """All elements are in the prefix; the base has more."""
    lines = write_all(backend, tmp_path / "t", [chat(3), chat(2)])
    data = data_of(backend, lines[2])
    assert data["request"]["messages"] == []
    assert data["base"]["prefix"] == {"messages": 2}
    assert "same" not in data["base"]


def test_an_equal_array_is_the_same(backend: ModuleType, tmp_path: Path) -> None:
    """Not a prefix of itself."""
    lines = write_all(backend, tmp_path / "t", [chat(3), chat(3, stream=True)])
    data = data_of(backend, lines[2])
    assert data["request"] == {"model": "m", "stream": True}
    assert data["base"]["same"] == ["messages"]
    assert "prefix" not in data["base"]


@pytest.mark.parametrize(("length", "is_left_out"), [(253, False), (254, True)])
def test_nothing_under_256_bytes_is_left_out(
    backend: ModuleType, tmp_path: Path, length: int, is_left_out: bool
) -> None:
    """A string of 254 letters is 256 bytes with its quotes."""
    request = {"system": "s" * length}
    lines = write_all(backend, tmp_path / "t", [request, request])
    assert ("base" in data_of(backend, lines[2])) is is_left_out


def test_equal_means_the_same_bytes(backend: ModuleType, tmp_path: Path) -> None:
    """1.0 is not 1, whatever a parser makes of them."""
    path = tmp_path / "t"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    writer = backend.Writer(fd, TRACE)
    for number in (b"1", b"1.0"):
        writer.write("llm_request", b'{"request":{"a":[%b,"%b"]}}' % (number, LONG.encode()))
    os.close(fd)
    assert b'"base"' not in path.read_bytes()


def test_the_base_that_leaves_least_is_taken(backend: ModuleType, tmp_path: Path) -> None:
    """Two conversations in turn: each goes on from its own last request."""
    other = {"model": "m", "messages": [{"role": "user", "content": "other " + LONG * 9}]}
    lines = write_all(backend, tmp_path / "t", [chat(9), other, chat(10), other, chat(11)])
    bases = [data_of(backend, raw).get("base", {}).get("seq") for raw in lines[1:-1]]
    assert bases == [None, None, 1, 2, 3]


def test_a_request_is_written_in_full_when_the_rest_outgrows_it(
    backend: ModuleType, tmp_path: Path
) -> None:
    """A damaged line costs at most the later half; the whole stays linear."""
    requests = [chat(count) for count in range(1, 60)]
    lines = write_all(backend, tmp_path / "t", requests)
    full = [i for i, raw in enumerate(lines[1:-1]) if "base" not in data_of(backend, raw)]
    assert full[0] == 0
    assert 3 <= len(full) <= 8
    written = sum(map(len, lines))
    assert written < sum(len(compact(request)) for request in requests) / 3


def test_what_is_no_object_or_has_a_base_is_written_as_it_is(
    backend: ModuleType, tmp_path: Path
) -> None:
    """The rule is for requests as JSON objects, given in full."""
    path = tmp_path / "t"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    writer = backend.Writer(fd, TRACE)
    given = [
        b'{"request":{"s":"%b"},"base":{"seq":9,"crc32c":"00000000"}}' % LONG.encode(),
        b'{"request":["%b"]}' % LONG.encode(),
        b'{"body":"%b"}' % LONG.encode(),
        b"{}",
    ]
    for data in given * 2:
        writer.write("llm_request", data)
    os.close(fd)
    for data, raw in zip(given * 2, path.read_bytes().splitlines()):
        opened = backend.open_line(raw)
        assert raw[opened[7] : opened[8]] == data


MEMBERS = st.dictionaries(
    st.sampled_from(["messages", "tools", "system", 'q"ü', "n"]),
    st.sampled_from([LONG, "short", None, 1.5, {"a": LONG}, {}])
    | st.lists(st.sampled_from([LONG, "y" * 200, {"role": "ü"}, 7, []]), max_size=6),
    max_size=4,
)


@pytest.mark.parametrize("name", ["native", "pure"])
@settings(max_examples=40, deadline=None)
@given(requests=st.lists(MEMBERS, min_size=1, max_size=12))
def test_what_is_shortened_expands_to_what_it_was(
    name: str, requests: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any conversation: the same members, a trace without findings, seals that fit."""
    backend = load(name)
    lines = write_all(backend, tmp_path_factory.mktemp("t") / "t", requests)
    assert judged(backend, b"".join(lines), deep=True) == ("intact", [])
    conversations = backend.Conversations()
    for request, raw in zip(requests, lines[1:]):
        whole = conversations.expand(raw)
        assert data_of(backend, whole)["request"] == request
        assert "base" not in data_of(backend, whole)


@settings(max_examples=60, deadline=None)
@given(requests=st.lists(MEMBERS, min_size=1, max_size=12))
def test_both_backends_write_and_expand_the_same_bytes(
    requests: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The choice of the base, the order of members, everything."""
    native, pure = load("native"), load("pure")
    path = tmp_path_factory.mktemp("t") / "t"
    lines = write_all(native, path, requests)
    assert write_all(pure, path, requests) == lines
    ours, theirs = pure.Conversations(), native.Conversations()
    assert [ours.expand(raw) for raw in lines] == [theirs.expand(raw) for raw in lines]


FULL = line(1, "llm_request", b'{"request":{"m":[1,2],"t":{"a":1}}}')
SEAL = FULL[-11:-3]
SHORT = b'{"request":{"m":[3]},"base":{"seq":1,"crc32c":"%b","same":["t"],"prefix":{"m":2}},"z":1}'
WHOLE = b'{"request":{"m":[1,2,3],"t":{"a":1}},"z":1}'


@pytest.mark.parametrize("lf", [b"", b"\n"])
def test_an_expanded_line_is_sealed_anew(backend: ModuleType, lf: bytes) -> None:
    """With LF if it had one; the members around the request as they were."""
    conversations = backend.Conversations()
    assert conversations.expand(FULL) == FULL
    short = line(2, "llm_request", SHORT % SEAL)[:-1] + lf
    assert conversations.expand(short) == line(2, "llm_request", WHOLE)[:-1] + lf


def test_an_unsealed_line_stays_unsealed(backend: ModuleType) -> None:
    """And can be a base by the checksum of its bytes."""
    conversations = backend.Conversations()
    conversations.expand(FULL)
    expanded = conversations.expand(event(2, "llm_request", SHORT % SEAL) + b"\n")
    assert expanded == event(2, "llm_request", WHOLE) + b"\n"


def test_other_lines_pass_as_they_are(backend: ModuleType) -> None:
    """Other kinds, later versions, strings that speak of requests."""
    conversations = backend.Conversations()
    for raw in (line(0, data=b'{"t":"llm_request"}'), line(0, "llm_request", b"{nonsense}", v=2)):
        assert conversations.expand(raw) == raw


@pytest.mark.parametrize(
    "data",
    [SHORT % b"00000000", SHORT.replace(b'"seq":1', b'"seq":7') % SEAL,
     SHORT.replace(b'"m":2', b'"m":3') % SEAL, SHORT.replace(b'["t"]', b'["m"]') % SEAL,
     SHORT.replace(b'["t"]', b'"t"') % SEAL, b'{"base":{"seq":1,"crc32c":"%b"}}' % SEAL],
)  # fmt: skip
def test_a_base_that_is_missing_or_bad_is_an_error(backend: ModuleType, data: bytes) -> None:
    """TraceFormatError; and what builds on such a line is missing its base too."""
    conversations = backend.Conversations()
    conversations.expand(FULL)
    bad = line(2, "llm_request", data)
    with pytest.raises(TraceFormatError):
        conversations.expand(bad)
    on_it = b'{"request":{},"base":{"seq":2,"crc32c":"%b"}}' % bad[-11:-3]
    with pytest.raises(TraceFormatError):
        conversations.expand(line(3, "llm_request", on_it))


def test_edited_lines_are_found_by_number(backend: ModuleType) -> None:
    """`check_seal=False`: the base's seal was another before the edit."""
    conversations = backend.Conversations(check_seal=False)
    conversations.expand(FULL)
    expanded = conversations.expand(line(2, "llm_request", SHORT % b"00000000"))
    assert expanded == line(2, "llm_request", WHOLE)


def test_the_reach_of_a_base_is_64_requests(backend: ModuleType) -> None:
    """What is further back is forgotten."""
    for between, fits in ((63, True), (64, False)):
        conversations = backend.Conversations()
        conversations.expand(FULL)
        for index in range(between):
            conversations.expand(line(2 + index, "llm_request", b"{}"))
        raw = line(99, "llm_request", SHORT % SEAL)
        if fits:
            assert conversations.expand(raw) == line(99, "llm_request", WHOLE)
        else:
            with pytest.raises(TraceFormatError):
                conversations.expand(raw)


def test_an_expanded_line_of_exactly_the_limit_is_made(backend: ModuleType) -> None:
    """What a writer with the same limit has taken can be read."""
    short, whole = line(2, "llm_request", SHORT % SEAL), line(2, "llm_request", WHOLE)
    conversations = backend.Conversations(max_line_bytes=len(whole))
    conversations.expand(FULL)
    assert conversations.expand(short) == whole


def test_an_expanded_line_over_the_limit_is_refused(backend: ModuleType) -> None:
    """However short the line is that asks for it."""
    short, whole = line(2, "llm_request", SHORT % SEAL), line(2, "llm_request", WHOLE)
    conversations = backend.Conversations(max_line_bytes=len(whole) - 1)
    conversations.expand(FULL)
    with pytest.raises(TraceFormatError):
        conversations.expand(short)
