"""The gateway as a process: waits on its port, at work from the first connection to the end of the run."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional

from agenttrace.gateway.upstreams import Plan, plan
from agenttrace.telling import tell

if TYPE_CHECKING:
    from agenttrace.gateway.authority import Authority

NEEDED_BY_PROXY = "the proxy needs cryptography: pip install 'agenttrace-cli[proxy]'"
_BACKLOG = 128
_END_LIMIT_S = 1.0


class Gateway:
    """One run's gateway: what it stands before, its port, and the front's word that the run has ended.

    The port is taken before the command starts. A process stands behind it when `fork` was called.
    """

    def __init__(self, environment: Mapping[str, str], mode: str) -> None:
        """environment: the command's, which says where its clients go; mode: "record" or "replay"."""
        self._mode = mode
        self._environment = environment
        self._authority: Optional[Authority] = None
        # The protocol spelled out: asyncio turns Nagle's algorithm off only where it is, and waits 40 ms else.
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(_BACKLOG)
        port = self.listener.getsockname()[1]
        self.plan: Plan = plan(environment, port, os.urandom(16).hex(), mode == "replay")
        self._run, self._front = os.pipe()

    def stand_proxy(self, folder: str) -> None:
        """Makes it a proxy too, whose authority the command's clients are told to trust by files in this folder, which
        is closed to others and gone with the run. Call it before `fork`. ImportError without `cryptography`.
        """
        from agenttrace.gateway.authority import Authority

        self._authority = Authority()
        trusted = self._authority.trusted(folder, self._environment)
        old = self.plan
        self.plan = plan(self._environment, old.port, old.token, self._mode == "replay", trusted)

    def fork(self, socket_path: str) -> tuple[int, int]:
        """Starts the process: (its pid, a descriptor that reads as ended when it is gone).

        socket_path: of the collector, in a replay of the responder. Nothing that takes time is imported before the
        first connection.
        """
        gone, ours = os.pipe()
        pid = os.fork()
        if pid:
            os.close(ours)
            return pid, gone
        status = 70
        try:
            self._detach({2, ours})
            select.select([self.listener.fileno(), self._run], [], [])
            from agenttrace.gateway import server  # asyncio, TLS and all: here alone

            server.run(
                self.plan, self.listener, self._run, socket_path, self._mode, self._authority
            )
            status = 0
        except BaseException as error:  # noqa: BLE001 - the last line of a forked process: it must not return into another's code
            # Its words may hold a part of what passed.
            tell(f"agenttrace: the gateway failed: {type(error).__name__}\n")
            if os.environ.get("AGENTTRACE_DEBUG"):
                import traceback

                traceback.print_exc()
        finally:
            os._exit(status)

    def _detach(self, kept: set[int]) -> None:
        """Of the terminal's signals, and of all that belongs to others: what waits for its end must not wait for us."""
        if os.getpid() != os.getsid(0):
            os.setsid()
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        kept = kept | {self.listener.fileno(), self._run}
        for name in os.listdir("/dev/fd"):
            if int(name) not in kept:
                _close(int(name))
        for fd in (0, 1):
            os.dup2(os.open(os.devnull, os.O_RDWR), fd)

    def left_to_others(self) -> None:
        """To be called by the front once those who start the process have what they need."""
        self.listener.close()
        os.close(self._run)

    def not_the_front(self) -> None:
        """To be called in a fork of the front: its end is not the front's."""
        os.close(self._front)

    def end(self) -> None:
        """The run has ended. What is open is cut, and told."""
        try:
            os.write(self._front, b".")
        except BrokenPipeError:
            return  # there was none, or it is gone already


def wait_for_end(pid: int, gone: int) -> None:
    """Waits for the process to end, for a second at most."""
    if select.select([gone], [], [], _END_LIMIT_S)[0]:
        with contextlib.suppress(ChildProcessError):  # its status was taken with the others'
            os.waitpid(pid, 0)


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        return  # the one that listed them
