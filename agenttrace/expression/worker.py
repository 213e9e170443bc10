"""A process that judges lines by a jq expression: no environment, limits of time and memory, killable.

The binding to libjq holds the interpreter's lock while it works, so it works elsewhere. Only
verdicts come back; the bytes of an event never pass through jq.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import resource
import signal
import struct
import sys
from typing import Any, Callable, NoReturn, Optional

from agenttrace.expression.words import PRELUDE

MAX_LINES = 4096  # at once
NO, YES, FAILED = 1, 2, 3  # verdicts; 0 is a line that was not looked at yet

_MESSAGE_BYTES = 4096
_MEMORY_BYTES = 2 << 30  # room for the longest line as a tree, and more
_MOST_DEATHS = 3  # by so many events in a row: then it is EXPR, and the rest isn't asked
_HEAD = struct.Struct("<Q?")  # bytes of the lines, whether each has the time limit for itself


class BadExpression(ValueError):
    """The expression does not compile, in jq's own words, or says what is refused."""


class Worker:
    """One process with one compiled expression. `send` lines, then `receive` their verdicts. BadExpression if it
    doesn't compile. limit_s: for one event. gives_one: EXPR never yields several values. copy: what jq is given of
    lines, an LF between them.
    """

    def __init__(
        self, text: str, limit_s: float, *, gives_one: bool, copy: Callable[[list[bytes]], bytes]
    ) -> None:
        self._text = text
        self._limit_s = limit_s
        self._gives_one = gives_one
        self._copy = copy
        self._shared = mmap.mmap(-1, MAX_LINES + _MESSAGE_BYTES)
        self._pid = 0
        self._lines: list[bytes] = []
        self._deaths = 0
        self.first_failure: Optional[str] = None  # what jq said of it
        self._start()

    def send(self, lines: list[bytes]) -> None:
        """Hands on at most MAX_LINES lines; they are judged while the caller does something else."""
        self._lines = lines
        if self._deaths < _MOST_DEATHS:
            self._hand_on(lines, each_alone=False)

    def receive(self) -> bytes:
        """The verdicts on the lines that were sent, a byte each."""
        verdicts, each_alone = b"", False
        while self._deaths < _MOST_DEATHS:
            rest = self._lines[len(verdicts) :]
            if os.read(self._from, 1):
                self._deaths = 0
                self._note_failure(self._message())
                return verdicts + self._shared[: len(rest)]
            # All together they took too long, or one of them killed it: then each alone shows which.
            reason = self._reason_of_death()
            if each_alone:
                done = self._shared[: len(rest)].find(0)
                verdicts += self._shared[:done] + bytes([FAILED])
                self._deaths = 1 if done else self._deaths + 1
                self._note_failure(reason)
            self._start()
            each_alone = True
            if len(verdicts) == len(self._lines):
                return verdicts
            self._hand_on(self._lines[len(verdicts) :], each_alone)
        return verdicts.ljust(len(self._lines), bytes([FAILED]))

    def close(self) -> None:
        """Ends the process."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            self._reason_of_death()

    def _hand_on(self, lines: list[bytes], each_alone: bool) -> None:
        self._shared[: len(lines)] = bytes(len(lines))
        self._shared[MAX_LINES:] = bytes(_MESSAGE_BYTES)
        batch = self._copy(lines)
        rest = memoryview(_HEAD.pack(len(batch), each_alone) + batch)
        try:
            while rest:
                rest = rest[os.write(self._to, rest) :]
        except BrokenPipeError:  # it is dead, as `receive` will see
            pass

    def _message(self) -> Optional[str]:
        return self._shared[MAX_LINES:].rstrip(b"\0").decode("utf-8", "replace") or None

    def _note_failure(self, message: Optional[str]) -> None:
        self.first_failure = self.first_failure or message

    def _reason_of_death(self) -> str:
        os.close(self._to)
        os.close(self._from)
        pid, self._pid = self._pid, 0
        status = os.waitpid(pid, 0)[1]
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
            return f"took longer than {self._limit_s:g} s"
        return "jq ended unexpectedly (out of memory?)"

    def _start(self) -> None:
        theirs_in, self._to = _pipe()
        self._from, theirs_out = _pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._to)
            os.close(self._from)
            _Life(self._limit_s, theirs_in, theirs_out, self._shared).live(
                self._text, self._gives_one
            )
        os.close(theirs_in)
        os.close(theirs_out)
        if os.read(self._from, 1) != b"+":
            message = self._message()
            reason = self._reason_of_death()
            raise BadExpression(message or reason)


def _pipe() -> tuple[int, int]:
    """A pipe whose ends take no place of a standard descriptor that is closed: others go by these numbers."""
    ends = os.pipe()
    above = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3) for end in ends]
    for end in ends:
        os.close(end)
    return above[0], above[1]


class _Life:
    """The life of the other process."""

    def __init__(self, limit_s: float, source: int, sink: int, shared: mmap.mmap) -> None:
        self._limit_s = limit_s
        self._source = source
        self._sink = sink
        self._shared = shared

    def live(self, text: str, gives_one: bool) -> NoReturn:
        """Never returns into the caller's code."""
        try:
            for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGALRM, signal.SIGABRT):
                signal.signal(number, signal.SIG_DFL)
            _confine()
            signal.setitimer(signal.ITIMER_REAL, self._limit_s)  # unhandled: it ends this process
            os.environ.clear()  # libjq reads it: `env` and `$ENV` are empty, there is no ~/.jq
            try:
                self._program, self._trying = _compiled(text, gives_one)
            except Exception as error:  # noqa: BLE001 - all of it is told
                self._leave_message(str(error))
                os.write(self._sink, b"-")
                os._exit(1)
            signal.setitimer(signal.ITIMER_REAL, 0)
            os.write(self._sink, b"+")
            self._serve()
        finally:
            os._exit(0)

    def _serve(self) -> None:
        pipe = os.fdopen(self._source, "rb", buffering=1 << 16)
        while True:
            head = pipe.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return
            size, each_alone = _HEAD.unpack(head)
            batch = pipe.read(size)
            signal.setitimer(signal.ITIMER_REAL, self._limit_s)
            if each_alone or not self._judge_together(batch):
                self._judge_each(batch)
            signal.setitimer(signal.ITIMER_REAL, 0)
            os.write(self._sink, b".")

    def _judge_together(self, batch: bytes) -> bool:
        """Verdicts on all lines in one run of the program; whether that was possible."""
        lines = batch.split(b"\n")
        try:
            outcomes = self._trying.input_text(batch.decode("utf-8")).all()
        except Exception:  # noqa: BLE001 - a line that is no JSON, or no text: each alone tells which
            return False
        if len(outcomes) != len(lines):
            return False
        for place, outcome in enumerate(outcomes):
            if isinstance(outcome, bool):
                self._shared[place] = YES if outcome else NO
            elif self._shared[MAX_LINES]:
                self._shared[place] = FAILED
            else:  # alone it tells why
                self._shared[place] = self._verdict(lines[place])
        return True

    def _judge_each(self, batch: bytes) -> None:
        for place, line in enumerate(batch.split(b"\n")):
            signal.setitimer(signal.ITIMER_REAL, self._limit_s)
            self._shared[place] = self._verdict(line)

    def _verdict(self, line: bytes) -> int:
        try:
            (held,) = self._program.input_text(line.decode("utf-8")).all()
            return YES if held else NO
        except Exception as error:  # noqa: BLE001 - EXPR failed on this event: counted and told
            if not self._shared[MAX_LINES]:
                self._leave_message(str(error))
            return FAILED

    def _leave_message(self, message: str) -> None:
        kept = message.encode("utf-8", "replace")[: _MESSAGE_BYTES - 1]
        self._shared[MAX_LINES : MAX_LINES + len(kept)] = kept


def _confine() -> None:
    """Memory has an end, and what libjq prints when it is reached isn't for the user, who is told here."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # elsewhere this leaves out what malloc takes
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))


def held(text: str, gives_one: bool) -> str:
    """The jq program that says whether EXPR yields any value other than false and null. The empty line ends a comment,
    one that a backslash continues too.
    """
    if gives_one:  # there is nothing to leave early: half the cost
        return f"reduce ({text}\n\n) as $x (false; . or $x)"
    return f"any(({text}\n\n); .)"


def _compiled(text: str, gives_one: bool) -> tuple[Any, Any]:
    """(the program, one that gives a text where the other fails)."""
    import jq

    # Alone first: the error is about EXPR, and what compiles alone can't close our bracket.
    jq.compile(text)
    program = f"({held(text, gives_one)})"
    return jq.compile(f"{PRELUDE} {program}"), jq.compile(f'{PRELUDE} try {program} catch "failed"')
