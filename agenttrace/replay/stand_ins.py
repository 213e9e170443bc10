"""Processes that stand in for recorded ones: which one for what is started, and what goes through their pipes.

A process is matched by its arguments and its folder, volatile values masked; the same twice in the order of the trace.
Which worker of a pool gets which task is nobody's to say: what one worker started, another may once (a library's
`uname -p`, say), if it was the same each time.
Then its pipes are played in lock-step: what was recorded behind some input comes when that input has come.
"""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Callable, Sequence
from typing import Any

from agenttrace import encoding
from agenttrace.event import parse_json
from agenttrace.redaction import NoRedactor, Redactor
from agenttrace.replay import comparison
from agenttrace.replay.masking import Masked
from agenttrace.replay.matching import MatchReport
from agenttrace.replay.nearest import DivergenceFound
from agenttrace.replay.playing import InputDiffers, Player
from agenttrace.replay.processes import RecordedProcess
from agenttrace.replay.recorded import RecordedRun
from agenttrace.replay.volatile import Finder, Owns, owns

_MAX_TOLD = 100


class StandIns:
    """Of one run. Thread-safe.

    diverged: called when what is written to a child was not recorded. covered: called with the number of each recorded
    exchange that is part of a process which is not run. stood_in: called with each process that is not run, and the
    span that it is part of now.
    """

    def __init__(
        self,
        run: RecordedRun,
        redactor: Redactor | NoRedactor,
        report: MatchReport,
        masks: Sequence[str] = (),
        own: Owns | None = None,
    ) -> None:
        self._run = run
        self._redactor = redactor
        self._report = report
        own = own or owns(run.start)
        self._then, self._now = Finder(own.then, masks), Finder(own.now, masks)
        self._lock = threading.Lock()
        self._taken: set[int] = set()
        self._asked: set[tuple[Any, ...]] = set()  # which process has started which command line
        self._numbers = {process.seq: process for process in run.processes.all}
        self.diverged: Callable[[], None] = lambda: None
        self.covered: Callable[[int], None] = lambda seq: None
        self.stood_in: Callable[[RecordedProcess, str | None], None] = lambda process, parent: None
        self.served = 0
        self.unshown: list[str] = []
        self.ran: dict[str, None] = {}

    def spawn(self, head: dict[str, Any]) -> dict[str, Any]:
        """What answers a process that is about to be started."""
        argv, cwd = self._cleaned(head["argv"], str(head["cwd"]))
        with self._lock:
            found = self._found(argv, cwd, head.get("asker"))
            if isinstance(found, DivergenceFound):
                self._tell(found)
            else:
                self._taken.add(found.seq)
        if isinstance(found, DivergenceFound):
            message = f"{found.method} {found.url}: this process was not recorded"
            return {"op": "diverged", "message": message}
        self._cover(found)
        self.stood_in(found, head["span"])
        if found.error is not None:
            filename = found.error.get("filename")
            return {"op": "failed", "errno": found.error["errno"], "filename": filename}
        self.served += 1
        if head["is_shown"] and len(self.unshown) < _MAX_TOLD:
            self.unshown.append(shlex.join(found.argv))
        outlived = [] if found.code is not None and found.code < 0 else sorted(set(found.signals))
        return {"op": "stand_in", "number": found.seq, "code": found.code, "outlived": outlived}

    def play(self, head: dict[str, Any], fds: Sequence[int]) -> None:
        """Plays the pipes of a stand-in, in a thread of its own. fds: see `play` in
        `frames.py`.
        """
        process = self._numbers.get(head["number"])
        if process is None or len(fds) != 2 + len(head["streams"]):
            for fd in fds:
                os.close(fd)
            return
        streams = dict(zip(head["streams"], fds[2:]))
        player = Player(process, fds[0], fds[1], streams, self._says_the_same)
        # A name of its own: the agent's threads are numbered by Python, and told again by their names.
        threading.Thread(
            target=self._play, args=(player, process), name="agenttrace-player", daemon=True
        ).start()

    def _play(self, player: Player, process: RecordedProcess) -> None:
        try:
            player.play()
        except InputDiffers as found:
            differences = list(comparison.differences(found.recorded, found.written))
            what = shlex.join(process.argv)
            with self._lock:
                self._tell(DivergenceFound("the input of", what, process.seq, differences))
            self.diverged()
        finally:
            player.close()

    def ran_for_real(self, argv: Sequence[Any]) -> None:
        """This program was started for real."""
        if len(self.ran) < _MAX_TOLD:
            self.ran[shlex.join(self._cleaned(argv)[0])] = None

    def program(self, argv: Sequence[Any]) -> str:
        """The program's name, as it can be told."""
        return self._cleaned(argv[:1])[0][0] if argv else ""

    def unstarted(self) -> list[int]:
        """The numbers of recorded processes that were not started, and not part of one that wasn't run, or the like of
        one that another worker started.
        """
        return [
            process.seq
            for process in self._run.processes.all
            if not (process.runs or process.seq in self._taken or self._is_inside(process))
            and not self._is_started_by_another(process)
        ]

    # -- which -------------------------------------------------------------------------------

    def _found(self, argv: list[str], cwd: str, asker: Any) -> RecordedProcess | DivergenceFound:
        alike = self._alike(argv, cwd)
        found = next((one for one in alike if self._is_free(one)), None)
        if found is None and (asker, *argv) not in self._asked and _are_the_same(alike):
            found = alike[0]
            told = f"event {found.seq}: {shlex.join(argv)} was started by more processes than was recorded"
            self._report.masked.append(told)
        if found is None:
            return self._nearest(argv, cwd)
        self._asked.add((asker, *argv))
        if self._is_cut_off(found):
            return DivergenceFound("the end of", shlex.join(argv), found.seq, [])
        if found.argv != argv:
            told = f"event {found.seq}: {shlex.join(found.argv)} is now {shlex.join(argv)}"
            self._report.masked.append(told)
        return found

    def _is_cut_off(self, process: RecordedProcess) -> bool:
        """Whether the trace ends within it: nobody could say how it went on, and its parent would wait for ever."""
        known = [one.seq for one in self._run.exchanges]
        known += [one.seq for one in self._run.processes.all]
        is_open = process.code is None and process.error is None
        return is_open and self._run.end is None and process.seq >= max(known)

    def _alike(self, argv: list[str], cwd: str) -> list[RecordedProcess]:
        """The recorded processes with this command line, to the letter first, then but for volatile values."""
        not_run = [one for one in self._run.processes.all if not one.runs]
        exact = [one for one in not_run if one.argv == argv and one.cwd == cwd]
        if any(self._is_free(one) for one in exact):
            return exact
        asked = Masked(self._now, [cwd, argv]).tree
        others = [one for one in not_run if Masked(self._then, [one.cwd, one.argv]).tree == asked]
        return [*exact, *(one for one in others if one not in exact)]

    def _is_started_by_another(self, process: RecordedProcess) -> bool:
        return any(
            one.argv == process.argv
            and one.cwd == process.cwd
            and one.parent_span_id != process.parent_span_id
            and one.said() == process.said()
            for one in (self._numbers[seq] for seq in self._taken)
        )

    def _is_free(self, process: RecordedProcess) -> bool:
        return not (process.runs or process.seq in self._taken)

    def _nearest(self, argv: list[str], cwd: str) -> DivergenceFound:
        mine = {"argv": argv, "cwd": cwd}
        candidates = [one for one in self._run.processes.all if self._is_free(one)]
        chosen, least = None, 1 << 20
        for one in candidates:
            count = comparison.distance({"argv": one.argv, "cwd": one.cwd}, mine, least)
            if count < least and one.argv[:1] == argv[:1]:
                chosen, least = one, count
        what = shlex.join(argv)
        if chosen is None:
            return DivergenceFound("the process", what, None, [])
        theirs = {"argv": chosen.argv, "cwd": chosen.cwd}
        found = list(comparison.differences(theirs, mine))
        return DivergenceFound("the process", what, chosen.seq, found)

    def _tell(self, found: DivergenceFound) -> None:
        self._report.diverged += 1
        if self._report.divergence is None:
            self._report.divergence = found

    # -- what is part of it --------------------------------------------------------------------

    def _cover(self, process: RecordedProcess) -> None:
        """What happened inside of it is not asked for again."""
        for exchange in self._run.exchanges:
            if self._run.is_inside(exchange.span_id, process.span_id):
                self.covered(exchange.seq)

    def _is_inside(self, process: RecordedProcess) -> bool:
        return any(
            self._run.is_inside(process.span_id, self._numbers[seq].span_id) for seq in self._taken
        )

    # -- what is written to it -----------------------------------------------------------------

    def _cleaned(self, argv: Sequence[Any], cwd: str = "") -> tuple[list[str], str]:
        """As it is recorded: an option's secret may stand in the next word."""
        facts = encoding.encode({"argv": [str(word) for word in argv], "cwd": cwd})
        cleaned = parse_json(self._redactor.clean(facts))
        return cleaned["argv"], cleaned["cwd"]

    def _says_the_same(self, recorded: bytes, written: bytes) -> bool:
        """Whether it does but for secrets that were removed, and for volatile values, which is told."""
        written = self._redactor.clean_text(written)
        if recorded == written:
            return True
        then, now = recorded.decode("utf-8", "replace"), written.decode("utf-8", "replace")
        if Masked(self._then, then.split("\n")).tree != Masked(self._now, now.split("\n")).tree:
            return False
        with self._lock:
            self._report.masked.append("volatile values differ in what is written to a process")
        return True


def _are_the_same(alike: list[RecordedProcess]) -> bool:
    """Whether all of them, one at least, did the same and were told nothing."""
    return bool(alike) and all(
        one.said() == alike[0].said()
        and not any(piece.data for piece in one.pieces if piece.stream == "stdin")
        for one in alike
    )
