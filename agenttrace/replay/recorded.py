"""What a trace recorded of the outside: its HTTP exchanges with their answers, in the order that they were asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from agenttrace import encoding
from agenttrace.errors import ReplayError
from agenttrace.event import Event
from agenttrace.reader import TraceReader

_REQUESTS = ("llm_request", "http_request")
_CHUNKS = ("llm_chunk", "http_chunk")
_RESPONSES = ("llm_response", "http_response")


@dataclass
class Recorded:
    """One exchange. request: its body as JSON where it was JSON, else its bytes. pieces: the
    answer's, with their times in ns.
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
    is_answered: bool = False


@dataclass
class RecordedRun:
    """One trace, as far as a replay needs it. findings: what was damaged; end: `trace_end`'s data,
    None if it was cut off.
    """

    exchanges: list[Recorded] = field(default_factory=list)
    start: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] | None = None
    stdout: list[bytes] = field(default_factory=list)
    findings: list[Any] = field(default_factory=list)

    @property
    def returncode(self) -> int | None:
        """How the command ended: its exit status, -N for signal N, None if the trace doesn't say."""
        if self.end is None:
            return None
        if "signal" in self.end:
            return _signal_number(str(self.end["signal"]))
        status = self.end.get("exit_code")
        return status if isinstance(status, int) else None


def load(path: str) -> RecordedRun:
    """Reads the first trace of the file, as far as it is whole. ReplayError if there is none; OSError as usual."""
    reader = TraceReader(path, full=True)
    run = RecordedRun()
    _take(run, reader)
    run.findings = reader.findings
    if not run.start and not run.exchanges:
        raise ReplayError(f"{path}: holds no trace that could be replayed")
    return run


def _take(run: RecordedRun, events: Iterable[Event]) -> None:
    open_by_span: dict[str | None, Recorded] = {}
    trace_id: str | None = None
    for event in events:
        trace_id = trace_id or event.trace_id
        if event.trace_id != trace_id:
            continue
        kind = event.kind
        if kind in _REQUESTS:
            exchange = _asked(event)
            open_by_span[event.span_id] = exchange
            run.exchanges.append(exchange)
        elif kind in _CHUNKS or kind in _RESPONSES:
            answered = open_by_span.get(event.span_id)
            if answered is not None:
                _answer(answered, kind, event.data)
        elif kind == "trace_start":
            run.start = event.data
        elif kind == "trace_end":
            run.end = event.data
        elif kind == "stdout":
            run.stdout.append(encoding.value_bytes(event.data.get("text")))


def _asked(event: Event) -> Recorded:
    data = event.data
    http = data if event.kind == "http_request" else _mapping(data.get("http"))
    if "request" in data:
        request: Any = data["request"]
    else:
        request = encoding.value_bytes(data.get("body"))
    return Recorded(event.seq, str(http.get("method", "POST")), str(http.get("url", "")), request)


def _answer(exchange: Recorded, kind: str, data: dict[str, Any]) -> None:
    http = _mapping(data.get("http"))
    if "status" in http:
        exchange.status = http["status"]
        exchange.headers = {
            str(name): str(value) for name, value in _mapping(http.get("headers")).items()
        }
    if kind in _CHUNKS:
        exchange.pieces.append(encoding.value_bytes(data.get("text")))
        exchange.at_ns.append(int(data.get("at_ns", 0)))
        return
    exchange.is_answered = True
    if "response" in data:
        exchange.pieces.append(encoding.encode({"": data["response"]})[4:-1])
    elif "body" in data:
        exchange.pieces.append(encoding.value_bytes(data["body"]))
    if len(exchange.at_ns) < len(exchange.pieces):
        exchange.at_ns.append(int(data.get("duration_ns", 0)))
    error = data.get("error")
    # An error that the server told is in its answer; one of the connection is told by name.
    if isinstance(error, dict) and not data.get("complete", True):
        exchange.error = {"type": str(error.get("type")), "message": str(error.get("message"))}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _signal_number(name: str) -> int | None:
    import signal

    if name.isdigit():
        return -int(name)
    return -int(signal.Signals[name]) if name in signal.Signals.__members__ else None


def unasked(exchanges: Iterable[Recorded], asked: set[int]) -> Iterator[Recorded]:
    """Those that no request of the replay was answered with."""
    return (exchange for exchange in exchanges if exchange.seq not in asked)
