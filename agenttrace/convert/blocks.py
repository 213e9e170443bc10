"""What each kind of event says to a person: a label, a text, notes. Raw: who shows it cleans it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

from agenttrace.convert import words
from agenttrace.convert.messages import spoken
from agenttrace.event import Event


@dataclass
class Block:
    """label stands before the text, notes under it; style: of the label."""

    label: str
    text: str = ""
    style: str = "bold"
    notes: list[str] = field(default_factory=list)


@dataclass
class View:
    """is_new: whether a message was not shown yet. is_stable: no ids, no times."""

    is_new: Callable[[Any], bool]
    is_stable: bool

    def took(self, data: dict[str, Any]) -> str:
        """How long it took, where times are shown."""
        return "" if self.is_stable else words.duration(data.get("duration_ns"))


def blocks_of(event: Event, view: View) -> list[Block]:
    """Nothing where there is nothing to show; an unknown kind is shown as it is."""
    try:
        data = event.data
    except ValueError as error:  # a seal says that bytes are as written, not that they are JSON
        return [Block(event.kind, f"data is not JSON: {error}", "red")]
    render = _RENDERERS.get(event.kind)
    if render is None:
        return [Block(event.kind, words.brief(data) if data else "", "cyan")]
    blocks = render(data, view)
    if event.kind == "trace_start" and not view.is_stable:
        blocks[0].notes.insert(0, f"{event.trace_id}, {event.ts[:19].replace('T', ' ')} UTC")
    return blocks


def _trace_start(data: dict[str, Any], view: View) -> list[Block]:
    command = data.get("command")
    notes = []
    if isinstance(command, list):
        notes.append("$ " + " ".join(str(word) for word in command))
    parent = data.get("parent")
    if isinstance(parent, dict):
        which = "" if view.is_stable else f" {str(parent.get('trace_id'))[:8]}"
        notes.append(f"{parent.get('why')} of another trace{which}")
    return [Block("trace", words.brief(data.get("name") or ""), "bold", notes)]


def _trace_end(data: dict[str, Any], view: View) -> list[Block]:
    totals = _dict(data.get("totals")) or {}
    text = words.joined(
        words.brief(data.get("status") or "?"),
        f"exit {data['exit_code']}" if "exit_code" in data else "",
        f"signal {data['signal']}" if "signal" in data else "",
        view.took(data),
        words.count(totals.get("llm_calls"), "LLM call"),
        words.tokens(totals),
        words.cost(totals.get("cost_usd")),
        words.count(totals.get("tool_calls"), "tool call"),
        words.count(totals.get("errors"), "error"),
    )
    style = "green" if data.get("status") == "ok" else "red"
    return [Block("end", text, style)]


def _user_input(data: dict[str, Any], view: View) -> list[Block]:
    text = words.as_text(data.get("text"))
    view.is_new(("said", text))
    return [Block("user", text, "green")]


def _llm_request(data: dict[str, Any], view: View) -> list[Block]:
    blocks = []
    for message in spoken(data):
        is_new = view.is_new((message.place, hash(message.text)))
        # What a `user_input` said just now comes again in the request that it led to.
        if is_new and (message.role != "user" or view.is_new(("said", message.text))):
            blocks.append(Block(message.role, message.text, "green"))
    what = [words.brief(data.get(name)) for name in ("provider", "operation") if data.get(name)]
    text = words.joined(*what, "streamed" if data.get("stream") is True else "")
    model = words.brief(data.get("model") or "model")
    return [*blocks, Block(f"→ {model}", text, "blue")]


def _llm_response(data: dict[str, Any], view: View) -> list[Block]:
    facts = words.joined(
        words.tokens(data.get("usage")),
        view.took(data),
        words.cost(data.get("cost_usd")),
        _finish(data),
    )
    label = f"← {words.brief(data.get('model') or 'model')}"
    blocks = [Block(label, facts, "blue")]
    if words.as_text(data.get("text")):
        blocks.append(Block("assistant", words.as_text(data.get("text")), "bold"))
    calls = data.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            blocks.append(Block("", f"asks for {_called(call)}"))
    if data.get("error") is not None:
        blocks.append(Block("error", _error_text(data["error"]), "red"))
    return blocks


def _finish(data: dict[str, Any]) -> str:
    if data.get("complete") is False:
        return "cut off"
    reason = data.get("finish_reason")
    usual = ("stop", "end_turn", "tool_calls", "tool_use", "STOP", None)
    return "" if reason in usual else words.brief(reason)


def _called(data: dict[str, Any]) -> str:
    arguments = data.get("arguments")
    shown = "" if arguments in (None, {}) else words.brief(arguments)
    return f"{words.brief(data.get('name') or 'a tool')}({shown})"


def _tool_call(data: dict[str, Any], view: View) -> list[Block]:
    return [Block("tool", _called(data), "yellow")]


def _tool_result(data: dict[str, Any], view: View) -> list[Block]:
    is_error = data.get("is_error") is True
    took = view.took(data)
    name = words.brief(data.get("name") or "")
    label = f"⇒ {name}" + (f" ({took})" if took else "") + (" failed" if is_error else "")
    return [Block(label, words.as_text(data.get("output")), "red" if is_error else "yellow")]


def _http_request(data: dict[str, Any], view: View) -> list[Block]:
    http = _dict(data.get("http")) or data
    text = " ".join(words.brief(http[name]) for name in ("method", "url") if http.get(name))
    return [Block("http →", text, "cyan")]


def _http_response(data: dict[str, Any], view: View) -> list[Block]:
    http = _dict(data.get("http")) or data
    status = http.get("status")
    is_error = data.get("error") is not None or (isinstance(status, int) and status >= 400)
    text = words.joined(
        words.brief(status) if status is not None else "",
        view.took(data),
        _error_text(data["error"]) if data.get("error") is not None else "",
    )
    return [Block("http ←", text, "red" if is_error else "cyan")]


def _stream(label: str) -> Callable[[dict[str, Any], View], list[Block]]:
    def render(data: dict[str, Any], view: View) -> list[Block]:
        text = words.as_text(data.get("text"))
        return [Block(label, text, "dim")] if text.strip() else []

    return render


def _process_start(data: dict[str, Any], view: View) -> list[Block]:
    argv = data.get("argv")
    command = " ".join(map(str, argv)) if isinstance(argv, list) else words.brief(argv or "")
    notes = [f"pid {data['pid']}"] if "pid" in data and not view.is_stable else []
    label = "process forked" if data.get("fork") else "process"
    return [Block(label, f"$ {command}", "yellow", notes)]


def _process_end(data: dict[str, Any], view: View) -> list[Block]:
    code, signal = data.get("exit_code"), data.get("signal")
    how = f"signal {signal}" if signal is not None else f"exit {code}"
    if data.get("error") is not None:
        return [Block("process not started", _error_text(data["error"]), "red")]
    is_error = signal is not None or code not in (0, None)
    text = words.joined(how, view.took(data))
    return [Block("process ended", text, "red" if is_error else "yellow")]


def _process_chunk(data: dict[str, Any], view: View) -> list[Block]:
    return _stream(f"process {words.brief(data.get('stream') or '')}")(data, view)


def _process_signal(data: dict[str, Any], view: View) -> list[Block]:
    return [Block("process signal", words.brief(data.get("signal") or ""), "yellow")]


def _error(data: dict[str, Any], view: View) -> list[Block]:
    stack = words.as_text(data.get("stack"))
    return [Block("error", _error_text(data) + (f"\n{stack}" if stack else ""), "red")]


def _error_text(error: Any) -> str:
    if isinstance(error, dict) and error.get("message") is not None:
        sort = f"{words.brief(error['type'])}: " if error.get("type") else ""
        return sort + words.brief(error["message"])
    return words.brief(error)


def _log(data: dict[str, Any], view: View) -> list[Block]:
    level = words.brief(data.get("level") or "log")
    return [Block(level, words.brief(data.get("message") or ""), "dim")]


def _span_start(data: dict[str, Any], view: View) -> list[Block]:
    attributes = words.brief(data["attributes"]) if data.get("attributes") else ""
    return [Block("┌", words.joined(words.brief(data.get("name") or "span"), attributes), "bold")]


def _span_end(data: dict[str, Any], view: View) -> list[Block]:
    status = data.get("status")
    said = words.brief(status) if status not in (None, "ok") else ""
    return [Block("└", words.joined(words.brief(data.get("name") or ""), said, view.took(data)))]


def _ws_close(data: dict[str, Any], view: View) -> list[Block]:
    told = [words.brief(data[name]) for name in ("code", "reason", "by") if data.get(name)]
    return [Block("websocket closed", " ".join(told), "cyan")]


def _gap(data: dict[str, Any], view: View) -> list[Block]:
    return [Block("gap", words.brief(data), "yellow")]


def _dict(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _nothing(data: dict[str, Any], view: View) -> list[Block]:
    return []


_RENDERERS: dict[str, Callable[[dict[str, Any], View], list[Block]]] = {
    "trace_start": _trace_start,
    "trace_end": _trace_end,
    "user_input": _user_input,
    "llm_request": _llm_request,
    "llm_chunk": _nothing,  # folded in the answer
    "llm_response": _llm_response,
    "tool_call": _tool_call,
    "tool_result": _tool_result,
    "http_request": _http_request,
    "http_chunk": _nothing,
    "http_response": _http_response,
    "ws_send": _stream("websocket →"),
    "ws_receive": _stream("websocket ←"),
    "ws_close": _ws_close,
    "process_start": _process_start,
    "process_chunk": _process_chunk,
    "process_signal": _process_signal,
    "process_end": _process_end,
    "span_start": _span_start,
    "span_end": _span_end,
    "log": _log,
    "error": _error,
    "clock": _nothing,  # for replay, of no use to a reader
    "entropy": _nothing,
    "gap": _gap,
}
