"""What the tests of the screens share: traces to show, screens as plain text, golden files."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Callable

from textual.pilot import Pilot
from textual.screen import Screen

from agenttrace import _backend
from agenttrace.tui.browser import Browser
from agenttrace.tui.index import LiveIndex
from agenttrace.tui.screens.trace import TraceScreen
from agenttrace.tui.widgets.detail import Detail

VECTORS = Path(__file__).parents[1] / "fixtures" / "vectors"
GOLDEN = Path(__file__).parent / "golden"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
START_NS = 1_795_675_200_000_000_000

Act = Callable[[Pilot[None]], Awaitable[None]]


def compact(data: dict[str, Any]) -> bytes:
    """JSON as a line holds it."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


class TraceFile:
    """Writes a trace for a test, 100 ms between its events."""

    def __init__(self, path: Path, *, compress: bool = False, trace_id: str = TRACE_ID) -> None:
        self.path = path
        self._fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._writer = _backend.Writer(self._fd, trace_id, flush="batch", compress=compress)
        self._ts_ns = START_NS

    def add(
        self, kind: str, span: int | None = None, parent: int | None = None, **data: Any
    ) -> None:
        """One event; spans are told by small numbers."""
        self._ts_ns += 100_000_000
        ids = [None if number is None else f"{number:016x}" for number in (span, parent)]
        self._writer.write(kind, compact(data), ids[0], ids[1], self._ts_ns)

    def end(self, **data: Any) -> Path:
        """Closes the trace, well ended."""
        self._writer.end(compact({"status": "ok", "exit_code": 0, **data}), self._ts_ns)
        return self.cut_off()

    def cut_off(self) -> Path:
        """Closes the file without a trace_end."""
        self._writer.flush()
        os.close(self._fd)
        return self.path


def write_weather(path: Path, *, compress: bool = False, chunks: int = 12) -> Path:
    """A short run: a span with two model calls and their tools, of which one fails."""
    trace = TraceFile(path, compress=compress)
    trace.add("trace_start", name="weather agent", command=["python", "agent.py"])
    trace.add("span_start", 1, name="plan the trip")
    trace.add("user_input", 1, text="Is it cold in Zürich?\nAnd in Genève?")
    said: list[Any] = [
        {"role": "system", "content": "You answer in one sentence. " + "Be brief. " * 30},
        {"role": "user", "content": "Is it cold in Zürich?"},
    ]
    for call in (0, 1):
        _write_call(trace, call, said, chunks)
    trace.add("stdout", text="4 degrees.\n", fd=1, tty=False)
    trace.add("span_end", 1, name="plan the trip", status="ok", duration_ns=5_100_000_000)
    totals = {"llm_calls": 2, "tool_calls": 2, "errors": 1, "input_tokens": 165, "cost_usd": 0.0123}
    return trace.end(duration_ns=11_000_000_000, totals=totals)


def _write_call(trace: TraceFile, call: int, said: list[Any], chunks: int) -> None:
    span = 16 + call
    request = {"model": "gpt-5", "messages": list(said)}
    trace.add("llm_request", span, 1, provider="openai", model="gpt-5", request=request)
    for _ in range(chunks):
        trace.add("llm_chunk", span, 1, text='data: {"delta":{"content":"Let me"}}\n\n')
    asked = {"id": f"call_{call}", "name": "forecast", "arguments": {"city": "Zürich"}}
    usage = {"input_tokens": 70, "output_tokens": 12}
    trace.add(
        "llm_response",
        span,
        1,
        complete=True,
        text="I look it up.",
        tool_calls=[asked],
        usage=usage,
    )
    trace.add("tool_call", 32 + call, span, **{**asked, "call_id": asked["id"]})
    failed = call == 1
    output = "Traceback:\n  line 7\nTimeoutError" if failed else '{"temp_c":4}'
    trace.add("tool_result", 32 + call, span, name="forecast", output=output, is_error=failed)
    said.append({"role": "assistant", "content": "I look it up."})
    said.append({"role": "tool", "tool_call_id": asked["id"], "content": output})


def screen_text(pilot: Pilot[None]) -> str:
    """What is on the screen, as lines of text without the spaces at their ends."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


async def settle(pilot: Pilot[None]) -> str:
    """Waits until the threads are done and the screen stands still; its text."""
    last = ""
    for _ in range(100):
        await pilot.pause(0.07)
        text = screen_text(pilot)
        details = pilot.app.screen.query(Detail)
        is_busy = "eading " in text or "so far" in text or any(d.is_building for d in details)
        if text == last and not is_busy:
            return text
        last = text
    raise AssertionError(f"the screen does not come to rest:\n{last}")


def play(screen: Screen[None], act: Act, size: tuple[int, int] = (80, 24)) -> None:
    """Runs the browser on a screen without a terminal, and `act` with it."""

    async def _play() -> None:
        async with Browser(screen).run_test(size=size) as pilot:
            await settle(pilot)
            await act(pilot)

    asyncio.run(_play())


def trace_screen(path: Path) -> TraceScreen:
    """The screen of a trace, called by its file's name."""
    return TraceScreen(LiveIndex(str(path), path.name))


def loaded(path: Path | int, name: str = "trace") -> LiveIndex:
    """An index that has read all."""
    index = LiveIndex(path if isinstance(path, int) else str(path), name)
    index.start()
    index.wait(60)
    assert index.is_complete
    return index


def check_golden(name: str, text: str) -> None:
    """Compares with the golden screen; AGENTTRACE_UPDATE_GOLDEN=1 writes it anew."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("AGENTTRACE_UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{name} looks different from {path}"
