"""In a replay: the recorded answer to a request, asked for and handed on in its order and its time."""

import itertools
import json
import os
import sys
import time

from . import context, hushing, live
from .unhooked import urandom


class Diverged(SystemExit):
    """Ends a replayed agent that asks for what was not recorded.

    No Exception: client libraries would retry it, or show it as a connection error. A SystemExit leaves threads and
    event loops alike, runs what must be cleaned up and prints no traceback; the front says what differed.
    """

    STATUS = 123

    def __init__(self, message):
        super().__init__(self.STATUS)
        self.message = message
        hushing.begin(Diverged)

    def __str__(self):
        return "agenttrace replay: %s" % self.message

    def __reduce__(self):  # pools of processes hand it on
        return Diverged, (self.message,)


def ask(link, method, url, headers, body):
    """The recorded answer to this request; None if the replay has gone live, and the real thing is to be asked.
    Diverged if there is neither.
    """
    try:
        head, answer_body = link.ask(_head(method, url, headers), body)
    except (OSError, json.JSONDecodeError) as error:
        raise unreachable(error) from None
    return _answer(link, head, answer_body)


async def ask_async(link, method, url, headers, body):
    """The same for a coroutine: others go on while this one waits for its turn."""
    try:
        head, answer_body = await asked(link, _head(method, url, headers), body)
    except (OSError, json.JSONDecodeError) as error:
        raise unreachable(error) from None
    return _answer(link, head, answer_body)


def _head(method, url, headers):
    span = context.current_span.get()
    return {
        "op": "ask",
        **turn(),
        "method": method,
        "url": url,
        "headers": headers,
        "span": span and span[0],
    }


def turn():
    """In which order this process asks: the members of a frame that say so."""
    return {"process": _process, "turn": next(_turns)}


def _begin():
    """This process asks for the first time."""
    global _process, _turns
    _process, _turns = urandom(8).hex(), itertools.count()


_begin()
os.register_at_fork(after_in_child=_begin)


def _answer(link, head, body):
    if head["op"] == "live":
        live.begin()
        return None
    if head["op"] != "answer":
        raise Diverged(head["message"])
    return Answer(link, head, body)


def unreachable(error):
    """What ends the agent where nobody answers."""
    return Diverged("the replay can't be reached: %s" % error)


class Answer:
    """A recorded answer: seq (of its request), status, headers (pairs of strings), pieces (bytes), error
    {type, message} or None; is_complete: whether it came to its end.

    Pieces are handed on by `deliver`: where those of another answer came between them, each when it
    is its turn; at the recorded pace if the replay was asked for it.
    """

    def __init__(self, link, head, body):
        self.status = head["status"]
        self.headers = head["headers"]
        self.error = head["error"]
        self.is_complete = head.get("complete", True)
        self.pieces = []
        at = 0
        for length in head["lengths"]:
            self.pieces.append(body[at : at + length])
            at += length
        self._link = link
        self.seq = head["seq"]
        self._is_woven = head["woven"]
        speed = head["speed"]
        self._due_s = [at_ns / 1e9 / speed for at_ns in head["at"]] if speed else None
        self._began_s = time.monotonic()

    def deliver(self, blocks=None):
        """The pieces, each when it may be handed on. blocks: what stands for them, behind a head, before an end."""
        first, blocks = (0, self.pieces) if blocks is None else (-1, blocks)
        is_whole = False
        try:
            for number, block in enumerate(blocks, first):
                if self._is_awaited(number):
                    self._link.ask(self._step(number))
                wait_s = self._wait_s(number)
                if wait_s:
                    time.sleep(wait_s)
                yield block
            if self._is_awaited(len(self.pieces)) and first + len(blocks) <= len(self.pieces):
                self._link.ask(self._step(len(self.pieces)))
            is_whole = True
        finally:
            self._leave(is_whole)

    async def deliver_async(self, blocks=None):
        """The same for a coroutine."""
        first, blocks = (0, self.pieces) if blocks is None else (-1, blocks)
        is_whole = False
        try:
            for number, block in enumerate(blocks, first):
                if self._is_awaited(number):
                    await asked(self._link, self._step(number))
                wait_s = self._wait_s(number)
                if wait_s:
                    await sleep(wait_s)
                yield block
            if self._is_awaited(len(self.pieces)) and first + len(blocks) <= len(self.pieces):
                await asked(self._link, self._step(len(self.pieces)))
            is_whole = True
        finally:
            self._leave(is_whole)

    def _is_awaited(self, number):
        return self._is_woven and number > 0

    def _step(self, number):
        return {"op": "await", "seq": self.seq, "step": number}

    def _wait_s(self, number):
        if self._due_s is None or not 0 <= number < len(self._due_s):
            return 0.0
        return max(0.0, self._began_s + self._due_s[number] - time.monotonic())

    def _leave(self, is_whole):
        if self._is_woven and not is_whole:
            self._link.send({"op": "left", "seq": self.seq})


def _is_in_trio():
    trio = sys.modules.get("trio")
    return trio is not None and trio.lowlevel.in_trio_run()


async def asked(link, head, body=b""):
    """The answer to a frame, on whichever event loop the agent runs."""
    if not _is_in_trio():
        return await link.ask_async(head, body)
    trio = sys.modules["trio"]
    return await trio.to_thread.run_sync(link.ask, head, body, limiter=trio.CapacityLimiter(1))


async def sleep(seconds):
    """On whichever event loop the agent runs."""
    if _is_in_trio():
        await sys.modules["trio"].sleep(seconds)
    else:
        import asyncio

        await asyncio.sleep(seconds)
