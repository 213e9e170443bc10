"""Answers the hooks of a replayed command, or of this process, from what was recorded."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from agenttrace.capture import frames
from agenttrace.command.socket_folder import is_own_peer, peer_pid
from agenttrace.replay.fork import Fork
from agenttrace.replay.matching import Matcher
from agenttrace.replay.nearest import DivergenceFound, divergence_message
from agenttrace.replay.order import Order
from agenttrace.replay.recorded import Recorded, RecordedRun
from agenttrace.replay.retold import Retold
from agenttrace.replay.stand_ins import StandIns
from agenttrace.replay.stillness import Watch
from agenttrace.replay.websockets import Websockets

_TURN_LIMIT_S = 1.0
_LOOK_S = 0.001
# What a hooked process tells of itself, for the trace of this replay.
_OF_EXCHANGES = ("request", "response", "chunk", "end", "ws", "connect")
_OF_PROCESSES = ("hello", "process", "piped", "signal", "exit")
TOLD = frozenset((*_OF_EXCHANGES, *_OF_PROCESSES, "draw", "gap"))

Reply = Callable[[dict[str, Any], bytes], None]
_MAX_FDS = 5  # that a frame brings


def answer_frame(
    exchange: Recorded, speed: float | None, is_woven: bool
) -> tuple[dict[str, Any], bytes]:
    """A recorded answer as a frame's head and body. speed: of its pieces; None is as fast as it goes.
    is_woven: its pieces after the first are to be awaited.
    """
    head = {
        "op": "answer",
        "seq": exchange.seq,
        "woven": is_woven,
        "status": exchange.status,
        "headers": list(exchange.headers.items()),
        "lengths": [len(piece) for piece in exchange.pieces],
        "at": exchange.at_ns,
        "speed": speed,
        "error": exchange.error,
        "complete": exchange.is_complete,
    }
    return head, b"".join(exchange.pieces)


def divergence_frame(found: DivergenceFound) -> dict[str, Any]:
    """What the agent is told when there is no answer."""
    return {"op": "diverged", "message": divergence_message(found)}


class _Turns:
    """What a process asks, in the order in which it asked: it comes on several connections."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._next: dict[str, int] = {}

    @contextlib.contextmanager
    def of(self, head: dict[str, Any]) -> Iterator[None]:
        """Waits for the turn of this request, with the lock held while it is. One before it that was cut short
        never comes: it is waited for no longer than a moment.
        """
        process, turn = str(head["process"]), int(head["turn"])
        with self.changed:
            self.changed.wait_for(lambda: self._next.get(process, 0) >= turn, _TURN_LIMIT_S)
            yield
            self._next[process] = max(self._next.get(process, 0), turn + 1)
            self.changed.notify_all()


class Desk:
    """Answers one frame after another: what is asked, in the order in which it was answered. Safe from any thread.

    diverged: called at each request or process that was not recorded. retold: is told what is asked and answered.
    stand_ins: for child processes. fork: goes live instead of diverging.
    """

    def __init__(
        self,
        run: RecordedRun,
        matcher: Matcher,
        watch: Watch,
        speed: float | None = None,
        diverged: Callable[[], None] = lambda: None,
        retold: Retold | None = None,
        stand_ins: StandIns | None = None,
        fork: Fork | None = None,
    ) -> None:
        self._exchanges = {exchange.seq: exchange for exchange in run.exchanges}
        self._retold = retold
        self._fork = fork
        self._matcher = matcher
        self._draws = run.draws
        self._draws.begin()
        self._speed = speed
        self._diverged = diverged
        self._turns = _Turns()
        self._lock = self._turns.changed
        self._order = Order(matcher.unasked_exchanges(), watch, matcher.report.reordered.append)
        self._websockets = Websockets(
            matcher,
            self._order,
            watch,
            self._turns.of,
            self._lock,
            speed,
            retold,
            diverged,
            may_fork=fork is not None,
            last_ns=run.last_ns,
        )
        self._stand_ins = stand_ins
        if stand_ins is not None:
            stand_ins.diverged = diverged
            stand_ins.covered = self._cover
            if retold is not None:
                stand_ins.stood_in = retold.stood_in

    @property
    def _is_live(self) -> bool:
        return self._fork is not None and self._fork.is_live

    def take(
        self, head: dict[str, Any], body: bytes, reply: Reply, fds: Sequence[int] = ()
    ) -> None:
        """One frame. reply: gets the answer's head and body when it is its turn, perhaps in another thread. fds: the
        descriptors that came with it.
        """
        op = head["op"]
        if self._stand_ins is not None:
            if op == "spawn":
                reply(self._spawn(self._stand_ins, head), b"")
            elif op == "play":
                self._stand_ins.play(head, fds)
            elif op == "ran":
                self._stand_ins.ran_for_real(head["argv"])
        if op == "ask":
            self._ask(head, body, reply)
        elif op == "await":
            self._await(self._exchanges[head["seq"]], int(head["step"]), reply)
        elif op == "left":
            self._websockets.left(int(head["seq"]))
            self._order.leave(int(head["seq"]))
        elif op == "sent":
            self._websockets.sent(head, body, reply)
        elif op == "next":
            self._websockets.wanted(head, reply)
        elif op == "draws":
            with self._lock:
                answer = ({"op": "live"}, b"") if self._is_live else self._draws.answer(head)
            reply(*answer)
        elif op == "connecting":
            reply({"op": self._connecting(head)}, b"")
        elif op in TOLD and self._retold is not None:
            self._retold.told(head, body)

    def gone(self, span_ids: Iterable[str]) -> None:
        """The process of these exchanges is gone."""
        if self._retold is not None:
            self._retold.cut(span_ids)

    def _connecting(self, head: dict[str, Any]) -> str:
        with self._lock:
            if self._is_live:
                return "live"
            self._matcher.report.refused.append(str(head["address"]))
            return "refused"

    def _ask(self, head: dict[str, Any], body: bytes, reply: Reply) -> None:
        with self._turns.of(head):
            found = None if self._is_live else self._matcher.ask(head["method"], head["url"], body)
            if isinstance(found, DivergenceFound) and self._fork is not None:
                self._fork.begin(self._missing())
                found = None
            if found is not None:
                self._retell(head, body, found)
            elif self._fork is not None:
                self._fork.call(head["url"])
        if found is None:
            self._order.close()  # whoever waits for the recorded order gets its answer
            reply({"op": "live"}, b"")
        elif isinstance(found, DivergenceFound):
            self._diverged()
            reply(divergence_frame(found), b"")
        else:
            self._answer(found, reply)

    def _spawn(self, stand_ins: StandIns, head: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            answer = {"op": "live"} if self._is_live else stand_ins.spawn(head)
            if answer["op"] == "diverged" and self._fork is not None:
                self._fork.begin(self._missing())
                answer = {"op": "live"}
            if answer["op"] == "live" and self._fork is not None:
                self._fork.run(stand_ins.program(head["argv"]))
        if answer["op"] == "live":
            self._order.close()
        elif answer["op"] == "diverged":
            self._diverged()
        return answer

    def _missing(self) -> list[int]:
        """What was recorded and was not asked for or started."""
        processes = self._stand_ins.unstarted() if self._stand_ins is not None else []
        return [exchange.seq for exchange in self._matcher.unasked()] + processes

    def _retell(self, head: dict[str, Any], body: bytes, found: Recorded | DivergenceFound) -> None:
        if self._retold is not None:
            told = found if isinstance(found, Recorded) else divergence_message(found)
            self._retold.asked(head, body, told)

    def _answer(self, found: Recorded, reply: Reply) -> None:
        is_woven = found.seq in self._order.woven
        answer = answer_frame(found, self._speed, is_woven)
        retold = self._retold

        def deliver() -> None:
            if retold is not None:
                retold.answered(found, is_woven)
            self._websockets.opened(found)
            reply(*answer)

        self._order.deliver((found.seq, 0), deliver)

    def _await(self, exchange: Recorded, step: int, reply: Reply) -> None:
        def deliver() -> None:
            if self._retold is not None:
                self._retold.handed_on(exchange, step)
            reply({"op": "go"}, b"")

        self._order.deliver((exchange.seq, step), deliver)

    def _cover(self, seq: int) -> None:
        """Nobody will ask for this exchange."""
        with self._lock:
            self._matcher.cover(seq)
        self._order.leave(seq)

    def close(self) -> None:
        """Whoever still waits gets the answer."""
        self._websockets.close()
        self._order.close()


class Responder:
    """A desk behind a socket; each connection in a thread of its own."""

    def __init__(self, desk: Desk, listener: socket.socket, watch: Watch) -> None:
        self._desk = desk
        self._listener = listener
        self._watch = watch
        self._serving: list[threading.Thread] = []

    def start(self) -> None:
        """Serves in the background, until the listener is closed."""
        threading.Thread(target=self._accept, daemon=True).start()

    def drain(self, limit_s: float) -> None:
        """Waits until all that was sent has been taken, or processes have lived on for this long."""
        deadline = time.monotonic() + limit_s
        while select.select([self._listener], [], [], 0)[0] and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        for thread in list(self._serving):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            if not is_own_peer(peer):
                peer.close()
                continue
            pid = peer_pid(peer)
            if pid is not None:
                self._watch.add(pid)
            thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
            self._serving = [one for one in self._serving if one.is_alive()]
            thread.start()
            self._serving.append(thread)

    def _serve(self, peer: socket.socket) -> None:
        is_open: dict[str, bool] = {}
        pid = None
        asker = peer_pid(peer)

        def reply(head: dict[str, Any], body: bytes) -> None:
            # A process that is gone needs no answer.
            with contextlib.suppress(OSError):
                peer.sendall(frames.encode(head, body))

        with peer:
            try:
                for head, body, fds in _frames(peer):
                    if head["op"] == "hello":
                        pid = head["pid"]
                    elif head["op"] in ("request", "end"):
                        is_open[str(head["id"])] = head["op"] == "request"
                    if head["op"] in TOLD:
                        head["by"] = pid
                    elif head["op"] == "spawn":
                        head["asker"] = asker
                    self._desk.take(head, body, reply, fds)
            except (OSError, frames.FrameError, ValueError, KeyError, TypeError):
                pass  # that process is gone, or speaks another protocol: it gets no answer
        self._desk.gone([span_id for span_id, still in is_open.items() if still])


def _frames(peer: socket.socket) -> Iterator[tuple[dict[str, Any], bytes, list[int]]]:
    """With the descriptors that came with them."""
    decoder = frames.Decoder()
    while True:
        data, fds, _, _ = socket.recv_fds(peer, 1 << 18, _MAX_FDS)
        if not data:
            return
        for head, body in decoder.feed(data):
            yield head, body, fds
