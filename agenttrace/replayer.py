"""Replayer: answers this process, or code that asks by hand, from a trace."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from agenttrace.capture import boot, draws, draws_again, processes
from agenttrace.capture.answer import Diverged
from agenttrace.errors import Divergence, ReplayError
from agenttrace.event import Event
from agenttrace.reader import TraceReader
from agenttrace.redaction import NoRedactor, Redactor
from agenttrace.replay import comparison, json_path, recorded
from agenttrace.replay.matching import Loosened, Matcher, redactor_of
from agenttrace.replay.nearest import divergence_message
from agenttrace.replay.responder import Desk
from agenttrace.replay.stand_ins import StandIns
from agenttrace.replay.stillness import Watch
from agenttrace.replay.volatile import checked_pattern


@dataclass(frozen=True)
class ReplayReport:
    """What came of a replay.

    matched: how many requests were answered. masked: of these, how each differed that was not the
    same to the letter. reordered: what was answered in another order than recorded. unasked: the
    numbers of the recorded requests that were not asked. refused: connections that were not
    recorded. divergence: the first request that was not recorded, against the nearest that was.
    """

    matched: int
    masked: tuple[str, ...]
    reordered: tuple[str, ...]
    unasked: tuple[int, ...]
    refused: tuple[str, ...]
    divergence: dict[str, Any] | None


class Replayer:
    """Recorded answers in place of the world.

    As a context manager: the HTTP of this process (of the clients that `record` sees) is answered from the trace, and
    connections are refused; where the trace holds them, so are the processes that `subprocess` and asyncio start, and
    time and chance, each thread's from its first on. Who draws more than was recorded goes on. Blocks may stand within
    each other: the inner one answers.

    By hand: `user_input()`, `llm_response(request)`, `tool_result(name, arguments)` give what was recorded, each once
    and in order. Divergence if there is none. ReplayError if the trace holds nothing to replay.

    ignore: JSON paths that are left out of matching (`.metadata.user_id`); masks: regular expressions of values that
    may differ, beside those that always may (`agenttrace/replay/volatile.py`), but not by hand; redact: those that
    the trace was recorded with. A string is a list of one. ValueError if one is none.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        ignore: Sequence[str] = (),
        masks: Sequence[str] = (),
        redact: Sequence[str] = (),
        loosened: Loosened | None = None,
    ) -> None:
        """loosened: the same, read already; what it names is added."""
        loosened = loosened or Loosened()
        self._path = os.fspath(path)
        self._run = recorded.load(self._path)
        loosened = Loosened(
            (*loosened.ignore, *map(json_path.parse, _listed(ignore))),
            (*loosened.masks, *map(checked_pattern, _listed(masks))),
        )
        self._ignore = loosened.ignore
        redactor = redactor_of(self._run, _listed(redact))
        self._matcher = Matcher(self._run, redactor, loosened)
        for process in self._run.processes.all:
            process.runs = False  # nothing of ours gets into a Python that this process starts
        report = self._matcher.report
        self._stand_ins = StandIns(self._run, redactor, report, loosened.masks)
        self._by_hand: _ByHand | None = None
        self._hooks: Any = None
        self._draws: Any = None
        self._undo: list[Callable[[], None]] = []

    @property
    def report(self) -> ReplayReport:
        """What came of it so far."""
        found = self._matcher.report
        by_hand = self._by_hand.taken if self._by_hand is not None else set()
        unasked = [exchange.seq for exchange in self._matcher.unasked()]
        if self._run.processes.all:
            unasked = sorted(unasked + self._stand_ins.unstarted())
        return ReplayReport(
            matched=found.matched + len(by_hand),
            masked=tuple(found.masked),
            reordered=tuple(found.reordered),
            unasked=tuple(seq for seq in unasked if seq not in by_hand),
            refused=tuple(found.refused),
            divergence=found.divergence.to_dict() if found.divergence else None,
        )

    def __enter__(self) -> Replayer:
        """ReplayError inside of itself."""
        if self._hooks is not None:
            raise ReplayError(f"{self._path}: this Replayer answers already; make another")
        stand_ins = self._stand_ins if self._run.processes.all else None
        desk = Desk(self._run, self._matcher, Watch(), stand_ins=stand_ins)
        link = _Link(desk)
        self._undo = [desk.close]
        hooks = dict(boot.HTTP)
        if stand_ins is not None:
            hooks["subprocess"] = boot.PROCESSES["subprocess"]
            self._undo.append(processes.serve(link))
        if self._run.has_draws:
            hooks.update(boot.ENTROPY)
            if self._draws is None:
                self._draws = draws_again.Replayed(link)
            self._undo.append(draws.use_meanwhile(self._draws, link))
        self._hooks = boot.Hooks(link, "replay", hooks)
        self._hooks.install()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Divergence if the code asked for what was not recorded, also where it swallowed that."""
        self._hooks.remove()
        self._hooks = None
        while self._undo:
            self._undo.pop()()
        found = self._matcher.report.divergence
        if found is not None and (error is None or isinstance(error, Diverged)):
            divergence = Divergence(divergence_message(found))
            divergence.report = found.to_dict()
            raise divergence from error

    # -- by hand -----------------------------------------------------------------------------

    def user_input(self) -> str:
        """The next thing that a person said."""
        return str(self._events().take("user_input", None).data["text"])

    def llm_response(self, request: Any) -> dict[str, Any]:
        """The data of the `llm_response` to this request."""
        return self._events().take("llm_response", request).data

    def tool_result(self, name: str, arguments: Any = None) -> Any:
        """The output of this call. ReplayError, with what it said, if the tool failed when it was recorded."""
        data = self._events().take("tool_result", [name, arguments]).data
        if data.get("is_error"):
            raise ReplayError(f"{name} failed when it was recorded: {data.get('output')}")
        return data.get("output")

    def _events(self) -> _ByHand:
        if self._by_hand is None:
            self._by_hand = _ByHand(self._path, self._matcher.redactor, self._ignore)
        return self._by_hand


class _ByHand:
    """Answers by what was asked, for code that was traced by hand."""

    def __init__(
        self, path: str, redactor: Redactor | NoRedactor, ignore: Sequence[json_path.Path]
    ) -> None:
        self._redactor = redactor
        self._ignore = ignore
        self._answers: dict[bytes, deque[tuple[int, Event]]] = {}
        self._asked_of: list[tuple[int, str, Any]] = []
        self.taken: set[int] = set()
        open_by_span: dict[str | None, tuple[int, Any]] = {}
        trace_id = ""
        for event in TraceReader(path, full=True):
            trace_id = trace_id or event.trace_id
            if event.trace_id != trace_id:  # the first trace of the file alone, as `recorded.load`
                continue
            data = event.data
            if event.kind == "user_input":
                self._keep("user_input", event.seq, None, event)
            elif event.kind == "llm_request":
                open_by_span[event.span_id] = (event.seq, data.get("request"))
            elif event.kind == "tool_call":
                asked = [data.get("name"), data.get("arguments")]
                open_by_span[event.span_id] = (event.seq, asked)
            elif event.kind in ("llm_response", "tool_result") and event.span_id in open_by_span:
                self._keep(event.kind, *open_by_span.pop(event.span_id), event)

    def _keep(self, kind: str, asked_seq: int, asked: Any, event: Event) -> None:
        asked = self._compared(kind, asked)
        self._answers.setdefault(_key(kind, asked), deque()).append((asked_seq, event))
        self._asked_of.append((asked_seq, kind, asked))

    def _compared(self, kind: str, asked: Any) -> Any:
        return json_path.without(asked, self._ignore) if kind == "llm_response" else asked

    def take(self, kind: str, asked: Any) -> Event:
        from agenttrace import encoding
        from agenttrace.event import parse_json

        # As it was recorded, so that what was redacted matches.
        plain = parse_json(self._redactor.clean(encoding.encode({"": asked})))[""]
        plain = self._compared(kind, plain)
        queue = self._answers.get(_key(kind, plain))
        if queue:
            seq, event = queue.popleft()
            self.taken.add(seq)
            return event
        raise self._divergence(kind, plain)

    def _divergence(self, kind: str, asked: Any) -> Divergence:
        nearest: tuple[int, list[comparison.Difference]] | None = None
        for seq, other_kind, recorded_asked in self._asked_of:
            if other_kind == kind:
                found = list(comparison.differences(recorded_asked, asked))
                if nearest is None or len(found) < len(nearest[1]):
                    nearest = (seq, found)
        where = ""
        if nearest is not None and nearest[1]:
            paths = ", ".join(difference.path for difference in nearest[1][:3])
            where = f"; the nearest, event {nearest[0]}, differs at {paths}"
        error = Divergence(f"no {kind} was recorded for this{where}")
        if nearest is not None:
            error.report = {
                "nearest_seq": nearest[0],
                "differences": [found._asdict() for found in nearest[1]],
            }
        return error


class _Link:
    """What the hooks of this process ask, without a socket between."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._turns = itertools.count()

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        self._desk.take(head, body, lambda *answer: None)

    def hand(self, head: dict[str, Any], fds: Sequence[int]) -> None:
        self._desk.take(head, b"", lambda *answer: None, [os.dup(fd) for fd in fds])

    def ask(self, head: dict[str, Any], body: bytes = b"") -> tuple[dict[str, Any], bytes]:
        return self._asked(head, body).result()

    async def ask_async(
        self, head: dict[str, Any], body: bytes = b""
    ) -> tuple[dict[str, Any], bytes]:
        import asyncio

        return await asyncio.wrap_future(self._asked(head, body))

    def _asked(self, head: dict[str, Any], body: bytes) -> Future[tuple[dict[str, Any], bytes]]:
        answered: Future[tuple[dict[str, Any], bytes]] = Future()

        def give(head: dict[str, Any], body: bytes) -> None:
            if answered.set_running_or_notify_cancel():  # its task may have been cancelled
                answered.set_result((head, body))

        if (
            head["op"] == "ask"
        ):  # the process counts on from one Replayer to the next, a desk begins anew
            head = {**head, "turn": next(self._turns)}
        self._desk.take(head, body, give)
        return answered


def _listed(asked: Sequence[str]) -> Sequence[str]:
    # A string is a sequence too, of its letters: nobody means those.
    return (asked,) if isinstance(asked, str) else asked


def _key(kind: str, asked: Any) -> bytes:
    return kind.encode() + b" " + comparison.canonical(asked)
