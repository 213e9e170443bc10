"""Tracer: what a traced run says, and how it says what went wrong."""

from __future__ import annotations

import json
import os
import pathlib

import pytest

import agenttrace
from agenttrace import (
    Tracer,
)
from tests.library.reading import events, kinds, of_kind, report


def test_a_traced_run_is_an_intact_trace(path: pathlib.Path) -> None:
    """The example of the manual, from start to end."""
    with Tracer(path, name="weather") as tracer:
        tracer.user_input("What is the weather in Zürich?")
        asked = {"messages": [{"role": "user", "content": "What is the weather in Zürich?"}]}
        with tracer.llm_request(provider="openai", model="gpt-5", request=asked) as call:
            call.chunk("It ")
            call.chunk(b"rains")
            call.response(
                text="It rains",
                usage={"input_tokens": 12, "output_tokens": 7},
                finish_reason="stop",
            )
        with tracer.tool_call("forecast", {"city": "Zürich"}) as tool:
            assert tool.result({"temp_c": 4}) == {"temp_c": 4}
        with tracer.span("plan", attributes={"step": 1}):
            tracer.log("thinking", level="debug", tokens=3)
    assert report(path)["status"] == "intact"
    assert kinds(path) == [
        "trace_start", "user_input", "llm_request", "llm_chunk", "llm_chunk", "llm_response",
        "tool_call", "tool_result", "span_start", "log", "span_end", "trace_end",
    ]  # fmt: skip


def test_a_trace_starts_with_who_and_where(path: pathlib.Path) -> None:
    """trace_start names the run, the command, the folder, the producer and the host."""
    with Tracer(path, name="weather"):
        pass
    start = events(path)[0].data
    assert start["name"] == "weather"
    assert start["cwd"] == os.getcwd()
    assert isinstance(start["command"], list)
    assert start["producer"] == {"name": "agenttrace", "version": agenttrace.__version__}
    assert set(start["host"]) == {"os", "arch", "runtime"}


def test_a_trace_ends_with_its_totals(path: pathlib.Path) -> None:
    """trace_end counts calls, tools, errors and tokens."""
    with Tracer(path) as tracer:
        for _ in range(2):
            with tracer.llm_request(provider="p", model="m", request={}) as call:
                call.response(usage={"input_tokens": 5, "output_tokens": 2}, cost_usd=0.25)
        with tracer.tool_call("f"):
            pass
        tracer.error("nothing there")
    end = events(path)[-1].data
    assert end["status"] == "ok"
    assert end["duration_ns"] > 0
    totals = end["totals"]
    assert (totals["llm_calls"], totals["tool_calls"], totals["errors"]) == (2, 1, 1)
    assert (totals["input_tokens"], totals["output_tokens"]) == (10, 4)
    assert totals["cost_usd"] == 0.5
    assert totals["unpriced_calls"] == 0


def test_request_and_response_share_a_span(path: pathlib.Path) -> None:
    """Calls and results belong together by span_id, and to what they stand in by parent_span_id."""
    with Tracer(path) as tracer, tracer.span("outer") as outer:
        with tracer.llm_request(provider="p", model="m", request={}) as call:
            call.response(text="x")
        with tracer.tool_call("f", {"a": 1}, call_id="call_9") as tool:
            tool.result(None)
    by_kind = {event.kind: event for event in events(path)}
    for kind in ("llm_request", "llm_response"):
        assert by_kind[kind].span_id == call.span_id
        assert by_kind[kind].parent_span_id == outer.span_id
    assert by_kind["tool_call"].span_id == by_kind["tool_result"].span_id
    assert by_kind["tool_call"].data["call_id"] == by_kind["tool_result"].data["call_id"]
    assert by_kind["tool_call"].data["call_id"] == "call_9"


def test_a_model_call_that_is_not_answered_ends_incomplete(path: pathlib.Path) -> None:
    """Every llm_request has an llm_response; without an answer it says so."""
    with Tracer(path) as tracer:
        with tracer.llm_request(provider="p", model="m", request={}):
            pass
        with (  # noqa: PT012
            pytest.raises(TimeoutError),
            tracer.llm_request(provider="p", model="m", request={}) as call,
        ):
            call.chunk("It r")
            raise TimeoutError("30 s")
    silent, failed = of_kind(path, "llm_response")
    assert silent.data["complete"] is False
    assert failed.data["error"] == {"type": "TimeoutError", "message": "30 s"}
    assert failed.data["ttft_ns"] >= 0
    assert failed.is_error


def test_only_the_first_answer_counts(path: pathlib.Path) -> None:
    """A second response or result is passed over: one call, one answer."""
    with Tracer(path) as tracer:
        with tracer.llm_request(provider="p", model="m", request={}) as call:
            call.response(text="one")
            call.response(text="two")
        with tracer.tool_call("f") as tool:
            tool.result(1)
            assert tool.result(2) == 2
    assert [event.data["text"] for event in of_kind(path, "llm_response")] == ["one"]
    assert [event.data["output"] for event in of_kind(path, "tool_result")] == [1]


def test_a_chunk_may_be_any_value(path: pathlib.Path) -> None:
    """Text and bytes are kept as they are; any other piece is written as JSON text."""
    with Tracer(path) as tracer, tracer.llm_request(provider="p", model="m", request={}) as call:
        for piece in ("ü", b"\xff", {"delta": "x"}, None):
            call.chunk(piece)
        call.response()
    texts = [event.data["text"] for event in of_kind(path, "llm_chunk")]
    assert texts == ["ü", {"base64": "/w=="}, '{"delta":"x"}', "null"]


def test_a_growing_conversation_is_stored_once_and_read_in_full(path: pathlib.Path) -> None:
    """Later requests hold what is new; full=True gives them back whole."""
    messages = [{"role": "user", "content": f"{number} " * 100} for number in range(20)]
    with Tracer(path) as tracer:
        for count in range(1, 21):
            request = {"model": "m", "messages": messages[:count]}
            with tracer.llm_request(provider="p", model="m", request=request) as call:
                call.response(text="x")
    asked = [event.data for event in events(path, full=True) if event.kind == "llm_request"]
    assert [data["request"]["messages"] for data in asked] == [
        messages[:count] for count in range(1, 21)
    ]
    assert any("base" in event.data for event in of_kind(path, "llm_request"))
    in_full = sum(len(json.dumps(messages[:count])) for count in range(1, 21))
    assert path.stat().st_size < in_full / 2


def test_an_exception_makes_the_trace_an_error_and_goes_on(path: pathlib.Path) -> None:
    """The agent's exception is told with its stack and is not swallowed."""
    with pytest.raises(KeyError), Tracer(path) as tracer, tracer.span("plan"):
        raise KeyError("city")
    assert kinds(path) == ["trace_start", "span_start", "span_end", "error", "trace_end"]
    _, _, span_end, error, end = events(path)
    assert span_end.data["status"] == "error"
    assert span_end.data["error"]["type"] == "KeyError"
    assert "test_tracer.py" in error.data["stack"]
    assert end.data["status"] == "error"


@pytest.mark.parametrize(
    ("leaving", "status"),
    [
        (SystemExit(0), "ok"),
        (SystemExit(None), "ok"),
        (SystemExit(3), "error"),
        (KeyboardInterrupt(), "interrupted"),
        (ValueError("x"), "error"),
    ],
)
def test_the_status_says_how_the_block_was_left(
    path: pathlib.Path, leaving: BaseException, status: str
) -> None:
    """ok, interrupted or error."""
    with pytest.raises(type(leaving)), Tracer(path):
        raise leaving
    assert events(path)[-1].data["status"] == status


def test_a_failing_tool_is_a_result_that_is_an_error(path: pathlib.Path) -> None:
    """The exception is the tool's output, and goes on."""
    with Tracer(path) as tracer:
        with pytest.raises(ZeroDivisionError), tracer.tool_call("divide", {"by": 0}):
            _ = 1 / 0
        with pytest.raises(ZeroDivisionError):
            tracer.tool(lambda: 1 / 0)()
    for result in of_kind(path, "tool_result"):
        assert result.data["is_error"] is True
        assert result.data["output"] == {"type": "ZeroDivisionError", "message": "division by zero"}


def test_an_exception_that_cannot_be_spelled_is_told_all_the_same(path: pathlib.Path) -> None:
    """An exception whose own text fails does not turn into another one."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    with pytest.raises(Mute), Tracer(path) as tracer, tracer.tool_call("f"):
        raise Mute
    assert kinds(path) == ["trace_start", "tool_call", "tool_result", "error", "trace_end"]


def test_an_event_after_closing_is_a_clear_error(path: pathlib.Path) -> None:
    """ValueError, and the trace stays whole."""
    with Tracer(path) as tracer:
        pass
    with pytest.raises(ValueError, match="the tracer is closed"):
        tracer.log("late")
    assert report(path)["status"] == "intact"


def test_closing_twice_is_harmless(path: pathlib.Path) -> None:
    """There is one trace_end."""
    tracer = Tracer(path)
    tracer.close()
    tracer.close()
    with tracer:
        pass
    assert kinds(path).count("trace_end") == 1


def test_an_id_that_is_none_is_refused(path: pathlib.Path) -> None:
    """ValueError where it is given, not an event that is lost later."""
    with Tracer(path) as tracer:
        for wrong in ("main", "0" * 16, "A" * 16, ""):
            with pytest.raises(ValueError, match="16 lower-case hex digits"):
                tracer.event("custom", {}, span_id=wrong)
            with pytest.raises(ValueError, match="16 lower-case hex digits"):
                tracer.event("custom", {}, parent_span_id=wrong)
        tracer.event("custom", {}, span_id="a" * 16, parent_span_id="b" * 16)
    assert kinds(path) == ["trace_start", "custom", "trace_end"]


@pytest.mark.parametrize("kind", ["Bad", "with space", "", "trace_start", "trace_end", "line\n"])
def test_no_event_of_a_kind_that_would_break_the_trace(path: pathlib.Path, kind: str) -> None:
    """Kinds have a form, and two are the tracer's own."""
    with Tracer(path) as tracer, pytest.raises(ValueError, match="kind"):
        tracer.event(kind, {})
    assert report(path)["status"] == "intact"


def test_an_unknown_kind_is_an_event_like_others(path: pathlib.Path) -> None:
    """What we don't know is kept and passed on."""
    with Tracer(path) as tracer:
        tracer.event("my_kind2", {"a": 1}, span_id="00000000000000ab")
    (event,) = of_kind(path, "my_kind2")
    assert event.data == {"a": 1}
    assert event.span_id == "00000000000000ab"
