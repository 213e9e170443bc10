"""One expression, judged by as many processes as there are cores."""

from __future__ import annotations

import os
import time
from typing import Callable, Optional

from agenttrace import _backend
from agenttrace.expression.reach import gives_one_at_most, reach_of
from agenttrace.expression.syntax import tree_of
from agenttrace.expression.words import barred_word
from agenttrace.expression.worker import FAILED, MAX_LINES, YES, BadExpression, Worker

LIMIT_S = 10.0  # for one event
_MOST_WORKERS = 8
# A part goes to a worker once it has so many lines or bytes: fewer where EXPR is slow, so that answers keep coming.
_FEWEST_LINES = 256
_PART_BYTES = 1 << 20
_SLOW_S = 0.2


class Expression:
    """A compiled EXPR: `ask` for the lines for which it holds. failures: on how many it failed; first_failure: why.

    BadExpression if it can't be used. limit_s: for one event.
    """

    def __init__(self, text: str, *, limit_s: float = LIMIT_S) -> None:
        word = barred_word(text)
        if word is not None:
            raise BadExpression(f"{word} is refused: an expression sees one event and nothing else")
        tree = tree_of(text)
        self._text = text
        self._limit_s = limit_s
        self._gives_one = tree is not None and gives_one_at_most(tree)
        reach = None if tree is None else reach_of(tree)
        self._copy: Callable[[list[bytes]], bytes] = _joined
        if reach is not None:
            places = [[list(keys) for keys in sorted(some)] for some in reach]
            self._copy = _backend.Projection(*places).copy
        self._workers: list[Worker] = []
        self._busy: list[Optional[_Part]] = []
        self._turn = 0
        self._add_worker()
        self._part_lines = _FEWEST_LINES
        self._next = _Part(self)
        self.failures = 0
        self.first_failure: Optional[str] = None

    def ask(self, lines: list[bytes]) -> Asked:
        """Has the lines judged, many at a time; `verdicts` of what is returned waits for them."""
        asked = Asked()
        while lines:
            part = self._next
            start = len(part.lines)
            part.lines += lines[: self._part_lines - start]
            taken = len(part.lines) - start
            part.size += sum(map(len, lines[:taken]))
            asked.pieces.append((part, start, start + taken))
            lines = lines[taken:]
            if len(part.lines) >= self._part_lines or part.size >= _PART_BYTES:
                self._hand_on(part)
        return asked

    def verdicts(self, lines: list[bytes]) -> list[bool]:
        """Whether EXPR yields any value other than false and null, for each line."""
        return self.ask(lines).verdicts()

    def close(self) -> None:
        """Ends the processes."""
        for worker in self._workers:
            worker.close()

    def _add_worker(self) -> None:
        self._workers.append(
            Worker(self._text, self._limit_s, gives_one=self._gives_one, copy=self._copy)
        )
        self._busy.append(None)

    def _hand_on(self, part: _Part) -> None:
        self._next = _Part(self)
        place = self._turn
        waiting = self._busy[place]
        if waiting is not None and len(self._workers) < _cores():
            # The next core, once there is work for it.
            place = len(self._workers)
            self._add_worker()
        elif waiting is not None:
            waiting.collect()
        self._turn = (place + 1) % len(self._workers)
        self._workers[place].send(part.lines)
        part.place, part.sent_s = place, time.monotonic()
        self._busy[place] = part

    def _receive(self, part: _Part, place: int) -> list[bool]:
        worker = self._workers[place]
        found = worker.receive()
        self._busy[place] = None
        is_slow = time.monotonic() - part.sent_s > _SLOW_S
        self._part_lines = (
            max(self._part_lines // 2, _FEWEST_LINES)
            if is_slow
            else min(self._part_lines * 2, MAX_LINES)
        )
        failed = found.count(FAILED)
        if failed:
            self.failures += failed
            self.first_failure = self.first_failure or worker.first_failure
        return [verdict == YES for verdict in found]


class _Part:
    """Lines that one worker judges at once."""

    def __init__(self, expression: Expression) -> None:
        self._expression = expression
        self._verdicts: Optional[list[bool]] = None
        self.lines: list[bytes] = []
        self.size = 0
        self.place: Optional[int] = None  # of the worker; None until it is sent
        self.sent_s = 0.0

    @property
    def is_answered(self) -> bool:
        return self._verdicts is not None

    def collect(self) -> list[bool]:
        """Their verdicts; waits for them."""
        if self.place is None:
            self._expression._hand_on(self)
        if self._verdicts is None:
            assert self.place is not None
            self._verdicts = self._expression._receive(self, self.place)
            self.lines = []
        return self._verdicts


class Asked:
    """Lines that are being judged: pieces of parts, from a line to a line."""

    def __init__(self) -> None:
        self.pieces: list[tuple[_Part, int, int]] = []

    @property
    def is_answered(self) -> bool:
        """Whether `verdicts` would not wait."""
        return all(part.is_answered for part, _, _ in self.pieces)

    def verdicts(self) -> list[bool]:
        """Whether EXPR holds, for each line; waits until it is known."""
        return [
            verdict for part, start, end in self.pieces for verdict in part.collect()[start:end]
        ]


def _joined(lines: list[bytes]) -> bytes:
    return b"\n".join([line.rstrip(b"\n") for line in lines])


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
    return min(os.cpu_count() or 1, _MOST_WORKERS)
