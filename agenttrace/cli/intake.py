"""The good lines of all inputs as one stream, and what was damaged told on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Callable, Optional

from agenttrace.cli import exit as exits
from agenttrace.cli.failure import FINE, NEGATIVE, UNUSABLE
from agenttrace.cli.inputs import Source, total_bytes
from agenttrace.cli.terminal import Output, Progress, say
from agenttrace.errors import AgentTraceError

MAX_TOLD = 100  # of one input; the rest is counted
_PAUSE_S = 0.05
_ROTATION_S = 1.0  # how long after the last trace_end a rotated file may take to appear


class Intake:
    """Reads inputs one after another. `status` says, afterwards, what is to be said of them."""

    def __init__(
        self,
        names: list[str],
        make_scanner: Callable[[], Any],
        *,
        quiet: bool = False,
        output: Optional[Output] = None,
    ) -> None:
        """make_scanner: a new Scanner (or what feeds and finishes like one) for each input. output: where good lines
        go if nothing more is done with them; then the scanner may write them itself.
        """
        self._names = names
        self._make_scanner = make_scanner
        self._output = output if output is not None and output.is_plain else None
        self.written = 0  # how many lines went there by themselves
        self._progress = Progress(total_bytes(names), quiet=quiet)
        self.status = FINE
        self.has_more = False  # whether reading on would not wait

    def batches(self) -> Iterator[bytes]:
        """Good lines, many at a time, as soon as they were read."""
        for name in self._names:
            source = self._opened(name)
            if source is not None:
                yield from self._read(source)
        self._progress.clear()

    def followed(self, *, reopen: bool) -> Iterator[bytes]:
        """As `batches`, waiting for more at the end of each file until its traces have ended."""
        opened = (self._opened(name) for name in self._names)
        open_now = [_Followed(source, self._judge, reopen) for source in opened if source]
        while open_now:
            is_idle = True
            for one in list(open_now):
                lines, is_fresh = self._step(one)
                is_idle = is_idle and not is_fresh
                if lines:
                    yield lines
                if one.is_over:
                    open_now.remove(one)
            if is_idle and open_now:
                time.sleep(_PAUSE_S)

    def _opened(self, name: str) -> Optional[Source]:
        try:
            return Source(name)
        except (OSError, AgentTraceError) as error:
            self._unreadable(error)
            return None

    def _unreadable(self, error: Exception) -> None:
        self._progress.clear()
        say(exits.reason(error))
        self.status = UNUSABLE

    def _judge(self, name: str) -> _Judge:
        return _Judge(name, self._make_scanner())

    def _read(self, source: Source) -> Iterator[bytes]:
        judge = self._judge(source.name)
        while True:
            try:
                chunk = source.read()
            except OSError as error:
                self._unreadable(error)
                break
            self._progress.add(len(chunk))
            lines = judge.feed(chunk) if chunk else judge.finish()
            self._note(judge)
            if lines:
                self._progress.clear()
                self.has_more = bool(chunk) and source.is_ready
                yield lines
            if not chunk or not self._pass_on(source, judge):
                break
        source.close()

    def _pass_on(self, source: Source, judge: _Judge) -> bool:
        """Has the scanner take what it can by itself; whether the input could be read."""
        if self._output is None:
            return True
        before = judge.scanner.passed
        try:
            for count in source.pass_on(judge.scanner, self._output):
                self._progress.add(count)
                self._note(judge)
                if judge.scanner.passed > before:
                    # Whoever reads them may be at work on the same terminal.
                    self._progress.clear()
                    self.written += judge.scanner.passed - before
                    before = judge.scanner.passed
        except BrokenPipeError:
            raise
        except OSError as error:
            self._unreadable(error)
            self.written += judge.scanner.passed - before
            return False
        return True

    def _step(self, one: _Followed) -> tuple[bytes, bool]:
        try:
            lines, is_fresh = one.step()
        except OSError as error:
            self._unreadable(error)
            one.is_over = True
            return b"", False
        self._note(one.judge)
        return lines, is_fresh

    def _note(self, judge: _Judge) -> None:
        if judge.scanner.findings_total:
            self._progress.clear()
            judge.tell()
            self.status = max(self.status, NEGATIVE)


class _Judge:
    """A scanner over one input, and how much of what it found was told."""

    def __init__(self, name: str, scanner: Any) -> None:
        self.scanner = scanner
        self._name = name
        self._told = 0

    def feed(self, chunk: memoryview) -> bytes:
        return self.scanner.feed(chunk)  # type: ignore[no-any-return]

    def finish(self) -> bytes:
        lines = self.scanner.finish()
        self.tell()
        if self.scanner.findings_total > self._told:
            say(f"{self._name}: … and {self.scanner.findings_total - self._told} more")
        return lines  # type: ignore[no-any-return]

    def tell(self) -> None:
        for finding in self.scanner.take_findings():
            if self._told < MAX_TOLD:
                self._told += 1
                say(message_of(self._name, finding[3], finding[4], finding[7]))


def message_of(name: str, line: Optional[int], offset: Optional[int], message: str) -> str:
    """`FILE:LINE: what is wrong (at byte N)`."""
    where = f"{name}:{line}" if line is not None else name
    at = f" (at byte {offset})" if offset is not None else ""
    return f"{where}: {message}{at}"


class _Followed:
    """One input that is still written to, and maybe rotated."""

    def __init__(self, source: Source, make_judge: Callable[[str], _Judge], reopen: bool) -> None:
        self._source = source
        self._make_judge = make_judge
        self._reopen = reopen
        self._ended_s: Optional[float] = None
        self.judge = make_judge(source.name)
        self.is_over = False

    def step(self) -> tuple[bytes, bool]:
        """What came since the last step, and whether anything did."""
        if not self._source.is_ready:
            return b"", False
        chunk = self._source.read()
        if not chunk and (self._source.is_replaced if self._reopen else self._source.is_cut):
            # What was written to it since the last read, before it was put away.
            chunk = self._source.read()
            if not chunk:
                return self._started_anew(), True
        if chunk:
            self._ended_s = None
            return self.judge.feed(chunk), True
        self.is_over = not self._source.is_regular or self._is_past_end()
        return (self._finished() if self.is_over else b""), False

    def _is_past_end(self) -> bool:
        if not self.judge.scanner.all_ended:
            return False
        if not self._reopen:
            return True
        self._ended_s = self._ended_s or time.monotonic()
        return time.monotonic() - self._ended_s > _ROTATION_S

    def _started_anew(self) -> bytes:
        lines = self._finished()
        self._source = Source(self._source.name)
        self.judge = self._make_judge(self._source.name)
        return lines

    def _finished(self) -> bytes:
        lines = self.judge.finish()
        self._source.close()
        return lines
