"""How a JSON body was laid out: a trace holds its value, and this beside it, so that a replay gives the very bytes.

The usual ways alone: indented, with blanks behind commas and colons, in ASCII, with a line's end behind it. What is in
none of them comes back compact.
"""

from __future__ import annotations

import json
import re
from typing import Any

from agenttrace import encoding

_MAX_BYTES = 4 << 20  # to spell a value takes as long as to read it
_MAX_INDENTED_BYTES = 512 << 10  # and ten times as long where it is indented
_INDENT = re.compile(rb"\s*[\[{]\n([ \t]{1,16})[^ \t]")
_END = re.compile(rb"[ \t\r\n]{0,8}\Z")
_IS_INDENT = re.compile(r"[ \t]{1,16}\Z")
_IS_END = re.compile(r"[ \t\r\n]{0,8}\Z")


def of(body: bytes, value: Any) -> dict[str, Any] | None:
    """{"indent", "spaced", "ascii", "end"}, those that apply, of a body with this value; None where it is compact, or
    in a way that is not known here.
    """
    indent, end = _INDENT.match(body), _END.search(body[-8:])
    if len(body) > (_MAX_INDENTED_BYTES if indent else _MAX_BYTES):
        return None
    found: dict[str, Any] = {}
    if indent is not None:
        found["indent"] = indent[1].decode()
    if body.isascii() and b"\\u" in body:
        found["ascii"] = True
    if end is not None and end[0]:
        found["end"] = end[0].decode()
    ways = [found] if found else []
    if indent is None and b" " in body:
        ways.append({**found, "spaced": True})
    return next((way for way in ways if _spelled(value, way) == body), None)


def laid_out(value: Any, layout: Any) -> bytes:
    """The value as it was laid out. layout: of a trace from anywhere; what is no layout lays nothing out."""
    known = _known(layout)
    spelled = _spelled(value, known) if known else None
    return encoding.encode({"": value})[4:-1] if spelled is None else spelled


def _known(layout: Any) -> dict[str, Any]:
    layout = layout if isinstance(layout, dict) else {}
    forms = {"indent": _IS_INDENT, "end": _IS_END}
    found = {
        name: layout[name]
        for name, form in forms.items()
        if isinstance(layout.get(name), str) and form.match(layout[name])
    }
    flags = {name: True for name in ("spaced", "ascii") if layout.get(name) is True}
    return {**found, **flags}


def _spelled(value: Any, layout: dict[str, Any]) -> bytes | None:
    """None for what can't be spelled."""
    end: str = layout.get("end", "")
    indent, is_spaced = layout.get("indent"), layout.get("spaced", False)
    comma = ", " if is_spaced else ","
    colon = ": " if is_spaced or indent else ":"
    is_ascii = layout.get("ascii", False)
    try:
        text = json.dumps(value, ensure_ascii=is_ascii, indent=indent, separators=(comma, colon))
        return (text + end).encode("utf-8")
    except (ValueError, TypeError, RecursionError):
        return None
