"""jq expressions on events, in a process of their own: no environment, a time limit, killable.

The binding to libjq holds the interpreter's lock while it works, so it works elsewhere. Only
verdicts come back; the bytes of an event never pass through jq.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
from typing import Any, NoReturn, Optional

from agenttrace.cli.jq_words import PRELUDE, barred_word

LIMIT_S = 10.0  # for one event
_BATCH_LINES = 4096
_MESSAGE_BYTES = 4096
_LENGTH = struct.Struct("<Q")
_NO, _YES, _FAILED = 1, 2, 3  # 0 is an event that was not looked at yet


class BadExpression(ValueError):
    """The expression does not compile, in jq's own words, or says what is refused."""


class Expression:
    """A compiled EXPR: `verdicts` tells for which lines it holds, `failures` where it failed."""

    def __init__(self, text: str, *, limit_s: float = LIMIT_S) -> None:
        """BadExpression if it can't be used."""
        word = barred_word(text)
        if word is not None:
            raise BadExpression(f"{word} is refused: an expression sees one event and nothing else")
        self._text = text
        self._limit_s = limit_s
        self._shared = mmap.mmap(-1, _BATCH_LINES + _MESSAGE_BYTES)
        self._pid = 0
        self.failures = 0
        self.first_failure: Optional[str] = None
        self._start()

    def verdicts(self, lines: list[bytes]) -> list[bool]:
        """Whether EXPR yields any value other than false and null, for each line."""
        held: list[bool] = []
        while len(held) < len(lines):
            held += self._judged(lines[len(held) : len(held) + _BATCH_LINES])
        return held

    def close(self) -> None:
        """Ends the process."""
        if self._pid:
            pid, self._pid = self._pid, 0
            os.close(self._to)
            os.close(self._from)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _judged(self, lines: list[bytes]) -> list[bool]:
        """Verdicts on the first lines: all, or up to the one that killed the process."""
        self._shared[: len(lines)] = bytes(len(lines))
        self._shared[_BATCH_LINES:] = bytes(_MESSAGE_BYTES)
        if not self._sent(lines) or not os.read(self._from, 1):
            return self._after_death(len(lines))
        return self._read_verdicts(len(lines))

    def _sent(self, lines: list[bytes]) -> bool:
        batch = b"\n".join([line.rstrip(b"\n") for line in lines])
        rest = memoryview(_LENGTH.pack(len(batch)) + batch)
        try:
            while rest:
                rest = rest[os.write(self._to, rest) :]
        except BrokenPipeError:
            return False
        return True

    def _read_verdicts(self, count: int) -> list[bool]:
        found = self._shared[:count]
        failed = found.count(_FAILED)
        if failed:
            message = self._shared[_BATCH_LINES:].rstrip(b"\0").decode("utf-8", "replace")
            self._note_failure(message, failed)
        return [verdict == _YES for verdict in found]

    def _after_death(self, count: int) -> list[bool]:
        done = self._shared[:count].find(0)
        held = self._read_verdicts(done if done >= 0 else count)
        status = os.waitpid(self._pid, 0)[1]
        os.close(self._to)
        os.close(self._from)
        self._pid = 0
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
            self._note_failure(f"took longer than {self._limit_s:g} s", 1)
        else:
            self._note_failure("jq ended unexpectedly (out of memory?)", 1)
        self._start()
        return [*held, False]

    def _note_failure(self, message: str, count: int) -> None:
        self.failures += count
        self.first_failure = self.first_failure or message

    def _start(self) -> None:
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._to)
            os.close(self._from)
            _work(self._text, self._limit_s, theirs_in, theirs_out, self._shared)
        os.close(theirs_in)
        os.close(theirs_out)
        if os.read(self._from, 1) != b"+":
            message = self._shared[_BATCH_LINES:].rstrip(b"\0").decode("utf-8", "replace")
            raise BadExpression(message or "jq could not be started")


def _work(text: str, limit_s: float, source: int, sink: int, shared: mmap.mmap) -> NoReturn:
    """The life of the other process. It never returns into the caller's code."""
    try:
        for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        os.environ.clear()  # libjq reads it: `env` and `$ENV` are empty, there is no ~/.jq
        try:
            program = _compiled(text)
        except Exception as error:  # noqa: BLE001 - all of it is told
            _leave_message(shared, str(error))
            os.write(sink, b"-")
            os._exit(1)
        os.write(sink, b"+")
        _serve(program, limit_s, source, sink, shared)
    finally:
        os._exit(0)


def _compiled(text: str) -> Any:
    import jq

    # Alone first: the error is about EXPR, and what compiles alone can't close our bracket.
    jq.compile(text)
    # The empty line ends a comment, one that a backslash continues too.
    return jq.compile(f"{PRELUDE} any((\n{text}\n\n); .)")


def _serve(program: Any, limit_s: float, source: int, sink: int, shared: mmap.mmap) -> None:
    pipe = os.fdopen(source, "rb", buffering=1 << 16)
    while True:
        head = pipe.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return
        batch = pipe.read(_LENGTH.unpack(head)[0])
        for place, line in enumerate(batch.split(b"\n")):
            signal.setitimer(signal.ITIMER_REAL, limit_s)  # unhandled: it ends this process
            shared[place] = _verdict(program, line, shared)
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.write(sink, b".")


def _verdict(program: Any, line: bytes, shared: mmap.mmap) -> int:
    try:
        (held,) = program.input_text(line.decode("utf-8")).all()
        return _YES if held else _NO
    except Exception as error:  # noqa: BLE001 - EXPR failed on this event: counted and told
        if not shared[_BATCH_LINES]:
            _leave_message(shared, str(error))
        return _FAILED


def _leave_message(shared: mmap.mmap, message: str) -> None:
    kept = message.encode("utf-8", "replace")[: _MESSAGE_BYTES - 1]
    shared[_BATCH_LINES : _BATCH_LINES + len(kept)] = kept
