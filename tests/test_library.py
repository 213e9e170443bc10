"""What `import agenttrace` promises: Tracer writes, TraceReader reads, Replayer answers; from outside.

Runs with the backend that is installed; the last test runs all of it again with the pure one.
"""

from __future__ import annotations

import asyncio
import collections
import contextvars
import dataclasses
import datetime
import decimal
import enum
import errno
import fractions
import gc
import io
import itertools
import json
import math
import os
import pathlib
import stat
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

import agenttrace
from agenttrace import (
    AgentTraceError,
    ChecksumError,
    Divergence,
    Event,
    Replayer,
    ReplayError,
    TraceFormatError,
    Tracer,
    TraceReader,
    TruncatedTraceError,
    UnsupportedVersionError,
    _backend,
    encoding,
)

ROOT = pathlib.Path(__file__).parent.parent
VECTORS = ROOT / "tests" / "fixtures" / "vectors"


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "run.jsonl"


def events(path: Any, **how: Any) -> list[Event]:
    return list(TraceReader(path, **how))


def kinds(path: Any) -> list[str]:
    return [event.kind for event in events(path)]


def of_kind(path: Any, kind: str) -> list[Event]:
    return [event for event in events(path) if event.kind == kind]


def report(path: Any) -> dict[str, Any]:
    reader = TraceReader(path, allow_unsealed=False)
    collections.deque(reader, 0)
    return reader.report()


def run(code: str, *arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own, with this backend and these sources."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


# -- the names -------------------------------------------------------------------------------


def test_the_package_gives_its_public_names_and_no_others() -> None:
    """`__all__` is the contract; each of its names is there."""
    assert set(agenttrace.__all__) == {
        "AgentTraceError", "ChecksumError", "Divergence", "Event", "Finding", "ReplayError",
        "Replayer", "TraceFormatError", "TraceReader", "Tracer", "TruncatedTraceError",
        "UnsupportedVersionError",
    }  # fmt: skip
    assert all(getattr(agenttrace, name) for name in agenttrace.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Recorder'"):
        _ = agenttrace.Recorder


def test_errors_form_one_tree() -> None:
    """Everything of ours is an AgentTraceError; the branches are those of errors.py."""
    assert issubclass(TraceFormatError, AgentTraceError)
    for branch in (ChecksumError, TruncatedTraceError, UnsupportedVersionError):
        assert issubclass(branch, TraceFormatError)
    assert issubclass(ReplayError, AgentTraceError)
    assert issubclass(Divergence, ReplayError)


# -- Tracer: a whole trace -------------------------------------------------------------------


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


# -- Tracer: errors --------------------------------------------------------------------------


def test_an_exception_makes_the_trace_an_error_and_goes_on(path: pathlib.Path) -> None:
    """The agent's exception is told with its stack and is not swallowed."""
    with pytest.raises(KeyError), Tracer(path) as tracer, tracer.span("plan"):
        raise KeyError("city")
    assert kinds(path) == ["trace_start", "span_start", "span_end", "error", "trace_end"]
    _, _, span_end, error, end = events(path)
    assert span_end.data["status"] == "error"
    assert span_end.data["error"]["type"] == "KeyError"
    assert "test_library.py" in error.data["stack"]
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


# -- Tracer: files ---------------------------------------------------------------------------


def test_a_trace_file_is_closed_to_others(path: pathlib.Path) -> None:
    """Traces hold prompts: 0600."""
    with Tracer(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_path_gets_a_new_trace_behind_what_is_there(path: pathlib.Path) -> None:
    """Two runs, two traces, each whole."""
    for _ in range(2):
        with Tracer(path) as tracer:
            tracer.log("x")
    assert report(path)["traces"] == 2
    assert report(path)["status"] == "intact"


def test_a_torn_tail_does_not_weld_to_the_next_trace(path: pathlib.Path) -> None:
    """LF first: the torn line is damage, the new trace is whole."""
    with Tracer(path) as tracer:
        tracer.log("x")
    path.write_bytes(path.read_bytes()[:-30])
    with Tracer(path) as tracer:
        tracer.log("y")
    found = report(path)
    assert [finding.kind for finding in found["findings"]] == ["malformed", "no_end"]
    assert kinds(path)[-3:] == ["trace_start", "log", "trace_end"]


def test_a_second_writer_is_refused(path: pathlib.Path) -> None:
    """A path that another writer holds is a clear error, and free once that one has closed."""
    with Tracer(path), pytest.raises(AgentTraceError, match="another writer"):
        Tracer(path)
    Tracer(path).close()
    assert report(path)["status"] == "intact"


def test_a_packed_trace_reads_the_same(tmp_path: pathlib.Path) -> None:
    """A name that ends in .zst packs; a second run adds to it."""
    if _backend.BACKEND == "pure":
        pytest.importorskip("zstandard")
    path = tmp_path / "run.jsonl.zst"
    for _ in range(2):
        with Tracer(path) as tracer:
            tracer.log("x" * 1000)
    assert path.read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
    assert report(path)["status"] == "intact"
    assert kinds(path) == ["trace_start", "log", "trace_end"] * 2


@pytest.mark.parametrize("names", [("a.jsonl", "a.jsonl.zst"), ("a.jsonl.zst", "a.jsonl")])
def test_a_trace_is_not_added_in_another_form(
    tmp_path: pathlib.Path, names: tuple[str, str]
) -> None:
    """Packed lines behind plain ones, or the other way round, could not be read."""
    if _backend.BACKEND == "pure":
        pytest.importorskip("zstandard")
    Tracer(tmp_path / names[0]).close()
    (tmp_path / names[0]).rename(tmp_path / names[1])
    with pytest.raises(AgentTraceError, match="against its name"):
        Tracer(tmp_path / names[1])


def test_a_link_is_not_written_through(tmp_path: pathlib.Path) -> None:
    """Who can put a link there must not choose the file that is written."""
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(AgentTraceError, match="symbolic link"):
        Tracer(tmp_path / "link.jsonl")
    assert not (tmp_path / "target").exists()


def test_what_the_system_raises_stays_what_it_is(tmp_path: pathlib.Path) -> None:
    """FileNotFoundError is not wrapped."""
    with pytest.raises(FileNotFoundError):
        Tracer(tmp_path / "nowhere" / "run.jsonl")
    with pytest.raises(FileNotFoundError):
        TraceReader(tmp_path / "nowhere.jsonl")
    with pytest.raises(IsADirectoryError):
        TraceReader(tmp_path)


def test_without_a_path_the_trace_goes_to_the_trace_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AGENTTRACE_DIR, made 0700 if it is missing."""
    monkeypatch.delenv("AGENTTRACE_SOCKET", raising=False)
    monkeypatch.setenv("AGENTTRACE_DIR", str(tmp_path / "traces"))
    with Tracer(name="../../escape") as tracer:
        pass
    assert tracer.path is not None
    assert pathlib.Path(tracer.path).parent == tmp_path / "traces"
    assert stat.S_IMODE((tmp_path / "traces").stat().st_mode) == 0o700
    assert report(tracer.path)["status"] == "intact"


def test_batches_reach_the_file_at_the_latest_when_it_is_closed(path: pathlib.Path) -> None:
    """flush="batch" gathers; nothing is lost at the end."""
    with Tracer(path, flush="batch") as tracer:
        for number in range(1000):
            tracer.log(str(number))
    assert report(path)["status"] == "intact"
    assert len(of_kind(path, "log")) == 1000


def test_each_event_is_in_the_file_at_once(path: pathlib.Path) -> None:
    """flush="event", the default, and "sync": what was written survives a kill."""
    for flush in ("event", "sync"):
        code = """
            import os, sys
            from agenttrace import Tracer
            tracer = Tracer(sys.argv[1], flush=sys.argv[2])
            tracer.log("there")
            os.kill(os.getpid(), 9)
        """
        assert run(code, f"{path}.{flush}", flush).returncode == -9
        assert kinds(f"{path}.{flush}") == ["trace_start", "log"]
        assert report(f"{path}.{flush}")["status"] == "incomplete"


def test_an_unknown_flush_leaves_nothing_behind(path: pathlib.Path) -> None:
    """A wrong argument is told before the file is touched."""
    with pytest.raises(ValueError, match="flush"):
        Tracer(path, flush="sometimes")
    assert not path.exists()


def test_a_full_disk_is_an_oserror_and_the_file_stays_whole(path: pathlib.Path) -> None:
    """What was written before stays readable; the line that didn't fit is not half there."""
    code = """
        import resource, signal, sys
        from agenttrace import Tracer
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        tracer = Tracer(sys.argv[1])
        tracer.log("small")
        try:
            tracer.log("x" * 10000)
        except OSError as error:
            print(error.errno)
        tracer.log("small again")
        tracer.close()
    """
    ended = run(code, path)
    assert ended.stdout.strip() == str(errno.EFBIG), ended.stderr
    assert [event.data["message"] for event in of_kind(path, "log")] == ["small", "small again"]
    assert report(path)["status"] == "intact"


# -- Tracer: spans ---------------------------------------------------------------------------


def _parents(path: Any) -> dict[str, str | None]:
    """The name of each span's parent."""
    started = of_kind(path, "span_start")
    name_of = {event.span_id: event.data["name"] for event in started}
    return {
        event.data["name"]: name_of.get(event.parent_span_id) if event.parent_span_id else None
        for event in started
    }


def test_spans_nest(path: pathlib.Path) -> None:
    """A span inside a span is its child; what is beside it is not."""
    with Tracer(path) as tracer:
        with tracer.span("a"):
            with tracer.span("b"), tracer.span("c"):
                tracer.log("inside c")
            with tracer.span("d"):
                pass
        with tracer.span("e"):
            pass
        tracer.log("outside")
    assert _parents(path) == {"a": None, "b": "a", "c": "b", "d": "a", "e": None}
    inside, outside = of_kind(path, "log")
    assert inside.span_id == next(
        event.span_id for event in of_kind(path, "span_start") if event.data["name"] == "c"
    )
    assert outside.span_id is None


def test_tasks_have_spans_of_their_own(path: pathlib.Path) -> None:
    """Concurrent tasks nest under where they were started, not under each other."""

    async def work(tracer: Tracer, name: str) -> None:
        with tracer.span(name):
            await asyncio.sleep(0.001)
            with tracer.span(name + "/inner"):
                await asyncio.sleep(0.001)

    async def main() -> None:
        with Tracer(path) as tracer, tracer.span("all"):
            await asyncio.gather(*(work(tracer, name) for name in "abc"))

    asyncio.run(main())
    assert _parents(path) == {
        "all": None, "a": "all", "b": "all", "c": "all",
        "a/inner": "a", "b/inner": "b", "c/inner": "c",
    }  # fmt: skip


def test_threads_that_carry_the_context_nest(path: pathlib.Path) -> None:
    """asyncio.to_thread and Context.run carry it; a bare thread begins at the top."""

    def work(tracer: Tracer, name: str) -> None:
        with tracer.span(name):
            pass

    with Tracer(path) as tracer, tracer.span("outer"):
        context = contextvars.copy_context()
        for target in (
            lambda: context.run(work, tracer, "carried"),
            lambda: work(tracer, "bare"),
        ):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert _parents(path)["carried"] == "outer"


def test_generators_that_take_turns_leave_no_span_behind(path: pathlib.Path) -> None:
    """Spans in interleaved generators end out of order; afterwards none of them is current."""

    def work(tracer: Tracer, name: str) -> Iterator[None]:
        with tracer.span(name):
            yield
            yield

    with Tracer(path) as tracer:
        for _ in itertools.zip_longest(work(tracer, "a"), work(tracer, "b")):
            pass
        with tracer.span("after"):
            pass
    assert _parents(path)["after"] is None


def test_a_generator_that_is_given_up_ends_its_span(path: pathlib.Path) -> None:
    """Also in another context than it ran in, and that is no error."""

    def work(tracer: Tracer) -> Iterator[int]:
        with tracer.span("given up"):
            yield 1

    with Tracer(path) as tracer:
        generator = work(tracer)
        contextvars.copy_context().run(next, generator)
        del generator
        gc.collect()
        with tracer.span("after"):
            pass
    assert _parents(path)["after"] is None
    assert [event.data["name"] for event in of_kind(path, "span_end")] == ["given up", "after"]
    assert of_kind(path, "span_end")[0].data["status"] == "ok"


def test_a_decorated_function_is_a_tool(path: pathlib.Path) -> None:
    """Arguments by name, the result, and the function as it was."""
    with Tracer(path) as tracer:

        @tracer.tool
        def forecast(city: str, days: int = 1) -> dict[str, Any]:
            """Looks it up."""
            return {"temp_c": 4}

        assert forecast("Zürich", days=2) == {"temp_c": 4}
        with pytest.raises(TypeError):
            forecast()  # type: ignore[call-arg]
    assert forecast.__doc__ == "Looks it up."
    first = of_kind(path, "tool_call")[0].data
    assert (first["name"], first["arguments"]) == ("forecast", {"city": "Zürich", "days": 2})
    assert first["seen_by"] == "tracer"
    assert of_kind(path, "tool_result")[0].data["output"] == {"temp_c": 4}


def test_a_decorated_coroutine_is_a_tool(path: pathlib.Path) -> None:
    """The result is what it returns once awaited, and spans inside it are its children."""

    async def main() -> None:
        with Tracer(path) as tracer:

            @tracer.tool
            async def forecast(city: str) -> str:
                await asyncio.sleep(0.001)
                tracer.log("looked up")
                return "rain"

            assert await asyncio.gather(forecast("Bern"), forecast("Basel")) == ["rain", "rain"]

    asyncio.run(main())
    results = of_kind(path, "tool_result")
    assert [result.data["output"] for result in results] == ["rain", "rain"]
    assert {log.span_id for log in of_kind(path, "log")} == {result.span_id for result in results}


def test_something_built_in_can_be_a_tool(path: pathlib.Path) -> None:
    """What has no signature that Python knows is called as it is."""
    with Tracer(path) as tracer:
        assert tracer.tool(max)(3, 5) == 5
    assert of_kind(path, "tool_call")[0].data["arguments"] == {"args": [3, 5]}


# -- Tracer: threads and processes -----------------------------------------------------------


def test_threads_write_one_whole_trace(path: pathlib.Path) -> None:
    """Numbers without a gap, every event there, the totals right."""

    def work(tracer: Tracer, number: int) -> None:
        for step in range(200):
            with tracer.tool_call("f", {"thread": number, "step": step}):
                pass

    with Tracer(path) as tracer:
        threads = [threading.Thread(target=work, args=(tracer, n)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert report(path)["status"] == "intact"
    assert [event.seq for event in events(path)] == list(range(8 * 200 * 2 + 2))
    assert events(path)[-1].data["totals"]["tool_calls"] == 1600


def test_a_finalizer_in_the_midst_of_a_write_does_not_hang(path: pathlib.Path) -> None:
    """An event that is told while this thread writes another one comes after it."""
    tracer = Tracer(path)
    writer = tracer._sink._writer  # type: ignore[attr-defined]

    class Interrupted:
        is_done = False

        def write(self, *event: Any) -> int:
            if not self.is_done:
                self.is_done = True
                tracer.log("from within")
            return writer.write(*event)

        def __getattr__(self, name: str) -> Any:
            return getattr(writer, name)

    tracer._sink._writer = Interrupted()  # type: ignore[attr-defined]
    tracer.log("first")
    tracer.close()
    assert [event.data["message"] for event in of_kind(path, "log")] == ["first", "from within"]


def test_a_forked_child_goes_on_in_a_file_beside_it(path: pathlib.Path) -> None:
    """It names its parent; the parent's trace is untouched, and the parent's to end."""
    folder = path.parent / "runs.jsonl.d"
    folder.mkdir()
    code = """
        import os, sys
        from agenttrace import Tracer
        with Tracer(sys.argv[1]) as tracer:
            tracer.log("before")
            pid = os.fork()
            if pid == 0:
                tracer.log("in the child")
                tracer.close()
                os._exit(0)
            os.waitpid(pid, 0)
            silent = os.fork()
            if silent == 0:
                tracer.close()
                os._exit(0)
            os.waitpid(silent, 0)
            tracer.log("after")
        print(pid)
    """
    ended = run(code, folder / "run.jsonl")
    assert ended.stderr == ""
    pid = ended.stdout.strip()
    assert sorted(os.listdir(folder)) == sorted(["run.jsonl", f"run.{pid}.jsonl"])
    assert kinds(folder / "run.jsonl") == ["trace_start", "log", "log", "trace_end"]
    child = events(folder / f"run.{pid}.jsonl")
    assert [event.kind for event in child] == ["trace_start", "log", "trace_end"]
    parent_id = events(folder / "run.jsonl")[0].trace_id
    assert child[0].data["parent"] == {"trace_id": parent_id, "why": "fork"}
    for name in os.listdir(folder):
        assert report(folder / name)["status"] == "intact"


# -- values ----------------------------------------------------------------------------------


class Color(enum.Enum):
    """An Enum whose value is no string."""

    RED = 1


class Number(float, enum.Enum):
    """An Enum whose value JSON lacks."""

    NAN = math.nan


class Word(str):
    """A string of another type."""


@dataclasses.dataclass
class Point:
    """A dataclass with a value that JSON lacks."""

    x: int
    where: pathlib.Path


class Model:
    """What pydantic models look like from outside."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        return {"mode": mode}


class Array:
    """What numpy's arrays look like from outside."""

    def tolist(self) -> list[Any]:
        return [1, [2.5, math.nan]]


class Hostile:
    """Fails whatever it is asked."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("no")


_RELEASED = memoryview(b"gone")
_RELEASED.release()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (math.nan, "NaN"),
        ([math.inf, -math.inf, 1.5, None], ["Infinity", "-Infinity", 1.5, None]),
        (Number.NAN, "NaN"),
        (b"text", "text"),
        (bytearray("ü".encode()), "ü"),
        (b"\xff\x00", {"base64": "/wA="}),
        (memoryview(b"view"), "view"),
        (
            datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc),
            "2026-01-02T03:04:00+00:00",
        ),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.time(3, 4), "03:04:00"),
        (datetime.timedelta(minutes=1.5), 90.0),
        (pathlib.PurePosixPath("/tmp/x"), "/tmp/x"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.10"), "1.10"),
        (fractions.Fraction(1, 3), "1/3"),
        (1 + 2j, "(1+2j)"),
        (Color.RED, 1),
        (Point(1, pathlib.PurePosixPath("a")), {"x": 1, "where": "a"}),
        (Model(), {"mode": "json"}),
        (Array(), [1, [2.5, "NaN"]]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset(["b", "a"]), ["a", "b"]),
        ((1, (2,)), [1, [2]]),
        (range(3), [0, 1, 2]),
        (collections.deque([1]), [1]),
        ({"a": 1}.keys(), ["a"]),
        (
            {2: "a", None: "b", True: "c", Color.RED: "d"},
            {"2": "a", "null": "b", "true": "c", "1": "d"},
        ),
        ({(1, 2): "x"}, {"(1, 2)": "x"}),
        ("\ud800 \U0001f600", "\ufffd \U0001f600"),
        ({"\udfff": 1}, {"\ufffd": 1}),
        (Word("w"), "w"),
        (2**64, 2**64),
        (-(2**200), -(2**200)),
        (ValueError("x"), "ValueError('x')"),
        (len, "<built-in function len>"),
        (_RELEASED, repr(_RELEASED)),
    ],
)
def test_a_value_that_json_lacks_is_written_in_its_documented_way(value: Any, written: Any) -> None:
    """The table in encoding.py, row by row; the same alone and inside something large."""
    assert json.loads(encoding.encode({"x": value})) == {"x": written}
    large = {"x": value, "rest": [[number] for number in range(200)]}
    assert json.loads(encoding.encode(large))["x"] == written


def _nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def _cycle() -> Any:
    value: dict[str, Any] = {}
    value["self"] = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        _nested(110),
        _nested(260),
        _nested(5000),
        {"wide": [[]] * 500, "deep": _nested(150)},
        [{"set of deep": (part for part in ())}, {1}, _nested(95)],
        _cycle(),
        Hostile(),
        [Hostile()] * 3,
        10**6000,
        itertools.count(),
        range(10**12),
        (step for step in range(3)),
        io.BytesIO(b"x"),
        object,
        threading.Lock(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_value_breaks_an_event(path: pathlib.Path, value: Any) -> None:
    """Whatever a program holds goes in, within the format's limits, and comes out as JSON."""
    with Tracer(path) as tracer:
        tracer.event("odd", {"value": value})
    (event,) = of_kind(path, "odd")
    _backend.compact_json(event.data_json, _backend.MAX_DEPTH - 1)
    assert report(path)["status"] == "intact"


def test_an_iterator_is_not_read() -> None:
    """Its values are the agent's."""
    steps = iter([1, 2])
    encoding.encode({"steps": steps})
    assert list(steps) == [1, 2]


# -- TraceReader -----------------------------------------------------------------------------


def test_an_event_says_what_its_line_says(path: pathlib.Path) -> None:
    """The members, the data, and the line itself byte for byte."""
    with Tracer(path) as tracer, tracer.span("outer") as outer:
        tracer.log("hello")
    assert b"".join(event.raw for event in events(path)) == path.read_bytes()
    log = of_kind(path, "log")[0]
    line = json.loads(log.raw)
    assert (log.v, log.trace_id, log.ts, log.seq, log.kind) == (
        line["v"], line["trace_id"], line["ts"], line["seq"], line["kind"],
    )  # fmt: skip
    assert log.span_id == outer.span_id
    assert (log.data, log.crc32c) == (line["data"], line["crc32c"])
    assert abs(log.ts_ns - time.time_ns()) < 60e9
    assert repr(log) == f"Event(seq=2, kind='log', span_id='{outer.span_id}')"
    assert log == Event(log.raw)
    assert len({log, Event(log.raw)}) == 1


def test_an_event_of_a_bad_line_raises_what_is_wrong() -> None:
    """Nothing is taken from a line that does not open."""
    good = (VECTORS / "whole.jsonl").read_bytes().split(b"\n")[0]
    with pytest.raises(ChecksumError):
        _ = Event(good.replace(b'"seq":0', b'"seq":1')).seq
    with pytest.raises(TraceFormatError):
        _ = Event(b"{}").kind


def test_sealed_data_that_is_not_json_is_a_format_error() -> None:
    """A seal says that bytes are as they were written, not that they are JSON."""
    line = b'{"v":1,"trace_id":"%s","ts":"2026-11-22T06:40:00.123456789Z","seq":0,"kind":"log","data":{no}}'
    event = Event(_backend.seal(line % (b"1" * 32)))
    assert event.kind == "log"
    with pytest.raises(TraceFormatError, match="not JSON"):
        _ = event.data


def test_a_trace_is_read_from_a_path_a_file_or_standard_input(path: pathlib.Path) -> None:
    """Three sources, the same events; a file that was given open stays open."""
    whole = (VECTORS / "whole.jsonl").read_bytes()
    path.write_bytes(whole)
    code = "from agenttrace import TraceReader; print(sum(1 for _ in TraceReader('-')))"
    piped = subprocess.run(
        [sys.executable, "-c", code],
        input=whole,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert int(piped.stdout) == whole.count(b"\n")
    assert events(path) == events(str(path)) == events(io.BytesIO(whole))
    with open(path, "rb") as file:
        assert len(events(file)) == whole.count(b"\n")
        assert not file.closed


def test_a_reader_is_lazy_and_closes_what_it_opened(path: pathlib.Path) -> None:
    """A loop that is left early leaves no open file; with an error neither."""
    with Tracer(path) as tracer:
        for _ in range(5000):
            tracer.log("x" * 200)
    reader = TraceReader(path)
    assert next(iter(reader)).seq == 0
    gc.collect()
    assert reader._file.closed
    with TraceReader(path) as unread:
        pass
    assert unread._file.closed


def test_start_skips_to_a_number(path: pathlib.Path) -> None:
    """start=N: the first event is N; a conversation is whole all the same."""
    assert [event.seq for event in events(VECTORS / "whole.jsonl", start=8)][0] == 8
    late = events(VECTORS / "whole.jsonl", start=6, full=True)[0]
    expected = json.loads((VECTORS / "whole.seq6-expanded.json").read_bytes())
    assert late.data["request"] == expected


def _found(path: Any, **how: Any) -> list[str]:
    reader = TraceReader(path, **how)
    collections.deque(reader, 0)
    return [finding.kind for finding in reader.findings]


def test_damage_is_left_out_and_told() -> None:
    """The good lines pass, before and behind; the finding says where, expected and got."""
    reader = TraceReader(VECTORS / "flipped.jsonl")
    seqs = [event.seq for event in reader]
    assert 4 not in seqs
    assert {3, 5} <= set(seqs)
    first = reader.findings[0]
    assert (first.kind, first.line) == ("checksum_mismatch", 5)
    raw = (VECTORS / "flipped.jsonl").read_bytes()
    assert raw[first.offset :].startswith(b'{"v":')
    assert raw[: first.offset].count(b"\n") == 4
    assert first.expected != first.got
    assert reader.report()["status"] == "corrupt"


EXPECTED = json.loads((VECTORS / "expected.json").read_bytes())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_reader_judges_as_the_vectors_say(name: str) -> None:
    """The status of every vector."""
    assert report(VECTORS / name)["status"] == EXPECTED[name]["status"]


@pytest.mark.parametrize(
    ("name", "error", "before"),
    [
        ("flipped.jsonl", ChecksumError, [0, 1, 2, 3]),
        ("cut.jsonl", TruncatedTraceError, list(range(7))),
        ("no-end.jsonl", TruncatedTraceError, list(range(11))),
        ("newer.jsonl", UnsupportedVersionError, None),
        ("gone.jsonl", TraceFormatError, [0, 1, 2, 3, 4]),
        ("welded.jsonl", TraceFormatError, [0, 1, 2, 3]),
        ("empty.jsonl", TraceFormatError, []),
    ],
)
def test_strict_raises_at_the_first_finding(
    name: str, error: type[TraceFormatError], before: list[int] | None
) -> None:
    """The events before it come first, and the right class says what kind it is."""
    seen = []
    reader = TraceReader(VECTORS / name, strict=True)
    with pytest.raises(error) as caught:  # noqa: PT012
        for event in reader:
            seen.append(event.seq)
    assert type(caught.value) is error
    assert caught.value.finding is reader.findings[0]
    assert before is None or seen == before
    assert reader._file.closed


def test_strict_reads_a_whole_trace_to_its_end() -> None:
    """Nothing to raise at; a selection does not change what is found."""
    assert len(events(VECTORS / "whole.jsonl", strict=True)) == len(events(VECTORS / "whole.jsonl"))
    selection = _backend.Selection(kinds=["llm_request"])
    chosen = events(VECTORS / "whole.jsonl", strict=True, selection=selection)
    assert {event.kind for event in chosen} == {"llm_request"}
    seen = []
    with pytest.raises(ChecksumError):  # noqa: PT012
        for event in TraceReader(VECTORS / "flipped.jsonl", strict=True, selection=selection):
            seen.append(event)
    assert all(event.seq < 4 for event in seen)


def test_judging_parts_waives_what_parts_lack() -> None:
    """judge="partial" for filtered traces, "lines" for each line alone."""
    assert "sequence_gap" in _found(VECTORS / "gone.jsonl")
    assert _found(VECTORS / "gone.jsonl", judge="partial") == []
    assert _found(VECTORS / "no-start.jsonl", judge="lines") == []
    assert "sequence_repeat" in _found(VECTORS / "twice.jsonl", judge="partial")


def test_a_base_that_is_missing_is_told_once() -> None:
    """The request that can't be had in full is left out, with one finding of its own kind."""
    reader = TraceReader(VECTORS / "no-base.jsonl", full=True)
    seqs = [event.seq for event in reader]
    told = [finding for finding in reader.findings if finding.kind == "missing_base"]
    assert [finding.seq for finding in told] == [6]
    assert 6 not in seqs
    alone = TraceReader(VECTORS / "no-base.jsonl", full=True, judge="lines")
    collections.deque(alone, 0)
    assert [(finding.kind, finding.seq) for finding in alone.findings] == [("missing_base", 6)]


def test_a_reader_follows_a_trace_to_its_end(path: pathlib.Path) -> None:
    """follow=True hands on each event as it is written, and ends with trace_end."""
    tracer = Tracer(path)
    seen: list[str] = []
    arrived = threading.Event()

    def follow() -> None:
        for event in TraceReader(path, follow=True):
            seen.append(event.kind)
            arrived.set()

    thread = threading.Thread(target=follow)
    thread.start()
    assert arrived.wait(5)
    arrived.clear()
    tracer.log("more")
    assert arrived.wait(5)
    tracer.close()
    thread.join(5)
    assert not thread.is_alive()
    assert seen == ["trace_start", "log", "trace_end"]


def test_following_a_pipe_ends_with_the_pipe() -> None:
    """Nothing comes after a pipe's end, whether the trace has ended or not."""
    read_end, write_end = os.pipe()
    os.write(write_end, (VECTORS / "no-end.jsonl").read_bytes())
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        assert len(events(pipe, follow=True)) == 11


def test_a_line_over_the_limit_is_dropped_as_it_streams_by(path: pathlib.Path) -> None:
    """max_line_bytes bounds memory; what follows is read."""
    with Tracer(path) as tracer:
        tracer.log("x" * 5000)
        tracer.log("short")
    reader = TraceReader(path, max_line_bytes=2000)
    assert [event.kind for event in reader] == ["trace_start", "log", "trace_end"]
    assert reader.findings[0].kind == "malformed"


# -- Replayer --------------------------------------------------------------------------------


@pytest.fixture
def recorded(path: pathlib.Path) -> pathlib.Path:
    """A run that was traced by hand."""
    with Tracer(path) as tracer:
        tracer.user_input("weather?")
        tracer.user_input("and tomorrow?")
        for text in ("rain", "sun"):
            request = {"model": "m", "messages": [{"role": "user", "content": "weather?"}]}
            with tracer.llm_request(provider="p", model="m", request=request) as call:
                call.response(text=text)
        with tracer.tool_call("forecast", {"city": "Zürich", "on": datetime.date(2026, 1, 2)}) as t:
            t.result({"temp_c": 4})
        with pytest.raises(OSError, match="offline"), tracer.tool_call("search", {"q": "x"}):
            raise OSError("offline")
    return path


def test_a_replayer_answers_by_hand(recorded: pathlib.Path) -> None:
    """Each answer once and in order, by what is asked; the order of keys doesn't matter."""
    replay = Replayer(recorded)
    assert [replay.user_input(), replay.user_input()] == ["weather?", "and tomorrow?"]
    request = {"messages": [{"content": "weather?", "role": "user"}], "model": "m"}
    assert [replay.llm_response(request)["text"] for _ in range(2)] == ["rain", "sun"]
    arguments = {"city": "Zürich", "on": datetime.date(2026, 1, 2)}
    assert replay.tool_result("forecast", arguments) == {"temp_c": 4}
    with pytest.raises(ReplayError, match="offline"):
        replay.tool_result("search", {"q": "x"})
    report = replay.report
    assert report["matched"] == 6
    assert report["unasked"] == []
    assert report["divergence"] is None


def test_a_replayer_says_what_was_not_asked(recorded: pathlib.Path) -> None:
    """The numbers of the recorded requests that nobody asked."""
    replay = Replayer(recorded)
    requests = [event.seq for event in of_kind(recorded, "llm_request")]
    assert replay.report["unasked"] == requests
    replay.llm_response({"model": "m", "messages": [{"role": "user", "content": "weather?"}]})
    assert replay.report["unasked"] == requests[1:]


def test_what_was_not_recorded_diverges(recorded: pathlib.Path) -> None:
    """Divergence names the nearest event and where it differs."""
    replay = Replayer(recorded)
    with pytest.raises(Divergence, match=r"messages\[0\].content") as caught:
        replay.llm_response({"model": "m", "messages": [{"role": "user", "content": "snow?"}]})
    assert caught.value.report is not None
    assert caught.value.report["nearest_seq"] == of_kind(recorded, "llm_request")[0].seq
    with pytest.raises(Divergence):
        replay.tool_result("unknown")
    for _ in range(2):
        replay.user_input()
    with pytest.raises(Divergence):
        replay.user_input()


def test_only_the_first_trace_of_a_file_is_replayed(recorded: pathlib.Path) -> None:
    """A second run behind it does not answer for the first."""
    with Tracer(recorded) as tracer:
        tracer.user_input("of the second run")
    replay = Replayer(recorded)
    assert [replay.user_input(), replay.user_input()] == ["weather?", "and tomorrow?"]
    with pytest.raises(Divergence):
        replay.user_input()


def test_a_file_without_a_trace_can_not_be_replayed(path: pathlib.Path) -> None:
    """ReplayError; a missing file stays what it is."""
    path.write_bytes(b"")
    with pytest.raises(ReplayError):
        Replayer(path)
    with pytest.raises(FileNotFoundError):
        Replayer(path.with_name("nowhere"))


def test_inside_a_replayer_no_connection_leaves(recorded: pathlib.Path) -> None:
    """Sockets are refused and told; afterwards they are as before."""
    import socket

    before = socket.socket.connect
    with (
        Replayer(recorded) as replay,
        socket.socket() as one,
        pytest.raises(ConnectionRefusedError),
    ):
        one.connect(("127.0.0.1", 9))
    assert socket.socket.connect is before
    assert replay.report["refused"] == ["('127.0.0.1', 9)"]


# -- the other backend -----------------------------------------------------------------------


@pytest.mark.skipif(_backend.BACKEND == "pure", reason="this is that backend")
def test_all_of_this_holds_with_the_pure_backend() -> None:
    """The same tests in a process where AGENTTRACE_BACKEND is pure."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__],
        env={**os.environ, "AGENTTRACE_BACKEND": "pure"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
