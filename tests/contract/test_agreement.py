"""The native and the pure backend say the same of every file, however it is broken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.conftest import load
from tests.contract.making import VECTORS, sealed

FILES = {path.name: path.read_bytes() for path in sorted(VECTORS.glob("*.jsonl"))}
OPTIONS: list[dict[str, Any]] = [
    {"judge": judge, "deep": deep, "allow_unsealed": allow}
    for judge in ("lines", "trace", "partial")
    for deep in (False, True)
    for allow in (False, True)
]
WORDS = [
    b"\n", b"\r", b"\0", b" ", b"\t", b'"', b"{", b"}", b"[", b"]", b",", b":", b"0", b"1", b"-1", b"\\u0061",
    b"null", b'"crc32c":"00000000"', b'"base":{', b'"same":["tools"]', b'"prefix":{"messages":1}',
    b'"v":2', b'"seq":3', b"trace_end", b"llm_request", b"\xff", b"\xc3\xbc", b"1e5", b"\xef\xbb\xbf",
]  # fmt: skip


def verdict(name: str, stream: bytes, options: dict[str, Any]) -> tuple[object, ...]:
    scanner = load(name).Scanner(**options)
    out = scanner.feed(stream) + scanner.finish()
    findings = [found[:7] for found in scanner.take_findings()]
    return out, findings, scanner.report(), scanner.all_ended, scanner.passed


def expanded(name: str, stream: bytes) -> list[object]:
    conversations = load(name).Conversations()
    out: list[object] = []
    for raw in load(name).Scanner().feed(stream).splitlines(keepends=True):
        try:
            out.append(conversations.expand(raw))
        except ValueError:
            raise
        except Exception as error:  # noqa: BLE001  the type is what is compared
            out.append(type(error))
    return out


def opened(name: str, raw: bytes) -> object:
    try:
        return tuple(load(name).open_line(raw))
    except Exception as error:  # noqa: BLE001  the type is what is compared
        return type(error)


def agree(stream: bytes, options: dict[str, Any]) -> None:
    assert verdict("native", stream, options) == verdict("pure", stream, options)
    assert expanded("native", stream) == expanded("pure", stream)
    for raw in stream.split(b"\n"):
        assert opened("native", raw) == opened("pure", raw)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", FILES)
def test_the_vectors_are_judged_alike(name: str, options: dict[str, Any]) -> None:
    """In all modes: findings, lines handed on, report."""
    agree(FILES[name], options)


def mutate(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    to = draw(st.integers(at, min(len(data), at + 40)))
    more = draw(st.sampled_from([b"", *WORDS]) | st.binary(max_size=3))
    return data[:at] + more + data[to:]


@st.composite
def broken_streams(draw: st.DrawFn) -> bytes:
    """A vector with a few pieces replaced anywhere."""
    data = FILES[draw(st.sampled_from(sorted(FILES)))]
    for _ in range(draw(st.integers(1, 4))):
        data = mutate(draw, data)
    return data


@st.composite
def forged_streams(draw: st.DrawFn) -> bytes:
    """Lines that are changed, unsealed, sealed again or moved: damage behind seals that fit."""
    lines = FILES[draw(st.sampled_from(["whole.jsonl", "two-traces.jsonl"]))].splitlines()
    for _ in range(draw(st.integers(1, 5))):
        index = draw(st.integers(0, len(lines) - 1))
        body = lines[index][:-21] + b"}" if lines[index].endswith(b'"}') else lines[index]
        body = mutate(draw, body)
        how = draw(st.sampled_from(["sealed", "unsealed", "moved"]))
        if how == "moved":
            lines.insert(draw(st.integers(0, len(lines))), lines.pop(index))
        elif how == "sealed" and body.endswith(b"}") and b"\n" not in body:
            lines[index] = sealed(body)[:-1]
        else:
            lines[index] = body
    return b"\n".join(lines) + draw(st.sampled_from([b"\n", b"", b"\n\n"]))


@settings(max_examples=250, deadline=None)
@given(stream=broken_streams(), options=st.sampled_from(OPTIONS))
def test_broken_files_are_judged_alike(stream: bytes, options: dict[str, Any]) -> None:
    """Same kind, trace, number, line, offset, expected and got."""
    agree(stream, options)


@settings(max_examples=400, deadline=None)
@given(stream=forged_streams(), options=st.sampled_from(OPTIONS))
def test_forged_lines_are_judged_alike(stream: bytes, options: dict[str, Any]) -> None:
    """What no checksum shows: frames, data, bases, ends."""
    agree(stream, options)


@settings(max_examples=150, deadline=None)
@given(stream=st.binary(max_size=80) | st.lists(st.sampled_from(WORDS)).map(b"".join))
def test_any_bytes_are_judged_alike(stream: bytes) -> None:
    """Nothing that a trace ever was."""
    agree(stream, {"judge": "trace", "deep": True})


@settings(max_examples=150, deadline=None)
@given(
    stream=forged_streams(),
    grep=st.none() | st.sampled_from(["messages", "ü", "00000000"]),
    errors=st.booleans(),
    spans=st.none() | st.just(["00f067aa0ba902b9"]),
)
def test_the_same_lines_are_selected(
    stream: bytes, grep: str | None, errors: bool, spans: list[str] | None
) -> None:
    """Of good lines, sealed or not."""
    got = []
    for name in ("native", "pure"):
        selection = load(name).Selection(grep=grep, errors=errors, span_ids=spans)
        got.append(verdict(name, stream, {"selection": selection}))
    assert got[0] == got[1]
