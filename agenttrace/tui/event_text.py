"""An event in full, as lines with the names of their styles: what a person reads first comes first.

Everything that a trace holds is cleaned here, once, and again where it is painted.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from agenttrace.event import Event
from agenttrace.text_cleaning import clean
from agenttrace.tui import summary
from agenttrace.tui.conversation import Message, messages
from agenttrace.tui.exchange import answer_of, expanded, request_of
from agenttrace.tui.index import LiveIndex

_JSON_MEMBER = re.compile(r'(\s*)("(?:[^"\\]|\\.)*")(: ?)')
_TAB_WIDTH = 4


class Line(NamedTuple):
    """One line: pieces of cleaned text with their styles; `indent` for its wrapped rows."""

    pieces: tuple[tuple[str, str], ...]
    indent: int = 0


class EventText:
    """Builds the lines of one event, up to `limit_chars` of them; what is cut is said."""

    def __init__(self, index: LiveIndex, row: int, limit_chars: int) -> None:
        self.lines: list[Line] = []
        self._index = index
        self._row = row
        self._left = limit_chars
        self._is_cut = False
        event = index.event(row)
        if event is None:
            self._add("This line can't be read any more: the file was changed meanwhile.", "error")
            return
        self._head(event)
        self._facts(event)
        self._json(event)
        if self._is_cut:
            self._add("")
            self._add("… cut here: Enter shows more of it, `agenttrace filter` all", "warn")

    def _add(self, text: str, style: str = "", indent: int = 0) -> None:
        self.lines.append(Line(((clean(text).expandtabs(_TAB_WIDTH), style),), indent))

    def _rule(self, title: str) -> None:
        self._add("")
        self._add(f"── {title} ──", "rule")

    def _body(self, text: str, style: str = "", indent: int = 0) -> None:
        """Text of many lines, as long as the limit allows."""
        if len(text) > self._left:
            text = text[: self._left]
            self._is_cut = True
        self._left -= len(text)
        if not text and self._is_cut:
            return
        for line in text.split("\n"):
            self._add(" " * indent + line, style, indent)

    def _head(self, event: Event) -> None:
        kind = (event.kind, summary.style_of(event.kind) or "strong")
        seal = "" if event.crc32c else " · no seal"
        facts = f"  #{event.seq} · {summary.size(len(event.raw))}{seal}"
        self.lines.append(Line((kind, (facts, "dim"))))
        self._add(event.ts, "dim")
        if event.span_id:
            outer = f" in {event.parent_span_id}" if event.parent_span_id else ""
            self._add(f"span {event.span_id}{outer}", "dim", indent=2)

    def _facts(self, event: Event) -> None:
        show = {
            "llm_request": self._request,
            "llm_response": self._response,
            "tool_call": self._tool_call,
            "tool_result": self._tool_result,
            "error": self._error,
            "log": self._error,
        }.get(event.kind, self._text)
        try:
            show(event)
        except (ValueError, TypeError, AttributeError, KeyError):
            self._add("(data of an unknown shape; the JSON below is all)", "dim")

    def _request(self, event: Event) -> None:
        self._conversation(event, self._row)
        answer = answer_of(self._index, self._row, event)
        if answer is None:
            self._rule("no answer was recorded")
        else:
            self._answer(answer)

    def _response(self, event: Event) -> None:
        self._answer(event)
        found = request_of(self._index, self._row, event)
        if found is not None:
            self._conversation(found[1], found[0])

    def _conversation(self, event: Event, row: int) -> None:
        whole = expanded(self._index, row, event)
        said = messages((whole or event).data.get("request"))
        if whole is None:
            self._rule("conversation: the earlier part is missing from this trace")
        elif said:
            self._rule(f"conversation · {summary.count(len(said), 'message')}")
        added = len(messages(event.data.get("request")))
        earlier = len(said) - added if event.data.get("base") and added < len(said) else 0
        for number, message in enumerate(said):
            if earlier and number == earlier:
                self._rule("new in this call")
            self._message(message)

    def _message(self, message: Message) -> None:
        if self._left <= 0:
            self._is_cut = True
            return
        self._add(message.role, "role")
        self._body(message.text, indent=2)

    def _answer(self, event: Event) -> None:
        data = event.data
        self._rule("answer" if data.get("complete", True) else "answer, cut off")
        if data.get("error"):
            self._body(summary.pretty_error(data["error"]), "error")
        if data.get("text"):
            self._body(summary.text_of(data["text"]))
        for call in data.get("tool_calls") or []:
            self._body(f"→ {call.get('name')}({summary.compact(call.get('arguments'))})", "tool")
        facts = [f"{name} {value}" for name, value in _numbers(data)]
        if facts:
            self._add(" · ".join(facts), "dim")

    def _tool_call(self, event: Event) -> None:
        self._rule(f"call {event.data.get('name')}")
        arguments = event.data.get("arguments")
        if isinstance(arguments, dict):
            for name, value in arguments.items():
                self._add(name, "role")
                self._body(summary.text_of(value), indent=2)
        else:
            self._body(summary.text_of(arguments))

    def _tool_result(self, event: Event) -> None:
        failed = bool(event.data.get("is_error"))
        self._rule(f"{event.data.get('name')} {'failed' if failed else 'gave'}")
        self._body(summary.text_of(event.data.get("output")), "error" if failed else "")

    def _error(self, event: Event) -> None:
        self._rule(summary.one_line(summary.pretty_error(event.data)) or event.kind)
        if event.data.get("stack"):
            self._body(summary.text_of(event.data["stack"]))

    def _text(self, event: Event) -> None:
        text = event.data.get("text")
        if text is not None:
            self._rule("text")
            self._body(summary.text_of(text))

    def _json(self, event: Event) -> None:
        self._rule("event")
        if self._left <= 0 or len(event.raw) > 4 * self._left + 4096:
            self._is_cut = True
            self._body(event.raw[: max(self._left, 400)].decode(errors="replace"))
            return
        for line in json.dumps(members_of(event), indent=2, ensure_ascii=False).split("\n"):
            if self._left <= 0:
                self._is_cut = True
                return
            self._left -= len(line)
            self.lines.append(_json_line(clean(line)))


def members_of(event: Event) -> dict[str, Any]:
    """The event as the object that its line holds, in the order of the line."""
    members: dict[str, Any] = {
        "v": event.v,
        "trace_id": event.trace_id,
        "ts": event.ts,
        "seq": event.seq,
        "kind": event.kind,
        "span_id": event.span_id,
        "parent_span_id": event.parent_span_id,
        "data": event.data,
        "crc32c": event.crc32c,
    }
    return {name: value for name, value in members.items() if value is not None}


def _json_line(line: str) -> Line:
    member = _JSON_MEMBER.match(line)
    indent = len(line) - len(line.lstrip()) + 2
    if member is None:
        return Line(((line, ""),), indent)
    return Line(((member[1] + member[2], "key"), (member[3] + line[member.end() :], "")), indent)


def _numbers(data: dict[str, Any]) -> list[tuple[str, str]]:
    """What an answer took and cost, as (name, value)."""
    found = [("model", summary.compact(data.get("model")))]
    usage = data.get("usage") or {}
    for name in ("input", "output", "cached_input", "reasoning"):
        tokens = usage.get(f"{name}_tokens")
        if isinstance(tokens, int):
            found.append((name.replace("_", " "), f"{tokens:,}"))
    if isinstance(data.get("cost_usd"), (int, float)):
        found.append(("cost", f"${data['cost_usd']:.6f}"))
    found.append(("first token", summary.duration(data.get("ttft_ns"))))
    found.append(("took", summary.duration(data.get("duration_ns"))))
    found.append(("ended by", summary.compact(data.get("finish_reason"))))
    return [(name, value) for name, value in found if value]
