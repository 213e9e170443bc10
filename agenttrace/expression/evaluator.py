"""One expression, judged by as many processes as there are cores."""

from __future__ import annotations

import os
from typing import Optional

from agenttrace.expression.words import barred_word
from agenttrace.expression.worker import FAILED, MAX_LINES, YES, BadExpression, Worker

LIMIT_S = 10.0  # for one event
_MOST_WORKERS = 8


class Expression:
    """A compiled EXPR: `ask` for the lines for which it holds. failures: on how many it failed; first_failure: why.

    BadExpression if it can't be used. limit_s: for one event.
    """

    def __init__(self, text: str, *, limit_s: float = LIMIT_S) -> None:
        word = barred_word(text)
        if word is not None:
            raise BadExpression(f"{word} is refused: an expression sees one event and nothing else")
        self._text = text
        self._limit_s = limit_s
        self._workers = [Worker(text, limit_s)]
        self._busy: list[Optional[_Part]] = [None]
        self._turn = 0
        self.failures = 0
        self.first_failure: Optional[str] = None

    @property
    def workers(self) -> int:
        """How many batches are worth asking for before the first answer is taken."""
        return _cores()

    def ask(self, lines: list[bytes]) -> Asked:
        """Has the lines judged; `verdicts` of what is returned waits for them."""
        starts = range(0, len(lines), MAX_LINES)
        return Asked([self._hand_on(lines[start : start + MAX_LINES]) for start in starts])

    def verdicts(self, lines: list[bytes]) -> list[bool]:
        """Whether EXPR yields any value other than false and null, for each line."""
        return self.ask(lines).verdicts()

    def close(self) -> None:
        """Ends the processes."""
        for worker in self._workers:
            worker.close()

    def _hand_on(self, lines: list[bytes]) -> _Part:
        place = self._turn
        waiting = self._busy[place]
        if waiting is not None and len(self._workers) < _cores():
            # The next core, once there is work for it.
            place = len(self._workers)
            self._workers.append(Worker(self._text, self._limit_s))
            self._busy.append(None)
        elif waiting is not None:
            waiting.collect()
        self._turn = (place + 1) % len(self._workers)
        self._workers[place].send(lines)
        part = _Part(self, place)
        self._busy[place] = part
        return part

    def _receive(self, place: int) -> list[bool]:
        worker = self._workers[place]
        found = worker.receive()
        self._busy[place] = None
        failed = found.count(FAILED)
        if failed:
            self.failures += failed
            self.first_failure = self.first_failure or worker.first_failure
        return [verdict == YES for verdict in found]


class _Part:
    """Lines that one worker judges."""

    def __init__(self, expression: Expression, place: int) -> None:
        self._expression = expression
        self._place = place
        self._verdicts: Optional[list[bool]] = None

    def collect(self) -> list[bool]:
        """Their verdicts; waits for them."""
        if self._verdicts is None:
            self._verdicts = self._expression._receive(self._place)
        return self._verdicts


class Asked:
    """Lines that are being judged."""

    def __init__(self, parts: list[_Part]) -> None:
        self._parts = parts

    def verdicts(self) -> list[bool]:
        """Whether EXPR holds, for each line; waits until it is known."""
        return [verdict for part in self._parts for verdict in part.collect()]


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
    return min(os.cpu_count() or 1, _MOST_WORKERS)
