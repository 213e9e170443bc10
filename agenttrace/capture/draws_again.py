"""Time and chance in a replay: handed out as they were recorded, and told of where the replay is recorded too."""

from _collections import deque
from _struct import unpack

from . import environment, live
from .draws import Draws, Recorded, use
from .faults import told
from .unhooked import monotonic_ns, time_ns


class Replayed(Draws):
    """Hands out what was recorded. Where that has run out it goes on, and the responder tells."""

    def __init__(self, link):
        super().__init__(link)
        # The latest time that was handed out, and the monotonic time then.
        self._latest = None

    def now_ns(self):
        """The time of day, as it was recorded."""
        thread = self._local.thread
        ns = next(thread.readings, None)
        if ns is None:
            block = self._next_block(thread, "clock")
            if block is None:
                return self._go_on()
            thread.readings = iter(unpack(">%dq" % (len(block) // 8), block))
            ns = next(thread.readings, None)
        self._latest = (ns, monotonic_ns())
        return ns

    def _go_on(self):
        if self._latest is None:
            return time_ns()
        ns, then = self._latest
        return ns + monotonic_ns() - then

    def next_random(self, thread, count):
        """The next recorded block; None if there is none."""
        return self._next_block(thread, "urandom")

    def uuid1(self, original):
        """What the system's uuid library made."""
        block = self._next_block(self._local.thread, "uuid1")
        return original() if block is None else (block, None)

    def flush_all(self):
        """There is nothing to tell."""

    def too_large(self, count):
        if count > 0:
            self._next_block(self._local.thread, "large")

    def _next_block(self, thread, stream):
        waiting = thread.waiting.setdefault(stream, deque())
        if not waiting and stream not in thread.ended:
            waiting.extend(self._asked(thread, stream) or ())
        if waiting:
            return waiting.popleft()
        thread.ended.add(stream)
        return None

    @told
    def _asked(self, thread, stream):
        """The next blocks of a stream; none if it has run out."""
        head = self.head("draws", thread, stream)
        head["from"] = thread.taken.get(stream, 0)
        answer, body = self._link.ask(head)
        if answer["op"] == "live":
            live.begin()
            return []
        blocks, at = [], 0
        for length in answer["lengths"]:
            blocks.append(body[at : at + length])
            at += length
        thread.taken[stream] = head["from"] + len(blocks)
        if self._latest is None:
            self._latest = (answer["now_ns"], monotonic_ns())
        return blocks


class Retold(Recorded):
    """Hands out what was recorded and tells of it, for the trace of this replay. When that has run out, and once the
    replay has gone live, it draws from the system.
    """

    def __init__(self, link):
        self._replayed = Replayed(link)
        super().__init__(link)

    def now_ns(self):
        """The time of day: as it was recorded, then of now."""
        return super().now_ns() if live.has_begun() else self.told_reading(self._replayed.now_ns())

    def next_random(self, thread, count):
        """The next recorded block, then fresh ones."""
        block = None if live.has_begun() else self._replayed.next_random(thread, count)
        if block is None:
            return super().next_random(thread, count)
        return self.told_block(thread, "urandom", block)

    def uuid1(self, original):
        """What the system's uuid library made, then what it makes."""
        made = original() if live.has_begun() else self._replayed.uuid1(original)
        self.told_block(self._local.thread, "uuid1", made[0])
        return made


def begin(link):
    """What this process draws comes out of the recording."""
    use((Retold if environment.is_retold() else Replayed)(link))
