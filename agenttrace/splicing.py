"""Members of JSON objects found and replaced in their text, all else to stay as it is spelled."""

from __future__ import annotations

import json
import re
from typing import Any, Optional

from agenttrace import _backend

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]')
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


def dump(value: Any) -> bytes:
    """A value as a line spells it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _backend.compact_json(text.encode("utf-8", "replace"))


def member(data: bytes, name: str) -> Optional[int]:
    """Where the value of a top-level member of compact JSON begins; strings and nested objects are walked over."""
    depth = 0
    spelled = b'"%s"' % name.encode("ascii")
    for token in _TOKEN.finditer(data):
        text = token[0]
        if text in b"{[":
            depth += 1
        elif text in b"}]":
            depth -= 1
        elif depth == 1 and text == spelled and data[token.end() : token.end() + 1] == b":":
            return token.end() + 1
    return None


def end_of_value(data: bytes, start: int) -> int:
    """Where the string, object or array that begins here ends."""
    string = _STRING.match(data, start)
    if string is not None:
        return string.end()
    depth = 0
    for token in _TOKEN.finditer(data, start):
        depth += (token[0] in b"{[") - (token[0] in b"}]")
        if depth == 0:
            return token.end()
    return len(data)


def with_member(data: bytes, name: str, value: Any) -> bytes:
    """`data` with another value for a member that is there, and is a string, object or array."""
    start = member(data, name)
    if start is None:
        raise KeyError(name)
    return data[:start] + dump(value) + data[end_of_value(data, start) :]
