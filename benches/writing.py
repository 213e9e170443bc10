"""What an event costs the program that writes it."""

from __future__ import annotations

import functools
import os
import statistics
import subprocess
import time
from pathlib import Path
from typing import Optional

import crc32c
import orjson

from agenttrace import Tracer
from benches.measuring import Figure, Scale, Section, best_of
from benches.peers import PEERS

NOTES = """\
One `Tracer.log` call each, into a file of its own, secrets looked for. The floor is the least that \
Python can do for the same line, byte count and all: `orjson.dumps`, `crc32c`, one `os.write`, its time \
of day a constant. structlog writes JSON lines with what it has that is fastest: a filtering bound \
logger, cached, `add_log_level`, `TimeStamper`, `JSONRenderer` with orjson, `BytesLogger`. OpenTelemetry \
ends a span for each `Tracer.span` (which is two events), over `BatchSpanProcessor` to its JSON file \
exporter, until the last is written. A trace of a million events shows whether cost grows with it."""
MANY_EVENTS = 1_000_000
FLOOR = "orjson + crc32c + os.write"


def writing(folder: Path, scale: Scale, python: Optional[str]) -> Section:
    """python: of the environment with structlog and OpenTelemetry; None leaves them out."""
    section = Section("Writing events", NOTES)
    for name, padding, bar in (("300 B", 126, 2000), ("1.2 KB", 1026, 3000)):
        section.figures += _against_floor(folder, scale, (name, padding), bar)
        lengths = [_last_line_bytes(folder / file) for file in ("log.jsonl", "floor.jsonl")]
        section.notes += " Of {}: lines of {} bytes, the floor's of {}.".format(name, *lengths)
    section.figures.append(_flat(folder, scale))
    if python is not None:
        section.figures += _against_peers(folder, scale, python)
    return section


def _against_floor(folder: Path, scale: Scale, size: tuple[str, int], bar_ns: int) -> list[Figure]:
    name, message, events = f"log, {size[0]}", "x" * size[1], scale.events
    each, batch, floor = best_of(
        functools.partial(log_ns, folder, message, events),
        functools.partial(log_ns, folder, message, events, flush="batch"),
        functools.partial(floor_ns, folder, message, events),
        rounds=scale.rounds,
    )
    figures = [
        Figure(name, each, "ns", FLOOR, floor, bar=1.0),
        Figure(f'{name}, flush="batch"', batch, "ns", FLOOR, floor, bar=1.0),
    ]
    if not scale.is_quick:
        figures.append(Figure(f"{name}, by itself", each, "ns", bar=bar_ns))
    return figures


def _last_line_bytes(path: Path) -> int:
    lines = path.read_bytes().splitlines(keepends=True)
    return len(next(line for line in reversed(lines) if b'"log"' in line))


def log_ns(folder: Path, message: str, events: int, flush: str = "event") -> float:
    """The mean of so many calls."""
    path = folder / "log.jsonl"
    path.unlink(missing_ok=True)
    with Tracer(path, flush=flush) as tracer:
        log = tracer.log
        began = time.perf_counter_ns()
        for _ in range(events):
            log(message)
        return (time.perf_counter_ns() - began) / events


def floor_ns(folder: Path, message: str, events: int) -> float:
    """The mean for lines of the same form."""
    path = folder / "floor.jsonl"
    path.unlink(missing_ok=True)
    frame = b'{"v":1,"trace_id":"%s","ts":"2026-11-22T06:40:00.123456789Z"' % (b"1" * 32)
    frame += b',"seq":%d,"kind":"log","data":'
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    began = time.perf_counter_ns()
    for seq in range(events):
        data = {"level": "info", "message": message}
        line = frame % seq + orjson.dumps(data)
        os.write(fd, b'%s,"crc32c":"%08x"}\n' % (line, crc32c.crc32c(line)))
    spent = (time.perf_counter_ns() - began) / events
    os.close(fd)
    return spent


def _flat(folder: Path, scale: Scale) -> Figure:
    """Whether the last events of many cost what the first did."""
    events = MANY_EVENTS // 10 if scale.is_quick else MANY_EVENTS
    path, piece = folder / "many.jsonl", 10_000
    costs = []
    with Tracer(path, flush="batch") as tracer:
        log = tracer.log
        for _ in range(events // piece):
            # Of this process alone: the disk, when it takes what was written, slows down whoever comes then.
            began = time.process_time_ns()
            for _ in range(piece):
                log("The weather in Ghent is mild.")
            costs.append((time.process_time_ns() - began) / piece)
    path.unlink()
    tenth = len(costs) // 10 or 1
    first, last = statistics.median(costs[:tenth]), statistics.median(costs[-tenth:])
    return Figure("log, the last tenth of a trace", last, "ns", "the first tenth", first, bar=1.1)


def _against_peers(folder: Path, scale: Scale, python: str) -> list[Figure]:
    def peer(name: str) -> float:
        command = [python, PEERS, name, str(folder / name), str(scale.events)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    log, batch, structlog, span, otel = best_of(
        functools.partial(log_ns, folder, "x" * 90, scale.events),
        functools.partial(log_ns, folder, "x" * 90, scale.events, flush="batch"),
        functools.partial(peer, "structlog"),
        functools.partial(_span_ns, folder, scale.events),
        functools.partial(peer, "opentelemetry"),
        rounds=3,
    )
    return [
        Figure("log, each written at once", log, "ns", "structlog", structlog, bar=0.2),
        Figure('log, flush="batch"', batch, "ns", "structlog", structlog),
        Figure('span, flush="batch"', span, "ns", "OpenTelemetry", otel, bar=0.05),
    ]


def _span_ns(folder: Path, events: int) -> float:
    path = folder / "spans.jsonl"
    path.unlink(missing_ok=True)
    attributes = {"message": "x" * 90}
    began = time.perf_counter_ns()
    with Tracer(path, flush="batch") as tracer:
        for _ in range(events):
            with tracer.span("work", attributes=attributes):
                pass
    return (time.perf_counter_ns() - began) / events
