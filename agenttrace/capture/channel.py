"""The agent's side of the socket to the collector. It never raises into the agent and holds it up for a second at most.

A collector that stalls: one wait of a second in all; from then on what doesn't go out at once is dropped and
counted, and the count is sent when the way is free again; until then it is kept in a file. A collector that is gone:
silence; the front tells the user.
"""

# The C module: `socket`, and what it loads, would make each Python of the agent start later.
import _socket
import os
import sys
import time
from _thread import RLock
from _thread import _local as Local

from . import frames
from .unhooked import getpid

STALL_LIMIT_S = 1.0
ANSWER_LIMIT_S = 600.0
SEND_BUFFER_BYTES = 1 << 20
LONG_BODY_BYTES = 32 << 10  # shorter ones cost as little in their frames


class Channel:
    """One connection of this process. Safe from any thread; a forked child opens its own.

    before_send: called in the thread that sends, before each frame: what it tells of itself goes first.
    """

    before_send = None
    _ring = None  # where long bodies go, once there is one

    def __init__(self, path, connection=None, is_process=True):
        """path: of the collector's socket; connection: one that is there already, in place of a path. is_process:
        whether it speaks for a process of the command.
        """
        self.path = path
        self._is_process = is_process
        self._reset()
        if connection is not None:
            self._socket = _unblocked(connection)
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self):
        if self._ring is not None:
            self._ring.close()
        self._ring = None
        self._lock = RLock()
        self._is_sending = False
        self._late = []
        self._socket = None
        self._asking = Local()
        self.is_dead = False
        self._has_stalled = False
        self._rest = b""  # the tail of a frame that was cut by a stall; it goes out first
        self._dropped = 0
        self._has_kept_count = False  # of those, and the rest, in a file

    def send(self, head, body=b""):
        """Sends one frame, or counts it as dropped. The order of frames from one thread is kept."""
        if self.before_send is not None:
            self.before_send()
        if self.is_dead:
            return
        if len(body) > frames.MAX_BODY_BYTES:
            head = dict(head, truncated=len(body))
            body = body[: frames.MAX_BODY_BYTES]
        is_long = len(body) >= LONG_BODY_BYTES
        frame = None if is_long else frames.encode(head, body)
        with self._lock:
            if (
                self._is_sending
            ):  # by this thread: a signal handler, or a destructor, came in between
                self._late.append(frames.encode(head, body) if is_long else frame)
                return
            self._is_sending = True
            try:
                if is_long:
                    self._send_long(head, body)
                else:
                    self._send_frame(frame)
                while self._late:
                    self._send_frame(self._late.pop(0))
            except OSError:
                self._died()
            finally:
                self._is_sending = False

    def _send_long(self, head, body):
        """Sends a frame whose body is put into the ring, if there is room."""
        place = None
        if self._socket is not None and self.path is not None and not self._rest:
            if self._ring is None:
                from . import ring

                self._ring = ring.Ring(self._socket)
            place = self._ring.put(body)
        if place is None:
            self._send_frame(frames.encode(head, body))
        elif not self._send_frame(frames.encode(dict(head, ring=[place, len(body)]))):
            self._ring.take_back()

    def _died(self):
        self.is_dead = True
        if self._ring is not None:
            self._ring.close()

    def greet(self):
        """Tells that this process is there."""
        with self._lock:
            try:
                if self._socket is None and not self.is_dead:
                    self._send_frame(b"")
            except OSError:
                self.is_dead = True

    def send_last(self, head, limit_s):
        """Sends one frame behind all that waits, for this long if it must be; whether it went out."""
        with self._lock:
            if self.is_dead:
                return False
            try:
                if self._has_stalled and not self._catch_up(limit_s):
                    return False
                self._push(frames.encode(head), limit_s)
            except OSError:
                self.is_dead = True
            return not (self.is_dead or self._rest)

    def ask(self, head, body=b""):
        """Sends one frame on a connection of this thread's own and returns the answer's (head, body).
        OSError if there is none.
        """
        asking = getattr(self._asking, "socket", None)
        if asking is None:
            asking = connected(self.path)
            asking.settimeout(ANSWER_LIMIT_S)
        self._asking.socket = None  # until it has answered: what is cut short is not used again
        try:
            asking.sendall(frames.encode(head, body))
            answer = self._answer(asking)
        except BaseException:
            asking.close()
            raise
        self._asking.socket = asking
        return answer

    def _answer(self, asking):
        decoder = frames.Decoder()
        while True:
            data = asking.recv(1 << 18)
            if not data:
                raise ConnectionError("the replay is gone")
            for answer in decoder.feed(data):
                return answer

    def hand(self, head, fds):
        """Sends a frame with descriptors, of which the other side gets copies. OSError."""
        from _struct import pack

        connection = connected(self.path)
        try:
            rights = _socket.SOL_SOCKET, _socket.SCM_RIGHTS, pack("%di" % len(fds), *fds)
            connection.sendmsg([frames.encode(head)], [rights])
        finally:
            connection.close()

    async def ask_async(self, head, body=b""):
        """The same for a coroutine of asyncio, which goes on with others meanwhile."""
        import asyncio
        import socket

        loop = asyncio.get_running_loop()
        with socket.socket(fileno=connected(self.path).detach()) as asking:
            asking.setblocking(False)
            await loop.sock_sendall(asking, frames.encode(head, body))
            decoder = frames.Decoder()
            while True:
                data = await loop.sock_recv(asking, 1 << 18)
                if not data:
                    raise ConnectionError("the replay is gone")
                for answer in decoder.feed(data):
                    return answer

    def _send_frame(self, frame):
        """Whether it went out, or its rest will; else it is counted."""
        if self._socket is None:
            self._socket = _unblocked(connected(self.path))
            if self._is_process:
                frame = frames.encode(_hello()) + frame
        if self._has_stalled and not self._catch_up():
            self._dropped += 1
            self._keep_count()
            return False
        self._push(frame)
        return True

    def _catch_up(self, limit_s=0.0):
        rest, self._rest = self._rest, b""
        if rest:
            self._push(rest, limit_s)
        if self._rest:
            return False
        if self._dropped:
            gap = {"op": "gap", "dropped": self._dropped, "reason": frames.STALLED}
            self._dropped = 0
            self._push(frames.encode(gap), limit_s)
        if not self._rest:
            self._forget_count()
        return not self._rest

    def _keep_count(self):
        if self.path is not None:
            from . import dropped

            dropped.keep(self.path, self._dropped + bool(self._rest))
            self._has_kept_count = True

    def _forget_count(self):
        if self._has_kept_count:
            from . import dropped

            dropped.forget(self.path)
            self._has_kept_count = False

    def _push(self, data, limit_s=None):
        """Sends all of it, or keeps what doesn't go out in time. limit_s: None for what is left of the
        one second, nothing once that was used up.
        """
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            if limit_s is None:
                limit_s = 0.0 if self._has_stalled else STALL_LIMIT_S
            self._push_rest(memoryview(data)[sent:], time.monotonic() + limit_s)

    def _push_rest(self, rest, deadline):
        from select import POLLOUT, poll

        way = poll()
        way.register(self._socket, POLLOUT)
        while rest:
            left_ms = int(max(0.0, deadline - time.monotonic()) * 1000)
            if not way.poll(left_ms):
                self._has_stalled = True
                self._rest = bytes(rest)
                if not self._has_kept_count:
                    self._keep_count()
                return
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                continue


def _unblocked(connection):
    # One system call a frame where there is room; as much room as the system gives.
    connection.setblocking(False)
    try:  # noqa: SIM105 - contextlib would have to be loaded by every Python that starts
        connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    except OSError:  # it has the system's usual room
        pass
    return connection


def connected(path):
    """A socket to who listens there. OSError if nobody does."""
    connection = _above_standard(_socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM))
    try:
        connection.settimeout(STALL_LIMIT_S)
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _above_standard(connection):
    """The socket, moved out of 0 to 2: where one of those was closed, the program must find it so."""
    if connection.fileno() > 2:
        return connection
    import fcntl

    moved = fcntl.fcntl(connection.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
    connection.close()
    return _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, moved)


def _hello():
    argv = getattr(sys, "orig_argv", None) or getattr(sys, "argv", [])
    return {
        "op": "hello",
        "pid": getpid(),
        "ppid": os.getppid(),
        "image": image_of("self"),
        "argv": [str(argument) for argument in argv],
    }


def image_of(pid):
    """What tells the program that a process runs from all others: where the system has put it, at random; "" where that
    can't be read. A process shares it with its forks, and loses it when it executes something else.
    """
    try:
        file = os.open("/proc/%s/stat" % pid, os.O_RDONLY)
        try:
            fields = os.read(file, 4096).rpartition(b")")[2].split()
        finally:
            os.close(file)
        code, stack = fields[23], fields[25]
    except (OSError, IndexError):
        return ""
    # The system sets the first of the two last: until then it is still putting the program there.
    return "" if b"0" in (code, stack) else "%s-%s" % (code.decode(), stack.decode())


_current = None


def current():
    """This process's channel to the recorder that started it; None without one."""
    global _current
    if _current is None:
        path = os.environ.get("AGENTTRACE_SOCKET")
        if path:
            _current = Channel(path)
    return _current
