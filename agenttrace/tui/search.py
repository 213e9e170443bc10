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
from agenttrace.tui.index import TraceIndex, holds, nearest
from agenttrace.tui.line_store import positions


class Search:
    """One search over the rows that are there when it begins. `rows` grows until `is_complete`."""

    def __init__(self, index: TraceIndex, text: str) -> None:
        self.text = text
        self.rows = array("I")
        self.is_complete = False
        self.searched_rows = 0
        self._index = index
        self._is_stopping = False
        self._selection = selection_for(text)
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
            scanner = _backend.Scanner(judge="lines", selection=self._selection)
            matching = scanner.feed(b"\n".join(lines) + b"\n").split(b"\n")[:-1]
            try:
                self.rows.extend([first + at for at in positions(lines, matching)])
            except AgentTraceError:  # the file was changed meanwhile; what is readable is searched
                continue
            self.searched_rows = first + len(lines)
        self.is_complete = True


def selection_for(text: str) -> object:
    """Lines that hold `text`, in either case if it has no capitals.

    The pure backend looks for one literal text alone, so there it is as typed.
    """
    if _backend.BACKEND == "pure":
        return _backend.Selection(grep=_literal(text))
    spellings = {text, json.dumps(text, ensure_ascii=False)[1:-1]}
    pattern = "|".join(sorted(map(_literal, spellings)))
    is_any_case = text == text.lower()
    return _backend.Selection(grep=f"(?i:{pattern})" if is_any_case else pattern)


def _literal(text: str) -> str:
    # Not re.escape: it escapes spaces and more, which the other engines take for a mistake.
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text)
