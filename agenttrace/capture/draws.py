"""Time and chance as the agent draws them: told of at record, handed out again in a replay (`draws_again.py`).

Each thread of each process draws from streams of its own, in blocks of bytes:

    clock     readings of the time of day, in ns since 1970, 64 bits each, big-endian
    urandom   the system's random bytes. A draw that the rest of a block is too short for starts the next one
    uuid1     what the system's uuid library made

A process is told again by its arguments, and by which fork of which it is; a thread by its name. At record random bytes
are told of before they are handed out; readings before whatever else the thread tells of, and in a burst in batches.
"""

import atexit
import os
import sys
from _thread import _local as Local
from _thread import get_ident
from io import BytesIO

from .faults import told
from .unhooked import getpid, time_ns, urandom

# Who draws more at once makes data, not an identity or a seed.
MAX_DRAW_BYTES = 1 << 20
_MAX_BLOCK_BYTES = 4096
_MAX_BATCH = 4096
# Readings further apart than this are told of one by one: an agent that is killed loses none of them.
_BURST_NS = 50_000_000
_ROOT = urandom(8).hex()


class _Thread:
    """What one thread draws. block: the random bytes it draws from."""

    def __init__(self, name):
        self.name = name
        self.block = BytesIO()
        self.drawn_bytes = 0
        # At record: readings that are not told of yet, how many may wait, and how many were told of when.
        self.pending = []
        self.batch = 0
        self.read = 0
        self.told_ns = 0
        # In a replay: readings to hand out, blocks that came and were not begun, how many came, what has run out.
        self.readings = iter(())
        self.waiting = {}
        self.taken = {}
        self.ended = set()


class _Lease:
    """Held by a thread as long as it lives."""

    def __init__(self, draws, thread):
        self._draws = draws
        self._thread = thread

    def __del__(self):
        self._draws.thread_ended(self._thread)


class _Local(Local):
    def __init__(self, draws):
        self.thread = draws.thread_began()
        self.lease = _Lease(draws, self.thread)


class Draws:
    """The draws of this process; Recorded here, Replayed and Retold in `draws_again.py` say where they come from."""

    def __init__(self, link):
        self._link = link
        self._command = None
        self._forks = []
        self._begin()
        os.register_at_fork(before=self._before_fork, after_in_child=self._after_fork)

    def _begin(self):
        self._pid = getpid()
        self._children = 0
        self._names = {}
        self._threads = {}
        self._local = _Local(self)

    def turn_to(self, link):
        """Tells or asks this one from now on, nobody if None."""
        self._link = link

    def _before_fork(self):
        self._children += 1

    def _after_fork(self):
        for thread in self._threads.values():
            thread.pending = []  # the parent's to tell
        self._forks = self._forks + [self._children]
        self._begin()

    def thread_began(self):
        """The state of the thread that asks; called once in each."""
        # `threading.current_thread` would make an entry for a thread that is not its own.
        threading = sys.modules.get("threading")
        if threading is None:  # not loaded yet: there are no others
            name = "MainThread"
        else:
            known = threading._active.get(get_ident())
            name = known.name if known is not None else "foreign"
        self._names[name] = number = self._names.get(name, 0) + 1
        thread = _Thread(name if number == 1 else "%s#%d" % (name, number))
        self._threads[thread.name] = thread
        return thread

    def thread_ended(self, thread):
        """It draws no more."""
        if self._threads.get(thread.name) is thread:
            del self._threads[thread.name]

    def head(self, op, thread, stream):
        """The head of a frame about this stream."""
        if self._command is None:
            self._command = _command()
        return {
            "op": op,
            "stream": stream,
            "command": self._command,
            "root": _ROOT,
            "forks": self._forks,
            "thread": thread.name,
        }

    def random_bytes(self, count, original):
        """`count` random bytes. original: the system's function, for what is not drawn from the stream."""
        if (
            self._pid != getpid()
        ):  # forked by C code, with our socket: it must not draw what its parent draws
            return original(count)
        if not 0 <= count <= MAX_DRAW_BYTES:
            self.too_large(count)
            return original(count)
        thread = self._local.thread
        data = thread.block.read(count)
        while len(data) < count:
            # Read from before it is everybody's: a signal handler that draws meanwhile gets other bytes.
            fresh = self.next_random(thread, count)
            if fresh is None:
                return original(count)
            block = BytesIO(fresh)
            data = block.read(count)
            thread.block = block
        return data


class Recorded(Draws):
    """Draws from the system, and tells the collector."""

    def __init__(self, link):
        super().__init__(link)
        link.before_send = self.flush
        atexit.register(self.flush_all)

    def now_ns(self):
        """The time of day."""
        return self.told_reading(time_ns())

    def told_reading(self, ns):
        """A reading of the time of day, told of."""
        thread = self._local.thread
        thread.pending.append(ns)
        if len(thread.pending) > thread.batch or ns - thread.told_ns > _BURST_NS:
            self._tell_readings(thread)
        return ns

    def flush(self):
        """Tells of what this thread has read."""
        thread = self._local.thread
        if thread.pending:
            self._tell_readings(thread)

    def flush_all(self):
        """The process ends: tells of what all threads have read; what they read from now on goes out at once."""
        for thread in list(self._threads.values()):
            if thread.pending:
                self._tell_readings(thread)
            thread.read = thread.batch = 0

    def thread_ended(self, thread):
        super().thread_ended(thread)
        if thread.pending and self._pid == getpid():
            self._tell_readings(thread)

    @told
    def _tell_readings(self, thread):
        pending, thread.pending = thread.pending, []
        thread.read += len(pending)
        # One by one at first; who has read often tells of a sixteenth of that at a time.
        thread.batch = min(thread.read >> 4, _MAX_BATCH)
        thread.told_ns = pending[-1]
        from _struct import pack

        body = pack(">%dq" % len(pending), *pending)
        self._link.send(dict(self.head("draw", thread, "clock"), ts=pending[0]), body)

    def next_random(self, thread, count):
        """A fresh block, told of: as much as is asked, and with the draws a reserve, so that few are told of."""
        size = max(count, min(thread.drawn_bytes, _MAX_BLOCK_BYTES))
        thread.drawn_bytes += size
        return self.told_block(thread, "urandom", urandom(size))

    def uuid1(self, original):
        """What the system's uuid library makes: (16 bytes, whether it is safe)."""
        made = original()
        self.told_block(self._local.thread, "uuid1", made[0])
        return made

    def told_block(self, thread, stream, data):
        """A block of a stream, told of."""
        self._tell(thread, stream, data)
        return data

    @told
    def _tell(self, thread, stream, data):
        self._link.send(dict(self.head("draw", thread, stream), ts=time_ns()), data)

    @told
    def too_large(self, count):
        if count > 0:
            reason = "random bytes were drawn, too many to be recorded"
            self._link.send({"op": "gap", "reason": reason, "dropped": 1})


def _command():
    """A checksum of this process's arguments, by which a replay tells it again."""
    from binascii import crc32

    arguments = getattr(sys, "orig_argv", [""])[1:] or getattr(sys, "argv", [])
    text = "\0".join(map(str, arguments))
    if "from multiprocessing." in text:  # its workers' arguments hold numbers of descriptors
        text = "".join(letter for letter in text if not letter.isdigit())
    return "%08x" % crc32(text.encode("utf-8", "surrogatepass"))


_current = None


def of(link):
    """This process's draws: recorded ones, unless others were put in their place."""
    if _current is None:
        use(Recorded(link))
    return _current


def use(draws):
    """These are this process's draws."""
    global _current
    _current = draws


def use_meanwhile(draws, link):
    """As `use`, with this link, until the function that is returned is called."""
    before = _current
    draws.turn_to(link)
    use(draws)

    def undo():
        draws.turn_to(None)  # what it does at forks Python keeps for ever
        if _current is draws:
            use(before)

    return undo
