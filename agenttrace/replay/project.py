"""`.agenttrace.toml` of a project: what may differ in every replay of it.

    [replay]
    ignore = [".metadata.user_id"]        # as --ignore
    masks = ["build-[0-9]+"]              # regular expressions of values that differ from run to run

It is looked for in the current folder alone: a file further up may be another's, and no trace names one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from agenttrace.errors import ReplayError
from agenttrace.replay import json_path, volatile
from agenttrace.replay.matching import Loosened

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAME = ".agenttrace.toml"


def loosened(folder: Path | None = None) -> Loosened:
    """What the file of this folder (left out: the current one) lets differ; nothing where there is none.

    ReplayError if it can't be used as it stands.
    """
    path = (folder or Path()) / NAME
    try:
        text = path.read_bytes().decode("utf-8")
        table = tomllib.loads(text).get("replay", {})
    except FileNotFoundError:
        return Loosened()
    except (OSError, ValueError) as error:  # TOMLDecodeError is a ValueError
        raise ReplayError(f"{path}: {error}") from None
    if not isinstance(table, dict):
        raise ReplayError(f"{path}: [replay] is a table")
    unknown = sorted(table.keys() - {"ignore", "masks"})
    if unknown:
        raise ReplayError(f"{path}: replay.{unknown[0]}: there are `ignore` and `masks` only")
    try:
        return Loosened(
            tuple(map(json_path.parse, _strings(table, "ignore"))),
            tuple(map(volatile.checked_pattern, _strings(table, "masks"))),
        )
    except ValueError as error:
        raise ReplayError(f"{path}: {error}") from None


def _strings(table: dict[str, Any], name: str) -> list[str]:
    found = table.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"replay.{name}: a list of strings is wanted")
    return found
