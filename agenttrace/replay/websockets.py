"""Websockets served from the recording: what the agent sends is compared, what it gets comes in its recorded order.

No message goes out before those were sent that were sent before it when it was recorded. An agent that leaves one out,
and waits, would wait for ever: after a while it has diverged. One that waits for more than was recorded, longer than
the recording went on, gets an end, and that is told.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from agenttrace.replay.matching import SENDING, Matcher
from agenttrace.replay.nearest import DivergenceFound, divergence_message
from agenttrace.replay.order import Order
from agenttrace.replay.recorded import Recorded
from agenttrace.replay.recorded_websockets import Close, Message, RecordedWebsocket
from agenttrace.replay.retold import Retold
from agenttrace.replay.stillness import Watch
from agenttrace.telling import tell

_LOOK_S = 0.1
_STUCK_S = 3.0
_SLACK = 1.25  # on how long it took when it was recorded
_LEAD_LIMIT_S = 300.0
_NORMAL = 1000

Frame = tuple[dict[str, Any], bytes]
Reply = Callable[[dict[str, Any], bytes], None]
Turn = Callable[[dict[str, Any]], AbstractContextManager[None]]


class _Connection:
    """One of them. step: how many deliveries were handed out; wanted: who waits for the next one; is_due: it was given
    to the order; moved_s: when something happened on it.
    """

    def __init__(self, opening: Recorded, websocket: RecordedWebsocket, matcher: Matcher) -> None:
        self.opening = opening
        self.recorded = websocket
        self.matcher = matcher
        self.step = 0
        self.wanted: Reply | None = None
        self.last: Frame | None = None
        self.is_due = False
        self.is_left = False
        self.moved_s = time.monotonic()
        self.base = (
            opening.steps_ns[0],
            self.moved_s,
        )  # of pace: an event's time, and when it came now
        self._unsent = 0

    def next(self) -> Message | Close | None:
        """What its server does next."""
        received = self.recorded.received
        return received[self.step] if self.step < len(received) else self.recorded.close

    def missing(self) -> Message | None:
        """The first message that was not sent yet."""
        sent, asked = self.recorded.sent, self.matcher.asked
        while self._unsent < len(sent) and sent[self._unsent].seq in asked:
            self._unsent += 1
        return sent[self._unsent] if self._unsent < len(sent) else None

    def awaited(self) -> Message | None:
        """What must be sent before that."""
        following, missing = self.next(), self.missing()
        is_before = following is not None and missing is not None and missing.seq < following.seq
        return missing if is_before else None


class Websockets:
    """Those of one replay. Thread-safe.

    turn: gives each frame its turn, with the lock held. diverged: called when a message was not recorded. may_fork: the
    replay would go live, which a websocket that is served can't.
    """

    def __init__(
        self,
        matcher: Matcher,
        order: Order,
        watch: Watch,
        turn: Turn,
        lock: AbstractContextManager[Any],
        speed: float | None,
        retold: Retold | None,
        diverged: Callable[[], None],
        may_fork: bool,
        last_ns: int,
    ) -> None:
        """last_ns: when the last event was recorded."""
        self._last_ns = last_ns
        self._matcher = matcher
        self._order = order
        self._watch = watch
        self._turn = turn
        self._lock = lock
        self._speed = speed
        self._retold = retold
        self._diverged = diverged
        self._may_fork = may_fork
        self._connections: dict[int, _Connection] = {}
        self._is_watching = False
        self._is_closed = threading.Event()

    def opened(self, opening: Recorded) -> None:
        """The agent was told that it is open."""
        if opening.websocket is not None:
            matcher = self._matcher.messages(opening.seq)
            with self._lock:
                made = _Connection(opening, opening.websocket, matcher)
                self._connections[opening.seq] = made

    def sent(self, head: dict[str, Any], body: bytes, reply: Reply) -> None:
        """The agent sends this."""
        connection = self._connections[head["seq"]]
        with self._turn(head):
            expected = connection.missing()
            found = connection.matcher.ask(SENDING, connection.recorded.url, body)
            connection.moved_s = time.monotonic()
            if isinstance(found, Recorded):
                connection.base = (found.ts_ns, connection.moved_s)
                if expected is not None and expected.seq != found.seq:
                    told = f"event {found.seq} was sent before {expected.seq}"
                    self._matcher.report.reordered.append(told)
        if isinstance(found, DivergenceFound):
            self._diverge(found, reply)
            return
        if self._retold is not None:
            message = next(one for one in connection.recorded.sent if one.seq == found.seq)
            parts = _parts(body, head["lengths"])
            told_now = Message(found.seq, found.ts_ns, parts, message.is_binary)
            self._retold.message(connection.opening, "send", told_now)
        reply({"op": "go"}, b"")
        self._advance(connection)

    def wanted(self, head: dict[str, Any], reply: Reply) -> None:
        """Its server's side asks what to do next."""
        connection = self._connections[head["seq"]]
        with self._lock:
            last = connection.last if head["step"] < connection.step else None
            if last is None:
                connection.wanted = reply
        if last is not None:  # it was cut short before it had that
            reply(*last)
        else:
            self._advance(connection)

    def left(self, seq: int) -> None:
        """The agent's side is closed."""
        connection = self._connections.get(seq)
        if connection is None:
            return
        with self._lock:
            wanted, connection.wanted = connection.wanted, None
            is_first, connection.is_left = not connection.is_left, True
        close = connection.recorded.close
        if is_first and close is not None and close.by == "client" and self._retold is not None:
            self._retold.closed(connection.opening, close)
        if wanted is not None:
            wanted({"op": "over"}, b"")

    def close(self) -> None:
        """The replay is over."""
        self._is_closed.set()

    # -- deliveries ----------------------------------------------------------------------------

    def _advance(self, connection: _Connection) -> None:
        """Hands out what its server does next, if it may already."""
        with self._lock:
            following = connection.next()
            if connection.wanted is None or connection.is_due:
                return
            if following is None or connection.awaited() is not None:
                self._look_after()
                return
            connection.is_due = True
            number = connection.step + 1

        def deliver() -> None:
            self._deliver(connection, following)

        if isinstance(following, Close) and following.by == "client":
            deliver()  # its server only answers
        else:
            self._order.deliver((connection.opening.seq, number), deliver)

    def _deliver(self, connection: _Connection, following: Message | Close) -> None:
        with self._lock:
            wanted, connection.wanted = connection.wanted, None
            connection.is_due = False
            if wanted is None:
                return
            connection.step += 1
            connection.moved_s = time.monotonic()
            connection.last = self._frame(connection, following)
        if self._retold is not None and isinstance(following, Message):
            self._retold.message(connection.opening, "receive", following)
        elif self._retold is not None and isinstance(following, Close) and following.by != "client":
            self._retold.closed(connection.opening, following)
        wanted(*connection.last)

    def _frame(self, connection: _Connection, following: Message | Close) -> Frame:
        wait_s = 0.0
        if self._speed is not None:
            base_ns, base_s = connection.base
            due_s = base_s + (following.ts_ns - base_ns) / 1e9 / self._speed
            wait_s = max(0.0, due_s - time.monotonic())
        if isinstance(following, Close):
            head = {"op": "close", "code": following.code, "by": following.by, "wait_s": wait_s}
            return head, following.reason
        lengths = [len(part) for part in following.parts]
        head = {"op": "message", "binary": following.is_binary, "lengths": lengths}
        return {**head, "wait_s": wait_s}, b"".join(following.parts)

    # -- what was not recorded -----------------------------------------------------------------

    def _diverge(self, found: DivergenceFound, reply: Reply) -> None:
        if self._may_fork:
            tell("agenttrace: replay can't go live in a websocket that is answered from the trace")
        self._diverged()
        reply({"op": "diverged", "message": divergence_message(found)}, b"")

    def _look_after(self) -> None:
        """From now on looks for connections on which nothing will come any more."""
        if not self._is_watching:
            self._is_watching = True
            threading.Thread(target=self._look, name="agenttrace-websockets", daemon=True).start()

    def _look(self) -> None:
        self._watch.leave_out(threading.get_native_id())
        ran_ns, since_s = self._watch.look().ran_ns, time.monotonic()
        while not self._is_closed.wait(_LOOK_S):
            with self._lock:
                waiting = [one for one in self._connections.values() if self._is_waiting(one)]
                self._is_watching = bool(waiting)
            if not waiting:
                return
            look, now_s = self._watch.look(), time.monotonic()
            if (look.ran_ns - ran_ns) / 1e9 > (now_s - since_s) / 2:  # it computes
                for one in waiting:
                    one.moved_s = now_s
            ran_ns, since_s = look.ran_ns, now_s
            for one in waiting:
                self._end_if_stuck(one)

    def _is_waiting(self, connection: _Connection) -> bool:
        is_over = connection.next() is None
        return connection.wanted is not None and (is_over or connection.awaited() is not None)

    def _end_if_stuck(self, connection: _Connection) -> None:
        with self._lock:
            missing, reply = connection.awaited(), connection.wanted
            is_over = connection.next() is None
            if reply is None or (missing is None and not is_over):
                return
            until_ns = self._last_ns if missing is None else missing.ts_ns
            before = [message.ts_ns for message in connection.recorded.received[: connection.step]]
            lead_s = (until_ns - max([connection.base[0], *before])) / 1e9
            limit_s = _STUCK_S + min(max(0.0, lead_s), _LEAD_LIMIT_S) * _SLACK
            if time.monotonic() - connection.moved_s < limit_s:
                return
            connection.wanted = None
            if missing is None:
                self._matcher.report.masked.append(
                    f"event {connection.opening.seq}: nothing more was recorded: it was closed"
                )
                connection.recorded.close = Close(0, 0, _NORMAL, b"", "server")
                connection.step += 1
            else:
                found = connection.matcher.miss(missing.seq)
        if missing is None:
            reply({"op": "close", "code": _NORMAL, "by": "server"}, b"")
        else:
            self._diverge(found, reply)


def _parts(body: bytes, lengths: list[int]) -> list[bytes]:
    ends = list(itertools.accumulate(lengths))
    return [body[end - length : end] for end, length in zip(ends, lengths)]
