"""Paths into a JSON value, as `--ignore` takes them: `$.metadata.user_id`, `.messages[0].content`, `.input[*].id`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Union

ANY = object()
Step = Union[str, int, object]
Path = tuple[Step, ...]

_STEP = re.compile(
    r"""\.(?P<key>[A-Za-z_][A-Za-z0-9_-]*)
      | \.?\[(?P<index>\d+)\]
      | \.?\[(?P<any>\*|)\]
      | \.(?P<any_key>\*)
      | \.?\[(?P<quoted>"(?:[^"\\]|\\.)*")\]""",
    re.VERBOSE,
)


def parse(text: str) -> Path:
    """The steps of a path. ValueError for what is none."""
    rest = text[1:] if text.startswith("$") else text
    steps: list[Step] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        if found is None:
            raise ValueError(
                f"{text}: not a path: use forms like .metadata.user_id or .input[*].id"
            )
        steps.append(_step(found))
        at = found.end()
    if not steps:
        raise ValueError(f"{text!r}: an empty path would ignore everything")
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    if found["key"] is not None:
        return found["key"]
    if found["index"] is not None:
        return int(found["index"])
    if found["quoted"] is not None:
        return str(json.loads(found["quoted"]))
    return ANY


def without(value: Any, paths: Sequence[Path]) -> Any:
    """The value without the members at these paths, so that one that is missing is as good as any; elements of arrays
    keep their place, and are null. The parts that change are copied.
    """
    for path in paths:
        value = _without(value, path)
    return value


def _without(value: Any, path: Path) -> Any:
    if not path:
        return None
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        changed = dict(value)
        for key in value:
            if step is not ANY and key != step:
                continue
            if rest:
                changed[key] = _without(value[key], rest)
            else:
                del changed[key]
        return changed
    if isinstance(value, list):
        wanted = range(len(value)) if step is ANY else [step]
        return [
            _without(part, rest) if index in wanted else part for index, part in enumerate(value)
        ]
    return value
