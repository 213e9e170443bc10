"""The command's standard streams: a terminal stays a terminal, a pipe a pipe; what passes is told to the collector.

This side does nothing but relay. Two streams that lead to one place (`2>&1`) share one pipe, so that their order holds.
"""

from __future__ import annotations

import os
import select
import stat
import threading
import time
from collections.abc import Collection
from typing import Protocol

from agenttrace.command.standard_input import FileInput, PipeInput, seen_input
from agenttrace.command.terminal import Terminal, own_terminal, write_all
from agenttrace.command.typed_lines import TypedLines

_READ_BYTES = 1 << 16
_NAMES = {1: "stdout", 2: "stderr"}


class Listener(Protocol):
    """Who is told what passes."""

    def passed(self, stream: str, fd: int, is_terminal: bool, data: bytes) -> None:
        """These bytes go through a stream of the command."""

    def typed(self, line: bytes) -> None:
        """A person typed this line on the command's terminal."""

    def unseen(self, reason: str) -> None:
        """Something is not recorded."""


class Stdio:
    """The descriptors that the command gets, and the threads that relay what it reads and writes.

    listener: told of each piece before it is passed on. outputs: which descriptor of ours each of the command's
    streams 1 and 2 goes to.
    """

    def __init__(
        self,
        listener: Listener,
        outputs: dict[int, int],
        terminals: Collection[int] | None = None,
    ) -> None:
        """terminals: which of the command's streams are to be terminals; None: those that are ours."""
        self._listener = listener
        self._wanted = terminals
        self._outputs = outputs
        self.child_fds: dict[int, int] = {}
        self.terminal: Terminal | None = None
        self._typed = TypedLines(self._tell_typed)
        self._theirs: list[int] = []
        self._pumps: list[threading.Thread] = []
        self._sources: list[tuple[int, int]] = []
        self._stop = os.pipe()
        self._connect_terminal()
        self._connect_pipes()
        self._input: FileInput | PipeInput | None = (
            None if 0 in self.child_fds else self._seen_input()
        )

    def _connect_terminal(self) -> None:
        terminals = [fd for fd in (0, 1, 2) if self._is_wanted(fd)]
        if not terminals:
            return
        ours = own_terminal()
        has_pipe = self._wanted is None and any(_is_pipe(fd) for fd in (0, self._outputs[1]))
        try:
            self.terminal = Terminal(ours, self._typed, has_pipe)
        except OSError as error:
            self._listener.unseen(
                f"the system has no terminal to give ({error.strerror}): the command keeps ours, unrecorded"
            )
            for fd in terminals:
                self.child_fds[fd] = self._outputs.get(fd, fd)
            return
        self._theirs.append(self.terminal.slave)
        for fd in terminals:
            self.child_fds[fd] = self.terminal.slave
        shown = [fd for fd in terminals if fd]
        if not shown and ours is not None:
            self._outputs[0] = ours  # what is typed is echoed where it is typed
        self._sources.append((shown[0] if shown else 0, self.terminal.master))

    def _is_wanted(self, fd: int) -> bool:
        if self._wanted is not None:
            return fd in self._wanted
        return os.isatty(self._outputs.get(fd, fd))

    def _connect_pipes(self) -> None:
        for fd in (1, 2):
            if fd in self.child_fds or not is_open(self._outputs[fd]):
                continue
            if fd == 2 and 1 in self.child_fds and _is_same(self._outputs[1], self._outputs[2]):
                self.child_fds[2] = self.child_fds[1]
                continue
            read_end, write_end = os.pipe()
            self._theirs.append(write_end)
            self.child_fds[fd] = write_end
            self._sources.append((fd, read_end))

    def _seen_input(self) -> FileInput | PipeInput | None:
        seen = seen_input(lambda data: self._listener.passed("stdin", 0, False, data))
        if isinstance(seen, str):
            self._listener.unseen(f"the standard input is not recorded: {seen}")
            return None
        if isinstance(seen, PipeInput):
            self.child_fds[0] = seen.child_fd
            self._theirs.append(seen.child_fd)
        return seen

    def start(self) -> None:
        """The command runs: close its ends, relay."""
        for fd in self._theirs:
            os.close(fd)
        self._open_sources = {source for _, source in self._sources}
        for fd, source in self._sources:
            pump = threading.Thread(target=self._relay, args=(fd, source), daemon=True)
            pump.start()
            self._pumps.append(pump)
        if isinstance(self._input, PipeInput):
            self._input.start()

    def drain(self, limit_s: float) -> list[str]:
        """Waits until all that was written has passed, or children of the command have held the
        pipes open for this long: which streams they still hold.

        What those write from then on is passed on by a process of its own, unrecorded.
        """
        deadline = time.monotonic() + limit_s
        for pump in self._pumps:
            pump.join(max(0.0, deadline - time.monotonic()))
        os.write(self._stop[1], b".")
        for pump in self._pumps:
            pump.join()
        self._end_input()
        held = [(fd, source) for fd, source in self._sources if source in self._open_sources]
        is_read = isinstance(self._input, PipeInput) and not self._input.is_done
        if held or is_read:
            self._relay_on(held)
        return [*(["stdin"] if is_read else []), *(_NAMES[fd] for fd, _ in held if fd)]

    def _end_input(self) -> None:
        if isinstance(self._input, PipeInput):
            self._input.stop()
        elif self._input is not None:
            self._input.catch_up()
        if self._typed.has_raw_keys:
            self._listener.unseen(
                "keys that came while the terminal was in raw mode are not recorded: they may be secret"
            )

    def _relay_on(self, held: list[tuple[int, int]]) -> None:
        if os.fork():
            return
        try:
            os.setsid()
            if isinstance(self._input, PipeInput) and not self._input.is_done:
                self._input.forget()
                self._input.start()
            sinks = {source: self._outputs[fd] for fd, source in held}
            while sinks:
                for source in select.select(list(sinks), [], [])[0]:
                    if not _passed(source, sinks[source]):
                        del sinks[source]
            if isinstance(self._input, PipeInput):
                self._input.join()
        finally:
            os._exit(0)

    def _relay(self, fd: int, source: int) -> None:
        is_terminal = self.terminal is not None and source == self.terminal.master
        sink = self._outputs[fd]
        events = self._events_of(source, sink)
        while (ready := {number for number, _ in events.poll()}) != {self._stop[0]}:
            data = _read(source) if source in ready else b""
            if data:
                if self._input is not None:
                    self._input.catch_up()  # what was read before this was written
                self._listener.passed(_NAMES.get(fd, "stdout"), fd or 1, is_terminal, data)
            if not data or not _written(sink, data):
                # Nobody writes any more; or whoever read our output is gone, which the command finds out
                # as it would without us.
                self._open_sources.discard(source)
                _let_go(source)
                return

    def _events_of(self, source: int, sink: int) -> select.poll:
        """What a relay waits for: something to pass on, the stop, or that nobody reads the sink any more.

        The command is to find out at its next write, as without us, not at the one after.
        """
        events = select.poll()
        for number in (source, self._stop[0]):
            events.register(number, select.POLLIN)
        # All pipes without a name are of one device; one that has a name may get another reader.
        if os.fstat(sink).st_dev == os.fstat(self._stop[0]).st_dev:
            events.register(sink, 0)  # errors alone
        return events

    def _tell_typed(self, text: bytes, is_line: bool) -> None:
        if is_line:
            self._listener.typed(text)
        else:
            self._listener.passed("stdin", 0, True, text)


def _let_go(source: int) -> None:
    """Closes what it leads to; the number stays ours, as other threads may still write to it."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, source, inheritable=False)
    os.close(nothing)


def _read(source: int) -> bytes:
    try:
        return os.read(source, _READ_BYTES)
    except OSError:  # EIO: nobody holds the terminal's other side any more
        return b""


def _written(sink: int, data: bytes) -> bool:
    try:
        write_all(sink, data)
    except OSError:
        return False
    return True


def _passed(source: int, sink: int) -> bool:
    data = _read(source)
    if data and _written(sink, data):
        return True
    os.close(source)
    return False


def is_open(fd: int) -> bool:
    """Whether this descriptor leads anywhere."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _is_pipe(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _is_same(one: int, other: int) -> bool:
    first, second = os.fstat(one), os.fstat(other)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)
