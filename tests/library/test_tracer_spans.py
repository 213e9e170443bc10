"""Tracer: spans and tools, in tasks, generators, threads and processes."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import itertools
import os
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from agenttrace import (
    Tracer,
)
from tests.library.reading import events, kinds, of_kind, report, run


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
    """Both events are written, also where Python runs within a write: in the careful way, which is forced here."""
    tracer = Tracer(path)
    tracer._sink.sure = None
    recording = tracer._sink._recording  # type: ignore[attr-defined]

    class Interrupted:
        is_done = False

        def write(self, *event: Any) -> None:
            if not self.is_done:
                self.is_done = True
                tracer.log("from within")
            recording.write(*event)

        def __getattr__(self, name: str) -> Any:
            return getattr(recording, name)

    tracer._sink._recording = Interrupted()  # type: ignore[attr-defined]
    tracer.log("first")
    tracer.close()
    messages = [event.data["message"] for event in of_kind(path, "log")]
    assert sorted(messages) == ["first", "from within"]


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


def test_no_two_spans_share_an_id_over_threads_and_forks(path: pathlib.Path) -> None:
    """Ids are drawn ahead, many at a time: what was drawn before a fork is the parent's alone."""
    code = """
        import os, threading
        from agenttrace.tracer_context import new_span_id
        ids = [new_span_id()]
        def draw():
            drawn = [new_span_id() for _ in range(1000)]
            ids.extend(drawn)
        for _ in range(2):
            read_end, write_end = os.pipe()
            pid = os.fork()
            drawn = [new_span_id() for _ in range(100)]
            if pid == 0:
                os.write(write_end, " ".join(drawn).encode())
                os._exit(0)
            os.waitpid(pid, 0)
            ids += drawn + os.read(read_end, 1 << 16).decode().split()
        threads = [threading.Thread(target=draw) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(len(ids), len(set(ids)), {len(one) for one in ids})
        """
    ended = run(code, path)
    assert ended.stdout.split() == ["8401", "8401", "{16}"]


def test_a_span_of_another_tracer_is_current_from_then_on(path: pathlib.Path) -> None:
    """Nobody looks for a current span before there is one; then every tracer does."""
    code = """
        import sys
        from agenttrace import Tracer
        with Tracer(sys.argv[1]) as tracer, Tracer(sys.argv[1] + "-other.jsonl") as other:
            tracer.log("before")
            with other.span("work") as span:
                tracer.log(span.span_id)
            tracer.log("behind")
        """
    run(code, path)
    before, inside, behind = of_kind(path, "log")
    assert (before.span_id, behind.span_id) == (None, None)
    assert inside.span_id == inside.data["message"]
