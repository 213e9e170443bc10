"""MCP in the lines of pipes: each call has its result, however the lines were cut and whatever is between."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttrace.intake import mcp


class Ledger:
    """Stands where the trace is written: what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def mcp_called(self, call_id, name, arguments, parent, ts_ns):
        self.told.append(("call", call_id, arguments))
        return call_id

    def mcp_answered(self, call, output, is_error, ts_ns):
        self.told.append(("result", call, output, is_error))


def line(**message: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


def call(call_id: Any, **arguments: Any) -> bytes:
    params = {"name": "f", "arguments": arguments}
    return line(id=call_id, method="tools/call", params=params)


def result(call_id: Any, text: str) -> bytes:
    return line(id=call_id, result={"content": text})


@pytest.fixture
def peer():
    ledger = Ledger()
    found = mcp.Peer(ledger)  # type: ignore[arg-type]
    found.ledger = ledger  # type: ignore[attr-defined]
    return found


def test_an_answer_behind_the_rest_of_another_is_read(peer):
    """A line that was begun while a call waited, and ended when none did."""
    listed = line(id=9, result={"tools": ["x" * 100]})
    peer.passed("stdin", call(1), 0)
    peer.passed("stdout", result(1, "a") + listed[:50], 0)
    peer.passed("stdout", listed[50:], 0)
    peer.passed("stdin", call(2), 0)
    peer.passed("stdout", result(2, "b"), 0)
    assert [one[1:3] for one in peer.ledger.told if one[0] == "result"] == [("1", "a"), ("2", "b")]


@given(st.lists(st.integers(1, 400), max_size=6))
def test_lines_may_be_cut_anywhere(cuts):
    """Calls at a time, answered in another order; progress, logs and requests of the server between."""
    ledger = Ledger()
    found = mcp.Peer(ledger)  # type: ignore[arg-type]
    stdin = line(id=0, method="initialize", params={}) + call("a", n=1) + call(7, n=2)
    stdout = (
        line(id=0, result={})
        + line(method="notifications/progress", params={"progressToken": 7, "progress": 1})
        + line(id=7, method="sampling/createMessage", params={"messages": []})
        + result(7, "second")
        + line(id="a", error={"code": -32603, "message": "no"})
    )
    for stream, data in (("stdin", stdin), ("stdout", stdout)):
        for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)]):
            found.passed(stream, data[start:end], 0)
    assert ledger.told == [
        ("call", "a", {"n": 1}),
        ("call", "7", {"n": 2}),
        ("result", "7", "second", False),
        ("result", "a", {"code": -32603, "message": "no"}, True),
    ]


def test_what_the_client_answers_is_no_result_of_a_tool(peer):
    """A sampling that speaks of tools/call, under the id of a call that waits."""
    peer.passed("stdin", call(1) + line(id=1, result={"content": "I did tools/call."}), 0)
    peer.passed("stdout", result(1, "a"), 0)
    assert peer.ledger.told[1:] == [("result", "1", "a", False)]


def test_a_cancelled_call_has_ended(peer):
    """With the reason; what a server says of it nevertheless is no second result."""
    cancelled = line(
        method="notifications/cancelled", params={"requestId": 1, "reason": "too slow"}
    )
    peer.passed("stdin", call(1) + cancelled + cancelled, 0)
    peer.passed("stdout", result(1, "late"), 0)
    assert peer.ledger.told[1:] == [("result", "1", "too slow", True)]


def test_calls_that_are_never_answered_do_not_keep_later_ones_out(peer):
    """The oldest are forgotten."""
    for number in range(1_500):
        peer.passed("stdin", call(number), 0)
    peer.passed("stdout", result(1_499, "last"), 0)
    assert peer.ledger.told[-1] == ("result", "1499", "last", False)
    assert len(peer.ledger.told) == 1_501


def test_a_line_that_is_too_long_is_left_out_whole(peer, monkeypatch):
    """Its end is no line; the next one is."""
    monkeypatch.setattr(mcp, "_MAX_LINE_BYTES", 200)
    peer.passed("stdin", call(1) + call(2), 0)
    peer.passed("stdout", result(1, "x" * 300)[:250], 0)
    peer.passed("stdout", b"x" * 50 + b"\n" + result(2, "b"), 0)
    assert peer.ledger.told[2:] == [("result", "2", "b", False)]


def test_an_escaped_slash_is_a_slash(peer):
    """As some languages write JSON."""
    peer.passed("stdin", call(1).replace(b"/", b"\\/"), 0)
    assert peer.ledger.told == [("call", "1", {})]
