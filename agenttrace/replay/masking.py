"""A JSON value with its volatile values masked: equal for two requests that say the same in different runs.

A mask is the value's class and a number, the same for the same value within one request: two ids that
are exchanged, or one used twice in place of two, are not taken for each other. JSON inside strings is
read as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from agenttrace.event import parse_json
from agenttrace.replay.volatile import Finder, Parts, Token

_MAX_NESTED = 3  # JSON in a string in JSON in a string …
_MAX_DEPTH = 100
# The run's own values are known as such; which of them it is does not matter (home may be the cwd).
_UNNUMBERED = frozenset(("folder", "name", "secret"))
_EPOCHS = tuple((15 * 10**power, 20 * 10**power) for power in (8, 11, 14, 17))
_PID_KEYS = frozenset(("pid", "ppid", "pgid"))


class Masked:
    """tree: the value with masks. values: what was masked, in the order of the tree."""

    def __init__(self, finder: Finder, value: Any) -> None:
        self._finder = finder
        self._numbers: dict[Token, int] = {}
        self._counts: dict[str, int] = {}
        self.values: list[Token] = []
        self.tree = self._mask(value, 0, 0, "")

    def _mask(self, value: Any, depth: int, nested: int, key: str) -> Any:
        if isinstance(value, str):
            return self._mask_text(value, depth, nested)
        if isinstance(value, dict) and depth < _MAX_DEPTH:
            return {
                self._joined(self._finder.parts(name)): self._mask(
                    value[name], depth + 1, nested, name
                )
                for name in sorted(value)
            }
        if isinstance(value, list) and depth < _MAX_DEPTH:
            return [self._mask(part, depth + 1, nested, "") for part in value]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self._mask_number(value, key)
        if isinstance(value, bytes):
            return "bytes " + self._mask_text(value.decode("latin-1"), depth, _MAX_NESTED)
        return value

    def _mask_number(self, value: int | float, key: str) -> Any:
        if key.lower() in _PID_KEYS:
            return self._masked(Token("pid", str(value)))
        if (
            any(low <= value < high for low, high in _EPOCHS)
            and str(value) not in self._finder.told
        ):
            return self._masked(Token("epoch", str(value)))
        return value

    def _mask_text(self, text: str, depth: int, nested: int) -> Any:
        inner = _json_in(text) if nested < _MAX_NESTED else None
        if inner is not None:
            return {"\0json": self._mask(inner, depth + 1, nested + 1, "")}
        return self._joined(self._finder.parts(text))

    def _joined(self, parts: Parts) -> str:
        if len(parts) == 1 and isinstance(parts[0], str):
            return parts[0]
        return "".join(part if isinstance(part, str) else self._masked(part) for part in parts)

    def _masked(self, token: Token) -> str:
        self.values.append(token)
        group = token.group
        if group in _UNNUMBERED:
            return f"\0{group}\0"
        number = self._numbers.get(token)
        if number is None:
            number = self._numbers[token] = self._counts[group] = self._counts.get(group, 0) + 1
        return f"\0{group} {number}\0"


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """(path, value) of each leaf of a masked value; empty objects and arrays are leaves."""
    if isinstance(tree, dict) and tree:
        for name, value in tree.items():
            yield from leaves(value, (*path, name))
    elif isinstance(tree, list) and tree:
        for index, value in enumerate(tree):
            yield from leaves(value, (*path, index))
    else:
        yield path, tree


SECRET = "\0secret\0"


def fits(pattern: str, text: Any) -> bool:
    """Whether a text is the pattern with a secret, or nothing, at each place where one was removed.

    A secret has no white space, save a key in PEM. Linear in the text.
    """
    if not isinstance(text, str):
        return False
    first, *rest = pattern.split(SECRET)
    if not text.startswith(first):
        return False
    at = len(first)
    for index, part in enumerate(rest):
        is_last = index == len(rest) - 1
        found = len(text) - len(part) if is_last else text.find(part, at)
        if found < at or not text.startswith(part, found) or not _could_be_secret(text[at:found]):
            return False
        at = found + len(part)
    return at == len(text)


def _could_be_secret(text: str) -> bool:
    return text.startswith("-----BEGIN ") or not any(map(str.isspace, text))


def _json_in(text: str) -> Any:
    """The object or array that this text spells, None if it spells none."""
    start, end = text[:1], text[-1:]
    if (start, end) not in (("{", "}"), ("[", "]")):
        start, end = text.lstrip()[:1], text.rstrip()[-1:]
        if (start, end) not in (("{", "}"), ("[", "]")):
            return None
    try:
        return parse_json(text.encode("utf-8"))
    except (ValueError, RecursionError, json.JSONDecodeError):
        return None
