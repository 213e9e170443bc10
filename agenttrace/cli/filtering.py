"""The work of `agenttrace filter`: batches of lines on their way through its conditions."""

from __future__ import annotations

from collections import deque
from typing import Any, Optional

from agenttrace import _backend
from agenttrace.cli.failure import NEGATIVE, UNUSABLE, WrongUsage
from agenttrace.cli.inputs import named
from agenttrace.cli.intake import Intake
from agenttrace.cli.terminal import Output, say
from agenttrace.errors import TraceFormatError

_MOST_WAITING = 32 << 20  # bytes of lines that wait for jq


class Job:
    """The way of a batch of lines: expanded, selected, judged by EXPR, counted, passed on."""

    def __init__(
        self,
        given: dict[str, Any],
        expression: Optional[str],
        *,
        invert: bool,
        full: bool,
        limit: Optional[int],
    ) -> None:
        self._expression = None
        if expression is not None:
            given, is_whole = _with_demand(given, expression)
            if not is_whole:
                self._expression = _compiled(expression)
        try:
            self._selection = _backend.Selection(**given) if given else None
        except ValueError as error:
            option = "--grep: " if "grep" in given else ""
            raise _wrong(option, error) from None
        self._conversations = _backend.Conversations() if full else None
        self._invert = invert
        self._left = limit
        self._passed = 0
        self._waiting_bytes = 0
        self._broken = 0
        # The scanner selects by itself unless an event must be expanded, or EXPR asked, first.
        self._is_fast = (
            self._selection is not None and not full and (self._expression is None or not invert)
        )

    def run(self, files: list[str], *, quiet: bool, need_match: bool) -> int:
        self._out = Output()
        is_selected = self._is_fast and self._expression is None and self._left is None
        straight = self._out if is_selected else None
        intake = Intake(named(files), self._scanner, quiet=quiet, output=straight)
        waiting: deque[_Batch] = deque()
        for lines in intake.batches() if self._left != 0 else ():
            waiting.append(self._judged(lines))
            self._waiting_bytes += len(lines)
            # A live pipe stays live: nothing waits for what may come.
            while waiting and self._left != 0:
                if (
                    intake.has_more
                    and self._waiting_bytes < _MOST_WAITING
                    and not waiting[0].is_answered
                ):
                    break
                self._pass_on(waiting.popleft())
            if self._left == 0:
                break
        while waiting and self._left != 0:
            self._pass_on(waiting.popleft())
        self._passed += intake.written
        return self._status(intake.status, need_match)

    def _scanner(self) -> Any:
        if self._is_fast:
            return _backend.Scanner(
                judge="lines",
                selection=self._selection,
                invert=self._invert and self._expression is None,
            )
        return _backend.Scanner(judge="lines")

    def _judged(self, lines: bytes) -> _Batch:
        """The batch on its way: what needs jq is with jq."""
        if self._is_fast and self._expression is None:
            return _Batch(len(lines), lines, None, None)
        each = [line + b"\n" for line in lines.split(b"\n")[:-1]]
        if self._conversations is not None:
            each = [line for line in map(self._expanded, each) if line]
        selection = None if self._is_fast else self._selection
        held = [selection is None or selection.matches(line) for line in each]
        if self._expression is None:
            return _Batch(len(lines), each, held, None)
        asked = [line for line, is_asked in zip(each, held) if is_asked]
        return _Batch(len(lines), each, held, self._expression.ask(asked))

    def _pass_on(self, batch: _Batch) -> None:
        self._waiting_bytes -= batch.size
        passing = self._limited(batch.passing(self._invert))
        if passing:
            self._out.write(passing)

    def _expanded(self, line: bytes) -> bytes:
        try:
            return self._conversations.expand(line)  # type: ignore[union-attr]
        except TraceFormatError as error:
            self._broken += 1
            if self._broken <= 100:
                say(f"a conversation can't be had in full: {error}")
            return b""

    def _limited(self, lines: bytes) -> bytes:
        count = lines.count(b"\n")
        if self._left is not None:
            if count > self._left:
                lines = b"".join([line + b"\n" for line in lines.split(b"\n")[: self._left]])
                count = self._left
            self._left -= count
        self._passed += count
        return lines

    def _status(self, status: int, need_match: bool) -> int:
        if need_match and not self._passed:
            status = max(status, NEGATIVE)
        if self._broken:
            status = max(status, NEGATIVE)
        if self._expression is not None:
            self._expression.close()
            if self._expression.failures:
                events = (
                    "1 event"
                    if self._expression.failures == 1
                    else f"{self._expression.failures} events"
                )
                say(f"EXPR failed on {events}: {self._expression.first_failure}")
                status = UNUSABLE
        return status


class _Batch:
    """Lines on their way. size: their bytes. lines: those that pass, or each, with what was found: whether the
    conditions hold, and what was asked of jq about those for which they do.
    """

    def __init__(self, size: int, lines: Any, held: Optional[list[bool]], asked: Any) -> None:
        self.size = size
        self._lines = lines
        self._held = held
        self._asked = asked

    @property
    def is_answered(self) -> bool:
        """Whether `passing` would not wait."""
        return self._asked is None or self._asked.is_answered

    def passing(self, invert: bool) -> bytes:
        """The lines that pass; waits for jq."""
        held = self._held
        if held is None:
            return self._lines  # type: ignore[no-any-return]
        if self._asked is not None:
            verdicts = iter(self._asked.verdicts())
            held = [is_asked and next(verdicts) for is_asked in held]
        return b"".join([line for line, is_held in zip(self._lines, held) if is_held != invert])


def _with_demand(given: dict[str, Any], expression: str) -> tuple[dict[str, Any], bool]:
    """The conditions, and those that EXPR implies; whether these say all of it, so that jq isn't needed."""
    from agenttrace.expression.demand import demand_of

    demand = demand_of(expression)
    given = dict(given)
    if demand.kinds is not None:
        asked = given.get("kinds")
        given["kinds"] = [kind for kind in demand.kinds if asked is None or kind in asked]
    if demand.holding:
        given["holding"] = demand.holding
    if demand.comparing:
        given["comparing"] = demand.comparing
    return given, demand.is_whole


def _compiled(text: str) -> Any:
    from agenttrace.expression.evaluator import Expression
    from agenttrace.expression.worker import BadExpression

    try:
        return Expression(text)
    except BadExpression as error:
        raise _wrong("EXPR: ", error) from None


def _wrong(prefix: str, error: Exception) -> WrongUsage:
    """In jq's or the regex engine's own words, which may point into the text below."""
    first, _, detail = str(error).partition("\n")
    return WrongUsage(prefix + first, detail=detail)
