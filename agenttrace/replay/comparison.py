"""Two JSON values compared leaf by leaf: where they differ, as paths that jq understands."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_MISSING = object()


class Difference(NamedTuple):
    """One leaf. path: a jq path; asked, recorded: the values as JSON text, None where it isn't there."""

    path: str
    recorded: str | None
    asked: str | None

    def lines(self) -> Iterator[str]:
        """For people: the path, then what was recorded and what was asked; long texts line by line."""
        yield self.path
        recorded, asked = _shown(self.recorded), _shown(self.asked)
        for line in difflib.ndiff(recorded, asked):
            if line[:2] in ("- ", "+ "):
                yield f"  {line}"


def differences(recorded: Any, asked: Any, path: str = "") -> Iterator[Difference]:
    """The leaves in which the two differ, in the order of the recorded value."""
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
