"""Answers, and the pieces of answers that overlapped, in the order in which they came when it was recorded.

What comes first is an input of a concurrent program: `asyncio.as_completed`, threads that append to one
list. So each delivery waits for the ones that were recorded before it. Among answers that overlapped,
the next goes out when all that the one before has set going waits again (`stillness.py`).

A delivery waits for an earlier one only while that may still be asked for. When all that could go on
waits for us, the earliest of those that are asked for goes out, and that it did is told. A program
that asks one thing at a time never waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from agenttrace.replay.recorded import Recorded
from agenttrace.replay.stillness import Watch

_LOOK_S = 0.0005
_SETTLE_LIMIT_S = 1.0  # a program that never rests gets its answers nevertheless
_UNSEEN_SETTLE_S = 0.02  # where processes can't be looked at
_QUIET_S = 0.1
_QUIET_LOOKS = 10  # in that time, at least: on a loaded machine we are kept from looking, too
_RESTLESS_S = 0.6  # something wakes up now and then; nothing computes
_SLACK = 1.25  # on how long it took when it was recorded
_LEAD_LIMIT_S = 300.0

Key = tuple[int, int]  # (number of the request's event, number of the step)


class Step(NamedTuple):
    """One delivery. lead_s: the time before it in which nothing was asked or delivered, when recorded."""

    key: Key
    lead_s: float


class Order:
    """Lets deliveries go in their order. Thread-safe; `close` ends its thread."""

    def __init__(
        self, exchanges: Sequence[Recorded], watch: Watch, tell: Callable[[str], None]
    ) -> None:
        """tell: is given what was delivered in another order, in words."""
        self._watch = watch
        self._tell = tell
        woven = _woven(exchanges)
        self._steps = _steps(exchanges, woven)
        self.woven = woven
        self._place = {step.key: place for place, step in enumerate(self._steps)}
        self._concurrent = _concurrent(exchanges)
        self._head = 0  # all steps before this one are done with
        self._done: set[int] = set()  # places behind it that are, too
        self._waiting: dict[int, Callable[[], None]] = {}
        self._asked: set[int] = set()
        self._left: set[int] = set()
        self._changed = threading.Condition()
        self._changes = 0
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def deliver(self, key: Key, action: Callable[[], None]) -> None:
        """Has the action done when it is this step's turn: at once, in this thread, or later in another.

        The action must not block for long and must not raise.
        """
        with self._changed:
            self._asked.add(key[0])
            place = None if self._is_closed else self._place.get(key)
            if place is not None and place >= self._head and place not in self._done:
                is_alone = not self._waiting and key[0] not in self._concurrent
                if place != self._head or not is_alone:
                    self._waiting[place] = action
                    self._wake()
                    return
                self._pass(place)
        action()

    def leave(self, seq: int) -> None:
        """The agent wants no more pieces of this answer."""
        with self._changed:
            self._left.add(seq)
            self._wake()

    def close(self) -> None:
        """Everything that waits goes out; nothing waits from now on."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._wake()
            waiting, self._waiting = self._waiting, {}
        for place in sorted(waiting):
            waiting[place]()

    def _wake(self) -> None:
        self._changes += 1
        if self._thread is None and not self._is_closed:
            self._thread = threading.Thread(target=self._run, name="agenttrace-order", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _pass(self, place: int) -> None:
        self._done.add(place)
        while self._head in self._done:
            self._done.discard(self._head)
            self._head += 1

    # -- the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        self._watch.leave_out(threading.get_native_id())
        while True:
            with self._changed:
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                if self._is_closed:
                    return
                changes = self._changes
                self._skip_left()
                place = self._head
                is_asked = place in self._waiting
            if is_asked:
                self._settle()
                self._let_go(place)
            elif self._is_stalled(place, changes):
                self._go_on_without(place)

    def _skip_left(self) -> None:
        while self._head < len(self._steps) and self._head not in self._waiting:
            if self._steps[self._head].key[0] not in self._left:
                return
            self._pass(self._head)

    def _let_go(self, place: int) -> None:
        with self._changed:
            action = self._waiting.pop(place, None)
            self._pass(place)
        if action is not None:
            action()

    def _settle(self) -> None:
        """Waits until all that was set going waits, for a second at most."""
        if not self._watch.can_see:
            time.sleep(_UNSEEN_SETTLE_S)
            return
        deadline = time.monotonic() + _SETTLE_LIMIT_S
        before = self._watch.look()
        while time.monotonic() < deadline:
            time.sleep(_LOOK_S)
            now = self._watch.look()
            if not before.is_busy and not now.is_busy and before.mark == now.mark:
                return
            before = now

    def _is_stalled(self, place: int, changes: int) -> bool:
        """Whether the step at the head can't be expected any more; False as soon as something new is asked."""
        lead_s = self._steps[place].lead_s * _SLACK
        began = quiet_since = time.monotonic()
        quiet_looks = 0
        first = last = self._watch.look()
        while True:
            with self._changed:
                if self._changed.wait_for(
                    lambda: self._changes != changes or self._is_closed, 10 * _LOOK_S
                ):
                    return False
            look, moment = self._watch.look(), time.monotonic()
            if look.is_busy or look.mark != last.mark:
                quiet_since, quiet_looks = moment, -1
            quiet_looks += 1
            last, passed_s = look, moment - began
            limit_s = lead_s if look.is_timed or not self._watch.can_see else 0.0
            is_quiet = moment - quiet_since > _QUIET_S and quiet_looks >= _QUIET_LOOKS
            if is_quiet and passed_s > limit_s + _QUIET_S:
                return True
            computes = (look.ran_ns - first.ran_ns) / 1e9 > passed_s / 2
            if passed_s > lead_s + _RESTLESS_S and not computes:
                return True

    def _go_on_without(self, missing: int) -> None:
        with self._changed:
            if missing in self._waiting or not self._waiting:
                return
            chosen = min(self._waiting)
            late = {self._steps[place].key[0] for place in range(missing, chosen)}
            for place in range(missing, chosen):
                self._pass(place)
            action = self._waiting.pop(chosen)
            self._pass(chosen)
            seq = self._steps[chosen].key[0]
            unasked = sorted(late - self._asked)
        if unasked:
            numbers = ", ".join(map(str, unasked[:5])) + (", …" if len(unasked) > 5 else "")
            self._tell(f"event {seq} was answered before {numbers}, which nothing had asked for")
        elif late - {seq}:
            self._tell(f"pieces of event {seq} were handed on before those of {min(late - {seq})}")
        action()


def _woven(exchanges: Sequence[Recorded]) -> frozenset[int]:
    """The exchanges between whose pieces those of another came; and websockets."""
    found = {one.seq for one in exchanges if one.websocket is not None}
    last: dict[int, int] = {}
    line = sorted((at, one.seq) for one in exchanges for at in one.steps)
    for place, (_, seq) in enumerate(line):
        if last.get(seq, place - 1) != place - 1:
            found.add(seq)
        last[seq] = place
    return frozenset(found)


def _steps(exchanges: Sequence[Recorded], woven: frozenset[int]) -> list[Step]:
    """All deliveries in their order; an answer that isn't woven is one."""
    line: list[tuple[int, Key]] = []  # (number of the event, step)
    ts_ns: dict[int, int] = {}  # of each event
    for one in exchanges:
        ts_ns[one.seq] = one.ts_ns
        steps = list(zip(one.steps, one.steps_ns))
        for number, (at, at_ns) in enumerate(steps if one.seq in woven else steps[-1:]):
            line.append((at, (one.seq, number)))
            ts_ns[at] = at_ns
    moments = sorted(ts_ns)
    lead_s = {
        at: min(max(0.0, (ts_ns[at] - ts_ns[before]) / 1e9), _LEAD_LIMIT_S)
        for before, at in zip(moments[:1] + moments, moments)
    }
    # An answer waits to be asked for, a further piece for the one before.
    return [Step(key, lead_s[at if key[1] else key[0]]) for at, key in sorted(line)]


def _concurrent(exchanges: Sequence[Recorded]) -> frozenset[int]:
    """The exchanges that overlapped another one."""
    found: set[int] = set()
    latest: Recorded | None = None
    for one in sorted(exchanges, key=lambda exchange: exchange.seq):
        if latest is not None and one.seq < latest.steps[-1]:
            found |= {one.seq, latest.seq}
        if latest is None or one.steps[-1] > latest.steps[-1]:
            latest = one
    return frozenset(found)
