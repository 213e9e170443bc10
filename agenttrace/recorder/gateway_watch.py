"""The collector's eye on the gateway: started at its first connection, started again if it died."""

from __future__ import annotations

import os
import selectors

from agenttrace.gateway.process import Gateway
from agenttrace.recording import Recording
from agenttrace.telling import tell

_MAX_STARTS = 4


class GatewayWatch:
    """Shares the collector's selector: what is registered has what to do as its `data`."""

    def __init__(self, gateway: Gateway, socket_path: str) -> None:
        """socket_path: the collector's."""
        self._gateway = gateway
        self._socket_path = socket_path
        self._starts = 0

    def watch(self, selector: selectors.BaseSelector, recording: Recording) -> None:
        """From now on the first connection starts it."""
        self._selector = selector
        self._recording = recording
        selector.register(self._gateway.listener, selectors.EVENT_READ, self._start)

    def _start(self) -> None:
        self._starts += 1
        self._selector.unregister(self._gateway.listener)
        pid, gone = self._gateway.fork(self._socket_path)
        self._selector.register(gone, selectors.EVENT_READ, lambda: self._gone(pid, gone))

    def _gone(self, pid: int, gone: int) -> None:
        self._selector.unregister(gone)
        os.close(gone)
        _, status = os.waitpid(pid, 0)
        if status == 0:
            return  # at the end of the run
        self._recording.gap("the gateway died; what passed through it was cut", pid=pid)
        if self._starts == 1:
            tell(
                "agenttrace: the gateway died: requests through it were cut; the next one starts it again\n"
            )
        if self._starts < _MAX_STARTS:
            self._selector.register(self._gateway.listener, selectors.EVENT_READ, self._start)
        else:
            self._gateway.listener.close()  # refused at once is better than held
