"""Traces for tests, made by a few lines that share no code with the project."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

VECTORS = Path(__file__).parent.parent / "fixtures" / "vectors"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OTHER = "00000000000000000000000000000001"
TS = "2026-11-22T06:40:00.123456789Z"


def bitwise_crc32c(data: bytes) -> int:
    """The checksum as its definition has it, a bit at a time."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sealed(body: bytes) -> bytes:
    """An unsealed line without LF -> the sealed line with LF."""
    return b'%b,"crc32c":"%08x"}\n' % (body[:-1], bitwise_crc32c(body[:-1]))


def event(
    seq: int, kind: str = "log", data: bytes = b"{}", trace: str = TRACE, v: int = 1, more: str = ""
) -> bytes:
    """An unsealed line, without LF; `more` stands before `data`."""
    frame = f'{{"v":{v},"trace_id":"{trace}","ts":"{TS}","seq":{seq},"kind":"{kind}",{more}"data":'
    return frame.encode() + data + b"}"


def line(seq: int, kind: str = "log", data: bytes = b"{}", **rest: Any) -> bytes:
    """A sealed line with its LF."""
    return sealed(event(seq, kind, data, **rest))


def end(lines: list[bytes], seq: int | None = None, trace: str = TRACE) -> bytes:
    """The trace_end that fits `lines`."""
    crcs = b"".join(
        (
            int(one[-11:-3], 16)
            if one.endswith(b'"}\n') and b'"crc32c"' in one[-22:]
            else bitwise_crc32c(one.rstrip(b"\n")[:-1])
        ).to_bytes(4, "big")
        for one in lines
    )
    data = b'{"status":"ok","events":%d,"chain":"%08x"}' % (len(lines), bitwise_crc32c(crcs))
    return line(len(lines) if seq is None else seq, "trace_end", data, trace=trace)


def trace(middle: int = 10, trace: str = TRACE) -> list[bytes]:
    """A whole trace of `middle` + 2 short lines."""
    lines = [line(0, "trace_start", b'{"name":"t"}', trace=trace)]
    for seq in range(1, middle + 1):
        lines.append(line(seq, "log", b'{"message":"number %d"}' % seq, trace=trace))
    return [*lines, end(lines, trace=trace)]


def judged(backend: ModuleType, stream: bytes, **options: Any) -> tuple[str, list[tuple[Any, ...]]]:
    """The verdict on a stream: (status, findings without their messages)."""
    scanner = backend.Scanner(**{"judge": "trace", **options})
    scanner.judge_only(stream)
    scanner.finish()
    return scanner.report()[0], [finding[:7] for finding in scanner.take_findings()]


def kinds(backend: ModuleType, stream: bytes, **options: Any) -> list[tuple[str, int | None]]:
    """What is found, and in which lines."""
    return [(found[0], found[3]) for found in judged(backend, stream, **options)[1]]


def passed(backend: ModuleType, stream: bytes, **options: Any) -> bytes:
    """The lines that a scanner hands on."""
    scanner = backend.Scanner(**options)
    return bytes(scanner.feed(stream) + scanner.finish())


def compact(value: object) -> bytes:
    """JSON as the format spells it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
