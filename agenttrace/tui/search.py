"""Search: the rows whose lines hold a text, found by a thread, from the first row to the last.

The core searches; as in the list of a pager, a text without capitals matches capitals too. What was
typed is looked for as it is and as JSON spells it, so that quotes and line breaks are found.
"""

from __future__ import annotations

import json
import re
import threading
from array import array

from agenttrace import _backend
from agenttrace.errors import AgentTraceError
from agenttrace.tui.index import LiveIndex, holds, nearest, positions


class Search:
    """One search over the rows that are there when it begins. `rows` grows until `is_complete`."""

    def __init__(self, index: LiveIndex, text: str) -> None:
        self.text = text
        self.rows = array("I")
        self.is_complete = False
        self.searched_rows = 0
        self._index = index
        self._is_stopping = False
        self._is_any_case = text == text.lower()
        self._spellings = sorted({text, json.dumps(text, ensure_ascii=False)[1:-1]})
        # The pure backend knows no patterns; there the lines are looked through here.
        pattern = _pattern(self._spellings, self._is_any_case)
        is_native = _backend.BACKEND == "native"
        self._selection = _backend.Selection(grep=pattern) if is_native else None
        self._thread = threading.Thread(target=self._run, name="trace-search", daemon=True)

    def start(self) -> None:
        """Begins to search."""
        self._thread.start()

    def stop(self) -> None:
        """Gives up; at once, but for the block at hand."""
        self._is_stopping = True
        self._thread.join(1)

    def has(self, row: int) -> bool:
        """Whether the row is a match."""
        return holds(self.rows, row)

    def next_row(self, row: int, step: int) -> int | None:
        """The nearest match behind `row` (step 1) or before it (step -1), among those found."""
        return nearest(self.rows, row, step)

    def _run(self) -> None:
        for first, lines in self._index.blocks():
            if self._is_stopping:
                return
            self.rows.extend([first + at for at in self._matching(lines)])
            self.searched_rows = first + len(lines)
        self.is_complete = True

    def _matching(self, lines: list[bytes]) -> list[int]:
        if self._selection is None:
            return [at for at, line in enumerate(lines) if self._is_in(line)]
        scanner = _backend.Scanner(judge="lines", selection=self._selection)
        matching = scanner.feed(b"\n".join(lines) + b"\n").split(b"\n")[:-1]
        try:
            return positions(lines, matching)
        except AgentTraceError:  # the file was changed meanwhile; what is readable is searched
            return []

    def _is_in(self, line: bytes) -> bool:
        text = line.decode(errors="replace")
        if self._is_any_case:
            text = text.lower()
        return any(spelling in text for spelling in self._spellings)


def _pattern(spellings: list[str], is_any_case: bool) -> str:
    # Not re.escape: it escapes spaces and more, which Rust's engine takes for a mistake.
    literal = [re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", spelling) for spelling in spellings]
    pattern = "|".join(literal)
    return f"(?i:{pattern})" if is_any_case else pattern
