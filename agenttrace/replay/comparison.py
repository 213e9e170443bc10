"""Two JSON values compared leaf by leaf: where they differ, as paths that jq understands."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator
from os.path import commonprefix
from typing import Any, NamedTuple

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_MISSING = object()
_MAX_COMPARED_LINES = 60  # ndiff takes the third power of them
_MAX_LINES = 10
_MAX_WIDTH = 400
_CONTEXT_CHARS = 80


class Difference(NamedTuple):
    """One leaf. path: a jq path; asked, recorded: the values as JSON text, None where it isn't there."""

    path: str
    recorded: str | None
    asked: str | None

    def lines(self) -> Iterator[str]:
        """For people: the path, then what was recorded and what was asked; texts line by line, long ones around
        the place where they differ.
        """
        yield self.path
        recorded, asked = _shown(self.recorded), _shown(self.asked)
        start = _common(recorded, asked)
        end = _common(recorded[start:][::-1], asked[start:][::-1])
        recorded = recorded[start : len(recorded) - end]
        asked = asked[start : len(asked) - end]
        if max(len(recorded), len(asked)) <= _MAX_COMPARED_LINES:
            changed = [line for line in difflib.ndiff(recorded, asked) if line[:2] in ("- ", "+ ")]
        else:
            changed = [f"- {line}" for line in recorded[:_MAX_LINES]]
            changed += [f"+ {line}" for line in asked[:_MAX_LINES]]
        if len(recorded) == len(asked) == 1:
            changed = _around_difference(recorded[0], asked[0])
        yield from (f"  {line[:_MAX_WIDTH]}" for line in changed[: 2 * _MAX_LINES])
        if len(changed) > 2 * _MAX_LINES:
            yield f"  … and {len(changed) - 2 * _MAX_LINES} more lines"


def differences(recorded: Any, asked: Any, path: str = "") -> Iterator[Difference]:
    """The leaves in which the two differ, in the order of the recorded value."""
    if recorded == asked and type(recorded) is type(asked):
        return
    if isinstance(recorded, dict) and isinstance(asked, dict):
        for key in [*recorded, *(key for key in asked if key not in recorded)]:
            inner = (
                f"{path}.{key}"
                if _PLAIN_KEY.match(key)
                else f"{path}[{json.dumps(key, ensure_ascii=False)}]"
            )
            yield from differences(recorded.get(key, _MISSING), asked.get(key, _MISSING), inner)
    elif isinstance(recorded, list) and isinstance(asked, list):
        for index in range(max(len(recorded), len(asked))):
            one = recorded[index] if index < len(recorded) else _MISSING
            other = asked[index] if index < len(asked) else _MISSING
            yield from differences(one, other, f"{path or '.'}[{index}]")
    elif type(recorded) is not type(asked) or recorded != asked:
        yield Difference(path or ".", _text(recorded), _text(asked))


def distance(recorded: Any, asked: Any, limit: int) -> int:
    """In how many leaves they differ; counts up to `limit` only."""
    count = 0
    for count, _ in enumerate(differences(recorded, asked), 1):
        if count >= limit:
            break
    return count


def canonical(value: Any) -> bytes:
    """The same bytes for the same JSON value, whatever the order of its keys; bytes as they are."""
    if isinstance(value, bytes):
        return b"b" + value
    return b"j" + json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":")
    ).encode("utf-8", "replace")


def _text(value: Any) -> str | None:
    if value is _MISSING:
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return json.dumps(value, ensure_ascii=False)


def _shown(text: str | None) -> list[str]:
    if text is None:
        return []
    value = json.loads(text)
    if isinstance(value, str) and "\n" in value:
        return value.split("\n")
    return [text]


def _common(one: list[str], other: list[str]) -> int:
    """How many first lines are the same."""
    count = 0
    for left, right in zip(one, other):
        if left != right:
            break
        count += 1
    return count


def _around_difference(recorded: str, asked: str) -> list[str]:
    """Two long lines cut to where they differ first."""
    if max(len(recorded), len(asked)) <= _MAX_WIDTH:
        return [f"- {recorded}", f"+ {asked}"]
    at = max(0, len(commonprefix([recorded, asked])) - _CONTEXT_CHARS)
    return [
        f"{sign} {'…' if at else ''}{line[at : at + 3 * _CONTEXT_CHARS]}"
        for sign, line in (("-", recorded), ("+", asked))
    ]


def digest(text: bytes) -> bytes:
    """By which equal texts are found."""
    return hashlib.blake2b(text, digest_size=16).digest()
