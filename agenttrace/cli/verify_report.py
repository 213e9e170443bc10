"""How a report of `verify` looks: for a person, as JSON Lines, as GitHub annotations."""

from __future__ import annotations

import json
from typing import Any, Callable

from agenttrace.cli.terminal import Paint, format_bytes
from agenttrace.text_cleaning import clean_line

_FIELDS = ("kind", "trace_id", "seq", "line", "offset", "expected", "got", "message")
_COLOURS = {"intact": "green", "incomplete": "yellow", "unsupported": "yellow", "corrupt": "red"}


def renderer(shape: str, color: str) -> Callable[[str, dict[str, Any]], str]:
    """shape: "text", "jsonl" or "github". The result renders (file, report)."""
    if shape == "jsonl":
        return _as_json
    if shape == "github":
        return _as_annotations
    paint = Paint(color)
    return lambda name, report: _as_text(name, report, paint)


def _as_json(name: str, report: dict[str, Any]) -> str:
    findings = [dict(zip(_FIELDS, finding)) for finding in report["findings"]]
    # ASCII alone: a file's name may hold what no encoding takes, and a terminal is safe from it.
    return json.dumps({"file": name, **report, "findings": findings}, separators=(",", ":")) + "\n"


def _as_text(name: str, report: dict[str, Any], paint: Paint) -> str:
    status = paint(report["status"], _COLOURS.get(report["status"], "bold"))
    counts = ", ".join(
        [
            _counted(report["events"], "event"),
            _counted(report["traces"], "trace"),
            format_bytes(report["bytes"]),
        ]
    )
    lines = [f"{clean_line(name)}: {status} ({counts})"]
    lines += [
        f"  {_place(finding)}{finding[0]}: {clean_line(finding[7])}"
        for finding in report["findings"]
    ]
    more = report["findings_total"] - len(report["findings"])
    if more:
        lines.append(
            f"  … and {more} more" if report["findings"] else f"  {_counted(more, 'finding')}"
        )
    return "\n".join(lines) + "\n"


def _place(finding: Any) -> str:
    line, offset = finding[3], finding[4]
    if line is None:
        return f"trace {finding[1]}: " if finding[1] else ""
    return f"line {line} (byte {offset}): " if offset is not None else f"line {line}: "


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _as_annotations(name: str, report: dict[str, Any]) -> str:
    lines = [_annotation(name, finding) for finding in report["findings"]]
    more = report["findings_total"] - len(lines)
    if more:
        lines.append(f"::error file={_escaped(name)}::{_counted(more, 'more finding')}\n")
    return "".join(lines)


def _annotation(name: str, finding: Any) -> str:
    line = f",line={finding[3]}" if finding[3] is not None else ""
    title = f",title={_escaped(finding[0])}"
    return f"::error file={_escaped(name)}{line}{title}::{_escaped(finding[7], _ENDS_MESSAGE)}\n"


# GitHub takes the escapes of these back, and in a message no others.
_ENDS_MESSAGE = "%\r\n"
_ENDS_PROPERTY = _ENDS_MESSAGE + ":,"


def _escaped(text: str, characters: str = _ENDS_PROPERTY) -> str:
    """No text from a trace or a file's name ends the annotation or begins another."""
    for character in characters:
        text = text.replace(character, f"%{ord(character):02X}")
    return clean_line(text)
