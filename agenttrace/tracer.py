"""Tracer: what a program says of itself, as events of a trace."""

from __future__ import annotations

import functools
import inspect
import os
import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from agenttrace import encoding, tracer_context
from agenttrace.encoding import MAX_DEPTH, OPTIONS, default, dumps
from agenttrace.errors import TracerClosedError
from agenttrace.trace_sink import UNSURE, ChannelSink, FileSink, Sink, process_channel
from agenttrace.tracer_context import Place, current_span, current_tracer, enter, leave, new_span_id

_Function = TypeVar("_Function", bound=Callable[..., Any])

_KIND = re.compile(r"[a-z][a-z0-9_]*\Z")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}\Z")

__all__ = ["Tracer", "current_tracer"]


class Tracer:
    """Writes events: into the recorder's trace under `agenttrace record`, else into a trace file of its own.

    path: a path is always a file of its own (a new trace behind what is there); without one, the
    recorder's trace, or a new file in the trace folder. name: of the trace. flush: "event" writes
    each event at once, "batch" gathers up to 64 KiB, "sync" also waits for the disk at each event.
    redact: keep secrets out, as `agenttrace record` does; a regular expression, or a list of them, names further
    ones (ValueError for a bad one; in a recorder's trace its own rules hold). capture: record this process's HTTP too,
    as `agenttrace record` does from outside.

    Safe from any thread. A forked child goes on in a file beside it that names its parent (in a
    recorder's trace: there). Raises AgentTraceError if another writer holds the path, OSError if it
    can't be opened. A write that fails later never raises: it is told once on standard error,
    counted, and told in a `gap` when writing works again.
    """

    def __init__(
        self,
        path: str | bytes | os.PathLike[str] | None = None,
        *,
        name: str | None = None,
        flush: str = "event",
        redact: bool | Sequence[str] = True,
        capture: bool = False,
    ) -> None:
        self._sink: Sink
        channel = process_channel() if path is None else None
        if channel is None:
            self._sink = FileSink(path, name=name, flush=flush, redact=redact, capture=capture)
        else:
            self._sink = ChannelSink(channel)
        self._outer: Tracer | None = None
        self._closed = False

    @property
    def path(self) -> str | None:
        """The trace file; None inside a recorder's trace."""
        return self._sink.path

    @property
    def trace_id(self) -> str | None:
        """The trace; None inside a recorder's trace, which has its own."""
        return self._sink.trace_id

    # -- events ------------------------------------------------------------------------------

    def event(
        self,
        kind: str,
        data: Mapping[str, Any],
        *,
        span_id: str | None = None,
        parent_span_id: str | None = None,
    ) -> None:
        """Writes one event of any kind. Without span_id it belongs to the current span.

        ValueError: no kind ([a-z][a-z0-9_]*), or one that the tracer alone writes; no id (16 lower-case hex digits).
        """
        if kind in ("trace_start", "trace_end") or not _KIND.match(kind):
            raise ValueError(f"no kind for an event of yours: {kind!r}")
        for given in (span_id, parent_span_id):
            if given is not None and not _SPAN_ID.match(given):
                raise ValueError(f"no id of a span, 16 lower-case hex digits: {given!r}")
        if span_id is None:
            span = current_span.get()
            span_id = span[0] if span else None
        self._sink.write(kind, data, span_id, parent_span_id)

    def _emit(self, kind: str, data: Mapping[str, Any]) -> None:
        """An event of a kind of ours, in the current span."""
        span = current_span.get()
        self._sink.write(kind, data, span[0] if span else None, None)

    def user_input(self, text: str) -> None:
        """What a person said to the agent."""
        self._sink.write("user_input", {"text": text})

    def log(self, message: str, *, level: str = "info", **attributes: Any) -> None:
        """A remark of the program. attributes: further members of its data."""
        data = {"level": level, "message": message}
        if attributes:
            data.update(attributes)
        sure = self._sink.sure
        if sure is not None and not tracer_context.has_spans:
            # As `write` would; what is called most is spared a call.
            try:
                if sure("log", dumps(data, default, OPTIONS), None, None, MAX_DEPTH):
                    return
            except UNSURE:
                pass
        self._sink.write("log", data)

    def error(self, error: BaseException | str) -> None:
        """Something went wrong: an exception, with its stack, or a text."""
        if isinstance(error, BaseException):
            stack = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            self._sink.write("error", {**_error_of(error), "stack": stack})
        else:
            self._sink.write("error", {"message": error})

    # -- pieces of work ----------------------------------------------------------------------

    def span(self, name: str, *, attributes: Mapping[str, Any] | None = None) -> Span:
        """A piece of work, as a context manager; spans inside it are its children."""
        return Span(self, name, attributes)

    def llm_request(
        self,
        *,
        provider: str,
        model: str,
        request: Mapping[str, Any],
        operation: str = "chat",
        stream: bool = False,
    ) -> ModelCall:
        """A model call, as a context manager: `chunk` for each piece of a stream, `response` for what came of it.

        Where this process's HTTP is recorded too, the exchange inside is this call: written once.
        """
        asked = {
            "provider": provider,
            "operation": operation,
            "model": model,
            "stream": stream,
            "request": request,
        }
        return ModelCall(self, asked)

    def tool_call(
        self, name: str, arguments: Any = None, *, call_id: str | None = None
    ) -> ToolCall:
        """A call of a tool, as a context manager. An exception in the block is the result, and goes on."""
        return ToolCall(self, name, arguments, call_id)

    def tool(self, function: _Function) -> _Function:
        """A decorator: each call of the function (def or async def) is a `tool_call` with its result."""
        name = getattr(function, "__name__", type(function).__name__)

        def arguments_of(positional: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
            try:
                return dict(inspect.signature(function).bind(*positional, **named).arguments)
            except (TypeError, ValueError):
                # Of something built in, whose signature isn't known; or the call will say what is wrong with it.
                return {"args": positional, **named}

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def traced_async(*positional: Any, **named: Any) -> Any:
                with self.tool_call(name, arguments_of(positional, named)) as call:
                    return call.result(await function(*positional, **named))

            return traced_async  # type: ignore[return-value]

        @functools.wraps(function)
        def traced(*positional: Any, **named: Any) -> Any:
            with self.tool_call(name, arguments_of(positional, named)) as call:
                return call.result(function(*positional, **named))

        return traced  # type: ignore[return-value]

    # -- the end -----------------------------------------------------------------------------

    def close(self, error: BaseException | None = None) -> None:
        """Closes the trace with `trace_end`; twice is harmless. Events after it are a ValueError."""
        if not self._closed:
            self._closed = True
            self._sink.close(_status_of(error))

    def __enter__(self) -> Tracer:
        self._outer = current_tracer.get()
        current_tracer.set(self)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if current_tracer.get() is self:
            current_tracer.set(self._outer)
        try:
            if error is not None and not isinstance(error, (SystemExit, GeneratorExit)):
                self.error(error)
        finally:
            self.close(error)


def _status_of(error: BaseException | None) -> str:
    if error is None or isinstance(error, GeneratorExit):
        return "ok"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, SystemExit):
        return "ok" if error.code in (None, 0) else "error"
    return "error"


class _Work:
    """A piece of work with a beginning and an end, current while its block runs."""

    _is_model_call = False

    parent_span_id: str | None = None
    _place: Place | None = None
    _began_ns = 0

    def __init__(self, tracer: Tracer) -> None:
        self._sink = tracer._sink
        self.span_id = new_span_id()

    def _begin(self, kind: str, data: Mapping[str, Any]) -> None:
        outer = current_span.get()
        if outer:
            self.parent_span_id = outer[0]
        self._began_ns = time.monotonic_ns()
        self._sink.write(kind, data, self.span_id, self.parent_span_id)
        self._place = enter(self.span_id, self._is_model_call, outer)

    def _finish(self) -> None:
        if self._place is not None:
            leave(self._place)

    def _elapsed_ns(self) -> int:
        return time.monotonic_ns() - self._began_ns

    def _write(self, kind: str, data: Mapping[str, Any]) -> None:
        self._sink.write(kind, data, self.span_id, self.parent_span_id)


class Span(_Work):
    """A named piece of work; made by `Tracer.span`."""

    def __init__(self, tracer: Tracer, name: str, attributes: Mapping[str, Any] | None) -> None:
        _Work.__init__(self, tracer)  # `super()` costs as much as the rest
        self._name = name
        self._attributes = attributes

    def __enter__(self) -> Span:
        data: dict[str, Any] = {"name": self._name}
        if self._attributes:
            data["attributes"] = self._attributes
        self._begin("span_start", data)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        data: dict[str, Any] = {
            "name": self._name,
            "status": "ok" if error is None else _status_of(error),
            "duration_ns": time.monotonic_ns() - self._began_ns,
        }
        if error is not None and data["status"] == "error":
            data["error"] = _error_of(error)
        try:
            self._sink.write("span_end", data, self.span_id, self.parent_span_id)
        except TracerClosedError:
            pass  # a generator may be closed after its tracer was
        finally:
            if self._place is not None:
                leave(self._place)


class ModelCall(_Work):
    """A model call; made by `Tracer.llm_request`. Its end is written once, at the latest when its block ends."""

    _is_model_call = True

    def __init__(self, tracer: Tracer, asked: Mapping[str, Any]) -> None:
        super().__init__(tracer)
        self._asked = asked
        self._ttft_ns: int | None = None
        self._answered = False

    def __enter__(self) -> ModelCall:
        self._begin("llm_request", self._asked)
        return self

    def chunk(self, piece: Any) -> None:
        """A piece of a streamed answer: text, bytes, or any value (written as JSON)."""
        at_ns = self._elapsed_ns()
        if self._ttft_ns is None:
            self._ttft_ns = at_ns
        if not isinstance(piece, (str, bytes)):
            piece = encoding.encode({"": piece})[4:-1].decode("utf-8")
        self._write("llm_chunk", {"text": piece, "at_ns": at_ns})

    def response(
        self,
        *,
        text: str | None = None,
        usage: Mapping[str, int] | None = None,
        finish_reason: str | None = None,
        tool_calls: Any = None,
        model: str | None = None,
        response: Any = None,
        cost_usd: float | None = None,
    ) -> None:
        """The whole answer. Members as in FORMAT.md; what is None is left out."""
        self._answer(
            True,
            text=text,
            tool_calls=tool_calls,
            finish_reason=finish_reason,
            model=model,
            usage=usage,
            response=response,
            cost_usd=cost_usd,
        )

    def _answer(self, complete: bool, **facts: Any) -> None:
        if self._answered:
            return
        self._answered = True
        data: dict[str, Any] = {"complete": complete}
        data.update((name, value) for name, value in facts.items() if value is not None)
        if self._ttft_ns is not None:
            data["ttft_ns"] = self._ttft_ns
        data["duration_ns"] = self._elapsed_ns()
        self._write("llm_response", data)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._answer(False, error=_error_of(error) if error is not None else None)
        except TracerClosedError:
            pass  # a generator may be closed after its tracer was
        finally:
            self._finish()


class ToolCall(_Work):
    """A call of a tool; made by `Tracer.tool_call`."""

    def __init__(self, tracer: Tracer, name: str, arguments: Any, call_id: str | None) -> None:
        super().__init__(tracer)
        self._facts = {"call_id": call_id or f"call_{self.span_id}", "name": name}
        self._arguments = arguments
        self._has_result = False

    def __enter__(self) -> ToolCall:
        self._begin("tool_call", {**self._facts, "arguments": self._arguments, "seen_by": "tracer"})
        return self

    def result(self, output: Any) -> Any:
        """What the tool gave back; returns it. Only the first call counts."""
        self._end(output, is_error=False)
        return output

    def _end(self, output: Any, *, is_error: bool) -> None:
        if self._has_result:
            return
        self._has_result = True
        ended = {"output": output, "is_error": is_error, "duration_ns": self._elapsed_ns()}
        self._write("tool_result", {**self._facts, **ended, "seen_by": "tracer"})

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._end(_error_of(error) if error else None, is_error=error is not None)
        except TracerClosedError:
            pass  # a generator may be closed after its tracer was
        finally:
            self._finish()


def _error_of(error: BaseException) -> dict[str, str]:
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - an exception's own methods may raise anything; the agent's must go on
        message = object.__repr__(error)
    return {"type": type(error).__name__, "message": message}
