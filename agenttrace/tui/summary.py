"""An event in one line, what a person looks for in a list. Cleaned later, where it is painted."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Callable

from agenttrace.event import Event
from agenttrace.tui.conversation import messages

_SUMMARY_CHARS = 300
# A longer line is not parsed for its one row in a list: megabytes, to show eighty cells.
_PARSED_BYTES = 1 << 18
_MODEL = re.compile(rb'"model":"((?:[^"\\]|\\.){1,80})"')


# Where the providers' streams keep the piece of text that they add.
_ADDED_TEXT = re.compile(
    r'"(?:content|text|partial_json|thinking|arguments|delta)": ?("(?:[^"\\]|\\.)+")'
)


def style_of(kind: str) -> str:
    """The style that the name of a kind is shown in: a family each, most of them quiet."""
    if kind in ("error", "gap"):
        return "error"
    family = kind.split("_", 1)[0]
    return _FAMILIES.get(family, "")


_FAMILIES = {
    "llm": "model",
    "tool": "tool",
    "http": "wire",
    "ws": "wire",
    "process": "wire",
    "user": "person",
    "stdin": "person",
    "trace": "frame",
    "span": "frame",
    "clock": "dim",
    "entropy": "dim",
    "log": "dim",
}


def summary(event: Event) -> str:
    """What happened, in a line of at most some hundred characters."""
    if len(event.raw) > _PARSED_BYTES:
        return _of_long(event)
    describe = _DESCRIBED.get(event.kind, _any)
    try:
        data = event.data
        text = describe(data)
    except (ValueError, TypeError, AttributeError, KeyError):  # data of another shape than ours
        text = event.data_json[:_SUMMARY_CHARS].decode(errors="replace")
    return one_line(text)


def one_line(text: str) -> str:
    """The beginning of a text with its line breaks and indents as single spaces."""
    return " ".join(text[: 2 * _SUMMARY_CHARS].split())[:_SUMMARY_CHARS]


def text_of(value: Any) -> str:
    """A string, or bytes as the format writes them, as text."""
    if isinstance(value, dict) and isinstance(value.get("base64"), str):
        try:
            return base64.b64decode(value["base64"]).decode(errors="backslashreplace")
        except ValueError:
            return str(value["base64"])
    return value if isinstance(value, str) else compact(value)


def compact(value: Any) -> str:
    """A value as JSON in a line; strings as they are; nothing for nothing."""
    if value is None or value == {} or value == []:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def duration(ns: Any) -> str:
    """`850µs`, `31ms`, `1.25s`, `2m05s`, `1h02m`; nothing for what is no number."""
    if not isinstance(ns, (int, float)) or isinstance(ns, bool):
        return ""
    seconds = abs(ns) / 1e9
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f}µs"
    if seconds < 0.00995:
        return f"{seconds * 1e3:.1f}ms"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f}ms"
    if seconds < 59.995:
        return f"{seconds:.2f}s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{seconds:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def count(n: int, noun: str) -> str:
    """`1 event`, `1,204 events`."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def size(length_bytes: int) -> str:
    """`812 B`, `4.1 kB`, `1.3 MB`, `2.0 GB`."""
    if length_bytes < 1000:
        return f"{length_bytes} B"
    amount = float(length_bytes)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.5 or unit == "GB":
            break
    return f"{amount:.1f} {unit}"


def _of_long(event: Event) -> str:
    model = _MODEL.search(event.raw, 0, 1 << 14)
    name = model[1].decode(errors="replace") if model else ""
    return _joined(name, size(len(event.raw)))


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _any(data: dict[str, Any]) -> str:
    return compact(data)


def _trace_start(data: dict[str, Any]) -> str:
    command = data.get("command")
    spelled = " ".join(map(str, command)) if isinstance(command, list) else ""
    return _joined(compact(data.get("name")), spelled)


def _clock(data: dict[str, Any]) -> str:
    return _joined(count(len(data["after_ns"]), "reading"), compact(data.get("thread")))


def _entropy(data: dict[str, Any]) -> str:
    drawn = compact(data.get("source"))
    return _joined(drawn, count(len(data["hex"]) // 2, "byte"), compact(data.get("thread")))


def _trace_end(data: dict[str, Any]) -> str:
    totals = data.get("totals") or {}
    tokens = totals.get("input_tokens", 0) + totals.get("output_tokens", 0)
    cost = totals.get("cost_usd")
    return _joined(
        compact(data.get("status")),
        _ending(data),
        duration(data.get("duration_ns")),
        count(totals.get("llm_calls", 0), "call"),
        count(tokens, "token") if tokens else "",
        f"${cost:.4f}" if cost else "",
    )


def _ending(data: dict[str, Any]) -> str:
    if data.get("signal"):
        return f"signal {data['signal']}"
    return f"exit {data['exit_code']}" if data.get("exit_code") else ""


def _llm_request(data: dict[str, Any]) -> str:
    model = compact(data.get("model"))
    said = messages(data.get("request"))
    last = said[-1] if said else None
    base = (data.get("base") or {}).get("prefix") or {}
    total = sum(n for n in base.values() if isinstance(n, int)) + len(said)
    return _joined(
        model, count(total, "message") if total else "", f"{last.role}: {last.text}" if last else ""
    )


def _llm_response(data: dict[str, Any]) -> str:
    calls = ", ".join(_call(call) for call in data.get("tool_calls") or [])
    usage = data.get("usage") or {}
    tokens = usage.get("output_tokens")
    return _joined(
        pretty_error(data.get("error")),
        "cut off" if data.get("complete") is False else "",
        compact(data.get("text")),
        f"→ {calls}" if calls else "",
        count(tokens, "token") if tokens else "",
        duration(data.get("duration_ns")),
    )


def _call(call: dict[str, Any]) -> str:
    if not call.get("name"):
        return compact(call)
    return f"{compact(call.get('name'))}({compact(call.get('arguments'))})"


def pretty_error(error: Any) -> str:
    """`type: message` of an error as the format writes it."""
    if isinstance(error, dict):
        return ": ".join(filter(None, (compact(error.get("type")), compact(error.get("message")))))
    return compact(error)


def _text(data: dict[str, Any]) -> str:
    return text_of(data.get("text"))


def _chunk(data: dict[str, Any]) -> str:
    """What a piece of a stream adds to the answer, if that is plain to see; else the piece."""
    text = text_of(data.get("text"))
    added = _ADDED_TEXT.findall(text)
    return "".join(json.loads(part) for part in added) if any(added) else text


def _tool_result(data: dict[str, Any]) -> str:
    failed = "failed" if data.get("is_error") else ""
    output = text_of(data.get("output"))
    return _joined(compact(data.get("name")), failed, output, duration(data.get("duration_ns")))


def _http(data: dict[str, Any]) -> str:
    inner = data.get("http")
    http = inner if isinstance(inner, dict) else data
    return _joined(
        " ".join(filter(None, (compact(http.get("method")), compact(http.get("url"))))),
        compact(http.get("status")),
        pretty_error(data.get("error")),
        duration(data.get("duration_ns")),
    )


def _process(data: dict[str, Any]) -> str:
    argv = data.get("argv")
    spelled = " ".join(map(str, argv)) if isinstance(argv, list) else compact(argv)
    forked = "fork" if data.get("fork") else ""
    error = pretty_error(data.get("error"))
    return _joined(spelled, forked, _ending(data), error, duration(data.get("duration_ns")))


def _process_chunk(data: dict[str, Any]) -> str:
    return _joined(compact(data.get("stream")), text_of(data.get("text")) or "end")


def _span(data: dict[str, Any]) -> str:
    status = compact(data.get("status"))
    attributes = compact(data.get("attributes"))
    return _joined(compact(data.get("name")), status, attributes, duration(data.get("duration_ns")))


def _message(data: dict[str, Any]) -> str:
    return _joined(compact(data.get("level")), pretty_error(data)) or compact(data)


_DESCRIBED: dict[str, Callable[[dict[str, Any]], str]] = {
    "trace_start": _trace_start,
    "trace_end": _trace_end,
    "clock": _clock,
    "entropy": _entropy,
    "user_input": _text,
    "llm_request": _llm_request,
    "llm_response": _llm_response,
    "llm_chunk": _chunk,
    "http_chunk": _text,
    "stdin": _text,
    "stdout": _text,
    "stderr": _text,
    "tool_call": _call,
    "tool_result": _tool_result,
    "http_request": _http,
    "http_response": _http,
    "process_start": _process,
    "process_chunk": _process_chunk,
    "process_signal": _ending,
    "process_end": _process,
    "span_start": _span,
    "span_end": _span,
    "log": _message,
    "error": _message,
}
