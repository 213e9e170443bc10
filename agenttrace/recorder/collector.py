"""The collector: a process of its own that takes the frames of all the others and writes the one trace.

It reads off the agents' path, numbers in the order of arrival, and ends when the front says so (or is gone), after
what was sent has been read. Nothing but `_Session.run` knows of sockets; nothing here knows what the command is.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from agenttrace.capture import dropped, frames
from agenttrace.command.descendants import living
from agenttrace.command.socket_folder import is_own_peer
from agenttrace.gateway.process import Gateway
from agenttrace.prices import PriceTable, own_prices
from agenttrace.recorder import ring_reader
from agenttrace.recorder.gateway_watch import GatewayWatch
from agenttrace.recorder.ring_reader import RingReader
from agenttrace.recording import Recording
from agenttrace.telling import tell

GRACE_S = 0.5
_LOOK_EVERY_S = 0.02  # in it, at children that don't speak to us
_READ_BYTES = 1 << 18
_RIGHTS_BYTES = socket.CMSG_SPACE(4)  # one descriptor
_UNTOLD_BYTES = 1 << 20  # of a ring, before a process hears that they were read
# Who sends to a sleeper has to wake it, which costs more than the sending. So while frames come we look for them
# this often instead of waiting for them; what was sent is safe in the socket meanwhile.
_NAP_S = 0.001
_NAPS_BEFORE_WAITING = 3
_BUSY_BYTES = 1 << 16
_IN_A_PROCESS = frozenset(("request", "ws", "event", "process"))


class Connection:
    """One process that talks to us: its frames, its open exchanges."""

    def __init__(self, peer: socket.socket) -> None:
        self.socket = peer
        self.decoder = frames.Decoder()
        self.hello: dict[str, Any] = {}
        self.exchanges: set[str] = set()
        self.ring: RingReader | None = None
        self._began_ns: dict[str, int] = {}
        self._latest_ns = 0

    def receive(self) -> bytes:
        """The next bytes; b"" where there won't be any more."""
        try:
            data, ancillary, _, _ = self.socket.recvmsg(_READ_BYTES, _RIGHTS_BYTES)
        except OSError:
            return b""
        for _, _, rights in ancillary:
            self.close_ring()
            self.ring = RingReader(int.from_bytes(rights[:4], sys.byteorder))
        return data

    def body_of(self, head: dict[str, Any], body: bytes) -> bytes:
        """A frame's body, wherever it travelled."""
        place = head.pop("ring", None)
        if place is None:
            return body
        if self.ring is None:
            raise ValueError("a body is said to be in a ring that is not there")
        body = self.ring.take(*place)
        self.ring.tell(self.socket, _UNTOLD_BYTES)
        return body

    def close_ring(self) -> None:
        """What stands in the ring won't be read."""
        if self.ring is not None:
            self.ring.close()
            self.ring = None

    def time_of(self, head: dict[str, Any]) -> int:
        """When a frame was sent, never before the one that came before it: clocks step."""
        span_id = head.get("id")
        if "ts" in head:
            when = int(head["ts"])
            if span_id is not None:
                self._began_ns[span_id] = when
        else:
            when = self._began_ns.get(span_id, 0) + int(head.get("at", 0))  # type: ignore[arg-type]
        if head.get("op") in ("end", "exit"):
            self._began_ns.pop(span_id, None)  # type: ignore[arg-type]
        self._latest_ns = max(self._latest_ns, when)
        return self._latest_ns


class _Arrived(NamedTuple):
    """A frame that waits to be taken."""

    ts_ns: int
    connection: Connection
    head: dict[str, Any]
    body: bytes


class Collector:
    """Serves connections until the front's `finish`, then closes the trace and answers with a summary."""

    def __init__(
        self,
        recording: Recording,
        listener: socket.socket | None,
        front: socket.socket,
        prices: PriceTable,
        gateway: GatewayWatch | None,
    ) -> None:
        # Providers and all: loaded in the collector's process alone.
        from agenttrace.intake.frames_to_events import Intake

        self._recording = recording
        self._intake = Intake(recording, prices)
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._connections: dict[socket.socket, Connection] = {}
        self._front = front
        self._finish: dict[str, Any] | None = None
        self._read_bytes = 0  # in the latest round
        self.front_is_gone = False
        if listener is not None:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ)
        self._add(front)
        if gateway is not None:
            gateway.watch(self._selector, recording)

    def run(self) -> None:
        """Collects to the end, writes `trace_end`, answers the front."""
        while self._finish is None:
            self._serve_lively()
        deadline = time.monotonic() + GRACE_S
        # Killed, the front can't tell; the command goes on, or is about to begin, and so do we.
        while self.front_is_gone and (self._connections or time.monotonic() < deadline):
            self._serve_ready(None if self._connections else GRACE_S / 10)
        deadline = self._finish.get("ended_s", time.monotonic()) + GRACE_S
        # What was sent before the end is there already; children that live on get the grace.
        while self._serve_ready(0.0) or self._waits_for_children(deadline):
            pass
        left = [connection for connection in self._connections.values() if connection.hello]
        for connection in list(self._connections.values()):
            self._close_exchanges(connection)
        self._intake.close()
        if self._listener is not None:
            for count in dropped.left_behind(self._listener.getsockname()):
                self._recording.gap(frames.STALLED, dropped=count)
        self._end(left)

    def _serve_lively(self) -> None:
        """Waits for frames, and serves them until a few looks have found none."""
        self._serve_ready(None)
        idle = 0
        while self._finish is None and idle < _NAPS_BEFORE_WAITING:
            if self._read_bytes < _BUSY_BYTES:
                time.sleep(_NAP_S)
            idle = 0 if self._serve_ready(0.0) else idle + 1

    def _serve_ready(self, wait_s: float | None) -> bool:
        """Serves what is ready within this time (None: for ever); whether anything was."""
        self._read_bytes = 0
        ready = self._selector.select(wait_s)
        for key, _ in ready:
            if key.data is not None:
                key.data()
        if self._listener and any(key.fileobj is self._listener for key, _ in ready):
            self._accept(self._listener)
            ready = self._selector.select(0)
        arrived: list[_Arrived] = []
        gone = []
        for key, _ in ready:
            connection = self._connections.get(key.fileobj)  # type: ignore[call-overload]
            if connection is not None and not self._read(connection, arrived):
                gone.append(connection)
        # Of what came from several processes at once, the older first.
        arrived.sort(key=lambda one: one.ts_ns)
        for one in arrived:
            self._take(one)
        for connection in {one.connection for one in arrived}:
            if connection.ring is not None:
                connection.ring.tell(connection.socket)
        for connection in gone:
            self._drop(connection)
        return bool(ready)

    def _waits_for_children(self, deadline: float) -> bool:
        """Whether children of the command still live and the grace has not run out; waits for what they send."""
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return False
        if not any(peer is not self._front for peer in self._connections):
            if not self._living():
                return False
            left_s = min(left_s, _LOOK_EVERY_S)
        self._serve_ready(left_s)
        return True

    def _living(self) -> list[dict[str, Any]]:
        """The command's children, with hooks or without, as far as the system shows them."""
        finish = self._finish or {}
        return living(finish["seen"], finish["variable"]) if "variable" in finish else []

    def _accept(self, listener: socket.socket) -> None:
        """Takes all that wait to be taken."""
        while True:
            try:
                peer, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError:  # it hung up between being ready and being taken
                continue
            if is_own_peer(peer):
                self._add(peer)
                ring_reader.offer(peer)
            else:
                peer.close()

    def _add(self, peer: socket.socket) -> None:
        self._connections[peer] = Connection(peer)
        self._selector.register(peer, selectors.EVENT_READ)

    def _read(self, connection: Connection, arrived: list[_Arrived]) -> bool:
        """Adds the frames that came on it; whether more may come."""
        data = connection.receive()
        self._read_bytes += len(data)
        try:
            for head, body in connection.decoder.feed(data):
                arrived.append(_Arrived(connection.time_of(head), connection, head, body))
        except (frames.FrameError, ValueError, TypeError, AttributeError) as error:
            self._unreadable(connection, error)
            return False
        return bool(data)

    def _take(self, arrived: _Arrived) -> None:
        connection, head = arrived.connection, arrived.head
        try:
            op = head["op"]
            if op == "ring":
                return
            if op == "hello":
                connection.hello = head
                self._intake.processes.hello(head)
            elif op == "finish":
                if connection.socket is self._front:
                    self._finish = head
            else:
                if op == "request":
                    connection.exchanges.add(head["id"])
                elif op == "end":
                    connection.exchanges.discard(head["id"])
                if op in _IN_A_PROCESS and not (head.get("parent") or head.get("within")):
                    # What a child does at its top is part of what started it.
                    head["parent"] = self._intake.processes.span_of(connection.hello.get("pid"))
                body = connection.body_of(head, arrived.body)
                self._read_bytes += len(body)
                self._intake.take(op, head, body)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._unreadable(connection, error)

    def _unreadable(self, connection: Connection, error: Exception) -> None:
        reason = f"a process sent what the collector can't read: {error!r}"
        self._recording.gap(reason, **_who(connection))

    def _drop(self, connection: Connection) -> None:
        """The process is gone: what it had open ends here."""
        self._selector.unregister(connection.socket)
        del self._connections[connection.socket]
        if connection.decoder.pending_bytes:
            self._recording.gap(
                "a process ended in the middle of telling something", **_who(connection)
            )
        self._close_exchanges(connection)
        connection.close_ring()
        connection.socket.close()
        if connection.socket is self._front and self._finish is None:
            self._finish = {"status": "interrupted"}
            self.front_is_gone = True

    def _close_exchanges(self, connection: Connection) -> None:
        for span_id in sorted(connection.exchanges):
            self._intake.cut(span_id)
        connection.exchanges.clear()

    def _end(self, left: list[Connection]) -> None:
        facts = {
            name: self._finish[name]  # type: ignore[index]
            for name in ("status", "exit_code", "signal")
            if name in self._finish  # type: ignore[operator]
        }
        running = [
            {"pid": connection.hello.get("pid"), "argv": connection.hello.get("argv")}
            for connection in left
        ]
        known = {facts["pid"] for facts in running}
        running += [facts for facts in self._living() if facts["pid"] not in known]
        held = self._finish.get("held")  # type: ignore[union-attr]
        if running or held:
            facts["left_running"] = [*running, {"holds": held}] if held else running
        self._recording.end(facts)
        summary = {
            "op": "summary",
            "events": self._recording.run_events(),
            "totals": self._recording.run_totals(),
            "gaps": self._recording.gaps,
            "lost": self._recording.lost,
            "left_running": len(running) or bool(held),
        }
        try:
            self._front.setblocking(True)
            self._front.sendall(frames.encode(summary))
        except OSError:  # the front is gone: there is nobody to tell
            pass


def _who(connection: Connection) -> dict[str, Any]:
    return {"pid": connection.hello.get("pid")} if connection.hello else {}


def start(
    recording_of: Callable[[], Recording],
    start_facts: dict[str, Any],
    listener: socket.socket | None,
    prices: PriceTable | None = None,
    gateway: Gateway | None = None,
) -> tuple[int, socket.socket]:
    """Forks the collector into a session of its own; (its pid, the front's end of the line to it).

    recording_of: called in the collector, makes the Recording. listener: where hooks connect; None: nowhere, and
    there is no gateway. prices: None for the package's own. gateway: started at its first connection.
    A `kill -9` of the command's process group doesn't reach it, nor do the terminal's signals.
    """
    front, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    pid = os.fork()
    if pid:
        ours.close()
        if listener is not None:
            listener.close()
        if gateway is not None:
            gateway.left_to_others()
        return pid, front
    status = 70
    try:
        os.setsid()
        for number in (
            signal.SIGINT,
            signal.SIGTERM,
            signal.SIGHUP,
            signal.SIGQUIT,
            signal.SIGTSTP,
            signal.SIGPIPE,
        ):
            signal.signal(number, signal.SIG_IGN)
        front.close()
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1):  # a pipe behind the front must not stay open through us
            os.dup2(nothing, fd)
        recording = recording_of()
        prices = prices or own_prices()
        start_facts["prices"] = prices.version
        recording.start(start_facts)
        watch = None
        if gateway is not None and listener is not None:
            gateway.not_the_front()
            watch = GatewayWatch(gateway, listener.getsockname())
        collector = Collector(recording, listener, ours, prices, watch)
        collector.run()
        if collector.front_is_gone and listener is not None:  # it can't clear up after itself
            shutil.rmtree(os.path.dirname(listener.getsockname()), ignore_errors=True)
        status = 0
    except BaseException as error:  # noqa: BLE001 - the last line of a forked process: it must not return into the front's code
        # Its words may hold a part of what was told.
        what = type(error).__name__
        tell(f"agenttrace: the collector failed: {what}; the command goes on unrecorded\n")
        if os.environ.get("AGENTTRACE_DEBUG"):
            import traceback

            traceback.print_exc()
    finally:
        os._exit(status)
