"""A trace as a person likes to read it: the conversation as it flowed, one block an event."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Callable, NamedTuple

from agenttrace.convert import words
from agenttrace.convert.blocks import Block, View, blocks_of
from agenttrace.event import Event, parse_ts
from agenttrace.text_cleaning import clean, clean_line

_OUTPUT = ("stdin", "stdout", "stderr")
_ASKING = ("llm_request", "http_request")
_ANSWERING = ("llm_response", "http_response")
_REMEMBERED = 4096  # spans and messages of one trace
_MAX_DEPTH = 12
_MAX_LINES = 40
_MAX_CHARACTERS = 4000
_INDENT = "  "

Paint = Callable[[str, str], str]


def _unpainted(text: str, style: str) -> str:
    return text


class TextView:
    """Takes good lines, hands back text; all of it has passed the cleaner.

    stable: without ids and times, so that two runs can be compared with diff.
    full: values are not shortened. paint: (text, style) -> text, for a terminal.
    """

    def __init__(
        self, *, stable: bool = False, full: bool = False, paint: Paint = _unpainted
    ) -> None:
        self._is_stable = stable
        self._is_full = full
        self._paint = paint
        self._traces: dict[str, _Trace] = {}
        self._last_trace_id = ""
        self._held: _HeldOutput | None = None

    def feed(self, lines: bytes) -> bytes:
        """Whole lines in, text out, in UTF-8."""
        text = "".join([self._rendered(Event(line + b"\n")) for line in lines.split(b"\n")[:-1]])
        return text.encode("utf-8", "replace")

    def finish(self) -> bytes:
        """What there is to say of the calls that nobody answered."""
        text = self._released()
        text += "".join([self._unanswered(trace) for trace in self._traces.values()])
        return text.encode("utf-8", "replace")

    def _rendered(self, event: Event) -> str:
        trace = self._traces.get(event.trace_id)
        if trace is None:
            trace = self._traces[event.trace_id] = _Trace(event)
        depth = trace.depth_of(event)
        if event.kind in _OUTPUT:
            return self._output(event, trace, depth)
        blocks = blocks_of(event, View(trace.is_new, self._is_stable))
        if not blocks:
            return ""
        return self._released() + self._shown(event, trace, depth, blocks)

    def _output(self, event: Event, trace: _Trace, depth: int) -> str:
        """Pieces of one stream are one block until a line ends or something else is shown: their cuts are chance."""
        text = ""
        held = self._held
        if held is not None and (held.event.kind, held.trace) != (event.kind, trace):
            text, held = self._released(), None
        piece = words.as_text(event.data.get("text"))
        if held is None:
            held = self._held = _HeldOutput(event, trace, depth, [])
        held.pieces.append(piece)
        return text + self._released() if piece.endswith("\n") else text

    def _released(self) -> str:
        held, self._held = self._held, None
        text = "".join(held.pieces) if held is not None else ""
        if held is None or not text.strip():
            return ""
        blocks = [Block(held.event.kind, text, "dim")]
        return self._shown(held.event, held.trace, held.depth, blocks)

    def _shown(self, event: Event, trace: _Trace, depth: int, blocks: list[Block]) -> str:
        time = "" if self._is_stable else f"{trace.elapsed(event):>10}  "
        text = self._turn(event)
        for block in blocks:
            text += self._laid_out(block, time, depth)
            time = " " * len(time)
        if event.kind == "trace_end":
            text += self._unanswered(trace)
            trace.forget()
        return text

    def _turn(self, event: Event) -> str:
        """What stands where the stream goes over to another trace."""
        was, self._last_trace_id = self._last_trace_id, event.trace_id
        if was == event.trace_id or (not was and event.seq == 0):
            return ""
        gap = "\n" if was else ""
        if event.kind == "trace_start":
            return gap
        name = "a trace" if self._is_stable else f"trace {event.trace_id[:8]}"
        return gap + self._paint(f"({name} goes on)", "dim") + "\n"

    def _laid_out(self, block: Block, time: str, depth: int) -> str:
        indent = _INDENT * depth
        margin = " " * len(time) + indent + _INDENT
        label = clean_line(block.label)
        lines = self._shortened(clean(block.text)).split("\n")
        if label and len(lines) > 1:
            lines.insert(0, "")
        head = self._paint(label, block.style) + _INDENT if label else _INDENT
        first = self._paint(time, "dim") + indent + head + lines[0]
        rest = [f"{margin}{line}".rstrip() for line in lines[1:]]
        notes = [self._paint(f"{margin}{clean_line(note)}", "dim") for note in block.notes]
        return "\n".join([first.rstrip(), *rest, *notes]) + "\n"

    def _shortened(self, text: str) -> str:
        text = text.rstrip("\n")
        if self._is_full:
            return text
        kept = "\n".join(text.split("\n", _MAX_LINES)[:_MAX_LINES])[:_MAX_CHARACTERS]
        if len(kept) == len(text):
            return text
        return f"{kept}\n… {len(text) - len(kept):,} more characters (--full shows them)"

    def _unanswered(self, trace: _Trace) -> str:
        text = ""
        for span_id, kind in trace.unanswered():
            which = "" if self._is_stable else f" of span {span_id}"
            text += self._paint(f"(no answer to the {kind}{which} was recorded)", "yellow") + "\n"
        return text


class _HeldOutput(NamedTuple):
    """What a stream wrote since its line began; shown as of the first piece."""

    event: Event
    trace: _Trace
    depth: int
    pieces: list[str]


class _Trace:
    """What is remembered of one trace while it is read: bounded, whatever its length."""

    def __init__(self, first: Event) -> None:
        self._start_ns = _ns(first)
        self._depths: OrderedDict[str, int] = OrderedDict()
        self._seen: OrderedDict[Any, None] = OrderedDict()
        self._asked: OrderedDict[str, str] = OrderedDict()

    def depth_of(self, event: Event) -> int:
        """How far in the event stands: one step for each span around its own."""
        span_id, kind = event.span_id, event.kind
        if span_id is None:
            return 0
        depth = self._depths.get(span_id)
        if depth is None:
            depth = self._depths.get(event.parent_span_id or "", -1) + 1
            _keep(self._depths, span_id, depth)
        if kind in _ASKING:
            _keep(self._asked, span_id, kind)
        elif kind in _ANSWERING:
            self._asked.pop(span_id, None)
        return min(depth, _MAX_DEPTH)

    def is_new(self, key: Any) -> bool:
        """Whether a message was not shown yet: each request carries its history again."""
        if key in self._seen:
            return False
        _keep(self._seen, key, None)
        return True

    def elapsed(self, event: Event) -> str:
        """`+1.234s` since the trace began; clocks step, so it may be negative."""
        return f"{(_ns(event) - self._start_ns) / 1e9:+.3f}s"

    def unanswered(self) -> list[tuple[str, str]]:
        """(span_id, kind) of each request without an answer so far."""
        return list(self._asked.items())

    def forget(self) -> None:
        """The trace has ended."""
        for kept in (self._depths, self._seen, self._asked):
            kept.clear()


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    kept[key] = value
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)


def _ns(event: Event) -> int:
    try:
        return parse_ts(event.ts)
    except ValueError:  # the form is checked, not the calendar: month 13 is somebody's clock
        return 0
