"""What a trace recorded of the outside: its HTTP exchanges with their answers, in the order that they were asked."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agenttrace import encoding
from agenttrace import layout as layouts
from agenttrace.command.typed_lines import NO_ECHO
from agenttrace.errors import ReplayError, TraceFormatError
from agenttrace.event import Event, Finding
from agenttrace.reader import TraceReader
from agenttrace.replay.draws import RecordedDraws
from agenttrace.replay.processes import RecordedProcesses
from agenttrace.replay.recorded_websockets import KINDS as WEBSOCKET_KINDS
from agenttrace.replay.recorded_websockets import RecordedWebsocket, websocket_url

MAX_OUTPUT_BYTES = 16 << 20  # of each stream; what comes behind is not compared
MAX_INPUT_BYTES = 64 << 20
_NO_ANSWER = {"type": "ConnectionError", "message": "it had no answer when it was recorded"}
_PATTERN = re.compile(r"redact-[0-9]{1,9}\Z")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_MAX_NS = 1 << 62
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")
_REQUESTS = ("llm_request", "http_request")
_CHUNKS = ("llm_chunk", "http_chunk")
_RESPONSES = ("llm_response", "http_response")
_PROCESSES = ("process_start", "process_chunk", "process_signal", "process_end")
_MOST_ABOVE = 1_000
_SWITCHED = 101  # to another protocol


@dataclass
class Recorded:
    """One exchange. request: its body as JSON where it was JSON, else its bytes. pieces: the
    answer's, with their times in ns since the request. steps: the numbers of the events in which the pieces came,
    and the last one's, in which it ended; steps_ns: when that was, as ts_ns is when it was asked. is_of_model: a model
    is asked, wherever it is served. text: what it is said to have answered, beside the pieces. Of a websocket's
    opening, steps: when it was answered, when each message came from the server, then its end.
    """

    seq: int
    method: str
    url: str
    request: Any
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    at_ns: list[int] = field(default_factory=list)
    error: dict[str, str] | None = None
    ts_ns: int = 0
    ended: bool = False
    steps: list[int] = field(default_factory=list)
    steps_ns: list[int] = field(default_factory=list)
    is_complete: bool = True
    span_id: str | None = None
    is_of_model: bool = True
    text: str | None = None
    websocket: RecordedWebsocket | None = None  # that it opened


class Typed(NamedTuple):
    """A line that was typed, as keys. after_bytes: how much was written before; is_secret: it is not in the trace."""

    keys: bytes
    after_bytes: int
    is_secret: bool


@dataclass
class RecordedRun:
    """One trace, as far as a replay needs it. output: what the command wrote to each stream, terminals: which of its
    descriptors 1 and 2 were terminals. input: what it read from a file or pipe; typed: what a person typed.
    others: the file's further traces, which are not replayed.
    findings: what was damaged; end: `trace_end`'s data, None if it was cut off.
    """

    exchanges: list[Recorded] = field(default_factory=list)
    draws: RecordedDraws = field(default_factory=RecordedDraws)
    processes: RecordedProcesses = field(default_factory=RecordedProcesses)
    parents: dict[str, str] = field(default_factory=dict)  # span -> the span that it is part of
    start: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] | None = None
    last_seq: int = -1
    last_ns: int = 0
    trace_id: str = ""
    output: dict[str, bytearray] = field(
        default_factory=lambda: {"stdout": bytearray(), "stderr": bytearray()}
    )
    findings: list[Finding] = field(default_factory=list)
    unreadable: list[Finding] = field(default_factory=list)
    terminals: set[int] = field(default_factory=set)
    input: bytearray = field(default_factory=bytearray)
    typed: list[Typed] = field(default_factory=list)
    others: set[str] = field(default_factory=set)

    def is_inside(self, span_id: str | None, outer: str | None) -> bool:
        """Whether this span is part of the outer one."""
        for _ in range(_MOST_ABOVE):  # a trace from anywhere may go in circles
            span_id = self.parents.get(span_id) if span_id is not None else None
            if span_id is None or span_id == outer:
                break
        return span_id is not None and span_id == outer

    @property
    def has_proxy(self) -> bool:
        """Whether clients were led through a proxy of ours."""
        return self.start.get("proxy") is True

    @property
    def is_resealed(self) -> bool:
        """Whether somebody may have edited it."""
        return _mapping(self.start.get("parent")).get("why") == "resealed"

    @property
    def cut_off(self) -> list[str]:
        """Why it may hold less than the command did: kinds of findings, or in words; empty if it is whole."""
        kinds = sorted({finding.kind for finding in self.findings})
        if self.end is None:
            return kinds or ["it has no end"]
        if "continued_in" in self.end:
            kinds.append("it goes on in another file")
        is_cut = self.end.get("status") == "interrupted" and self.returncode is None
        return [*kinds, "recording it was interrupted"] if is_cut else kinds

    @property
    def patterns(self) -> list[str]:
        """The names of the user's own patterns of secrets; a trace doesn't hold the patterns themselves."""
        rules = self.start.get("redaction")
        rules = rules if isinstance(rules, list) else []
        return [rule for rule in rules if isinstance(rule, str) and _PATTERN.match(rule)]

    @property
    def has_draws(self) -> bool:
        """Whether time and chance were recorded."""
        return isinstance(self.start.get("replay"), dict)

    @property
    def hash_seed(self) -> str | None:
        """The seed of the order of sets, as PYTHONHASHSEED takes it; None if the trace doesn't say."""
        seed = _mapping(self.start.get("replay")).get("hash_seed")
        is_seed = type(seed) is int and 0 <= seed < 1 << 32
        return str(seed) if is_seed else None

    @property
    def returncode(self) -> int | None:
        """How the command ended: its exit status, -N for signal N, None if the trace doesn't say."""
        if self.end is None:
            return None
        if "signal" in self.end:
            return _signal_number(self.end["signal"])
        status = self.end.get("exit_code")
        return status if isinstance(status, int) else None

    def cut(self, seq: int) -> None:
        """Forgets the requests and processes of this event and later. ReplayError if the trace doesn't go so far."""
        if seq > self.last_seq:
            raise ReplayError(f"there is no event {seq}: the last one is {self.last_seq}")
        self.exchanges = [exchange for exchange in self.exchanges if exchange.seq < seq]
        self.processes.all = [one for one in self.processes.all if one.seq < seq]


def load(path: str) -> RecordedRun:
    """Reads the first trace of the file, as far as it is whole. ReplayError if there is none; OSError as usual."""
    reader = TraceReader(path, full=True)
    run = RecordedRun()
    _take(run, reader)
    run.findings = [*reader.findings, *run.unreadable]
    if run.cut_off:  # answers that are lost were not recorded
        run.exchanges = [one for one in run.exchanges if one.ended or one.status is not None]
    for exchange in run.exchanges:
        if not exchange.ended:  # cut off: whatever the others got came before
            exchange.steps.append(_MAX_NS + exchange.seq)
            exchange.steps_ns.append(exchange.ts_ns)
            if exchange.status is None and exchange.error is None:
                exchange.error, exchange.is_complete = dict(_NO_ANSWER), False
    if not run.start and not run.exchanges:
        raise ReplayError(f"{path}: holds no trace that could be replayed")
    return run


def _take(run: RecordedRun, events: Iterable[Event]) -> None:
    open_by_span: dict[str | None, Recorded] = {}
    trace_id: str | None = None
    for event in events:
        trace_id = trace_id or event.trace_id
        if event.trace_id != trace_id:
            run.others.add(event.trace_id)
            continue
        run.last_seq, run.last_ns, run.trace_id = event.seq, event.ts_ns, event.trace_id
        try:
            _take_one(run, event, open_by_span)
        except (
            TraceFormatError
        ) as error:  # a seal says that bytes are as written, not that they are JSON
            found = ("malformed", event.trace_id, event.seq, None, None, None, None, str(error))
            run.unreadable.append(Finding(*found))


def _take_one(run: RecordedRun, event: Event, open_by_span: dict[str | None, Recorded]) -> None:
    kind = event.kind
    if event.span_id is not None and event.parent_span_id is not None:
        run.parents.setdefault(event.span_id, event.parent_span_id)
    if kind in _REQUESTS:
        exchange = _asked(event)
        open_by_span[event.span_id] = exchange
        run.exchanges.append(exchange)
    elif kind in _CHUNKS or kind in _RESPONSES:
        answered = open_by_span.get(event.span_id)
        if answered is not None and not answered.ended:
            _answer(answered, kind, event.data)
            if kind in _RESPONSES or len(answered.pieces) > len(answered.steps):
                answered.steps.append(event.seq)
                answered.steps_ns.append(event.ts_ns)
            answered.ended = kind in _RESPONSES
            if answered.ended and answered.status == _SWITCHED:
                answered.websocket = RecordedWebsocket(websocket_url(answered.url))
    elif kind in WEBSOCKET_KINDS:
        _take_of_websocket(run, event, open_by_span)
    elif kind in run.output:
        written = run.output[kind]
        if event.data.get("tty") is True:
            run.terminals |= {1, 2} if kind == "stdout" else {2}
        elif kind == "stderr":
            run.terminals.discard(2)
        written += encoding.value_bytes(event.data.get("text"))[: MAX_OUTPUT_BYTES - len(written)]
    elif kind in ("stdin", "user_input"):
        _read(run, event)
    elif kind == "trace_start":
        run.start = event.data
        run.draws.start(event)
    elif kind in ("clock", "entropy"):
        run.draws.add(event)
    elif kind in _PROCESSES:
        run.processes.add(event)
    elif kind == "trace_end":
        run.end = event.data


def _read(run: RecordedRun, event: Event) -> None:
    """What the command read. A Tracer's `user_input` says what it took for one, by whatever way it came."""
    text = encoding.value_bytes(event.data.get("text"))
    if event.data.get("tty") is not True:
        if event.kind == "stdin":
            run.input += text[: MAX_INPUT_BYTES - len(run.input)]
        return
    is_secret = text == NO_ECHO
    # Behind Ctrl-V a control character is only a character.
    keys = b"" if is_secret else _CONTROL.sub(lambda found: b"\x16" + found[0], text)
    keys += b"\n" if event.kind == "user_input" else b"\x04"
    run.typed.append(Typed(keys, sum(map(len, run.output.values())), is_secret))


def _asked(event: Event) -> Recorded:
    data = event.data
    http = data if event.kind == "http_request" else _mapping(data.get("http"))
    if "request" in data:
        request: Any = data["request"]
    else:
        request = encoding.value_bytes(data.get("body"))
    method, url = str(http.get("method", "POST")), str(http.get("url", ""))
    asked = Recorded(event.seq, method, url, request, ts_ns=event.ts_ns, span_id=event.span_id)
    asked.is_of_model = event.kind == "llm_request"
    return asked


def _take_of_websocket(
    run: RecordedRun, event: Event, open_by_span: dict[str | None, Recorded]
) -> None:
    opening = open_by_span.get(event.span_id)
    if opening is None or opening.websocket is None:
        if event.kind == "ws_close":  # of one that was never open
            return
        opening = open_by_span[event.span_id] = _opening(run, event)
    if opening.websocket is not None and opening.websocket.take(event):
        opening.steps.append(event.seq)
        opening.steps_ns.append(event.ts_ns)


def _opening(run: RecordedRun, event: Event) -> Recorded:
    """The opening of a websocket whose messages stand in a span of their own: an earlier one at the same place, else
    one that was not recorded.
    """
    url = websocket_url(str(event.data.get("url", "")))
    for exchange in run.exchanges:
        found = exchange.websocket
        if found is not None and found.url == url and not (found.sent or found.received):
            return exchange
    made = Recorded(event.seq, "GET", url, b"", status=_SWITCHED, ts_ns=event.ts_ns, ended=True)
    made.steps, made.steps_ns = [event.seq], [event.ts_ns]
    made.span_id, made.websocket = event.span_id, RecordedWebsocket(url)
    run.exchanges.append(made)
    return made


def _answer(exchange: Recorded, kind: str, data: dict[str, Any]) -> None:
    http = _mapping(data.get("http"))
    status = http.get("status")
    if isinstance(status, int) and 100 <= status <= 599:
        exchange.status = status
        headers = _mapping(http.get("headers")).items()
        exchange.headers = {name: value for name, value in headers if _is_header(name, value)}
    if kind in _CHUNKS:
        piece = encoding.value_bytes(data.get("text"))
        if piece:
            exchange.pieces.append(piece)
            exchange.at_ns.append(_nanoseconds(data.get("at_ns")))
        return
    if "response" in data:
        exchange.pieces.append(layouts.laid_out(data["response"], data.get("layout")))
    elif "body" in data:
        exchange.pieces.append(encoding.value_bytes(data["body"]))
    if len(exchange.at_ns) < len(exchange.pieces):
        exchange.at_ns.append(_nanoseconds(data.get("duration_ns")))
    text, error = data.get("text"), data.get("error")
    exchange.text = text if isinstance(text, str) else None
    exchange.is_complete = data.get("complete", True) is not False
    # An error that the server told is in its answer; one of the connection is told by name.
    if isinstance(error, dict) and not exchange.is_complete:
        exchange.error = {"type": str(error.get("type")), "message": str(error.get("message"))}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_header(name: str, value: Any) -> bool:
    """Whether HTTP could carry it: a trace may come from anywhere."""
    return (
        isinstance(value, str)
        and _HEADER_NAME.match(name) is not None
        and _HEADER_VALUE.match(value) is not None
    )


def _nanoseconds(value: Any) -> int:
    return min(max(value, 0), _MAX_NS) if isinstance(value, int) else 0


def _signal_number(name: Any) -> int | None:
    known = signal.Signals.__members__.get(name) if isinstance(name, str) else None
    return None if known is None else -int(known)
