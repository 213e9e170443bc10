"""Puts placeholders where secrets were, in the JSON text of an event's data."""

from __future__ import annotations

import re


class Redactor:
    """Rules, each a name and a regular expression; at one place the first of them wins."""

    def __init__(self, rules: list[tuple[str, str]]) -> None:
        self._names = [name for name, _ in rules]
        for name, pattern in rules:
            try:
                re.compile(pattern.encode("utf-8"))
            except re.error as error:
                raise ValueError(f"{name}: {error}") from None
        parts = [f"(?P<r{number}>{pattern})" for number, (_, pattern) in enumerate(rules)]
        self._pattern = re.compile("|".join(parts).encode("utf-8")) if rules else None

    def clean(self, data: bytes) -> tuple[bytes, int]:
        """(The data with placeholders, how many); the same object where nothing matched."""
        if self._pattern is None:
            return data, 0
        cleaned, count = self._pattern.subn(self._placeholder, data)
        return (cleaned, count) if count else (data, 0)

    def _placeholder(self, found: re.Match[bytes]) -> bytes:
        for number, name in enumerate(self._names):
            if found.group(f"r{number}") is not None:
                return b"[redacted:%s]" % name.encode("utf-8")
        raise AssertionError("a match is of one of the rules")
