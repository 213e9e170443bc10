"""Cuts a stream of bytes into lines of JSON, wherever the pieces were cut.

Source: https://github.com/ndjson/ndjson-spec. A line ends in LF and in nothing else; what is in it
is JSON text, which has no LF of its own.
"""

from __future__ import annotations

from typing import Optional


class JsonLines:
    """An incremental splitter with the interface of `EventStream`; a line is an event without a name."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, piece: bytes) -> list[tuple[Optional[str], str]]:
        """The lines that this piece completes; blank ones are passed over."""
        first, *others = piece.split(b"\n")
        self._pieces.append(first)
        events = []
        for following in others:
            events += self._line()
            self._pieces = [following]
        return events

    def close(self) -> list[tuple[Optional[str], str]]:
        """What the end of the bytes left without its LF, if there is something."""
        events = self._line()
        self._pieces = []
        return events

    def _line(self) -> list[tuple[Optional[str], str]]:
        text = b"".join(self._pieces).decode("utf-8", "replace").strip()
        return [(None, text)] if text else []
