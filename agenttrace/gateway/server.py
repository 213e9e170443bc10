"""The gateway at work: accepts connections until the run ends, then lets what is open tell of its end."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Optional

from agenttrace.capture.channel import Channel
from agenttrace.gateway.answering import Answerer
from agenttrace.gateway.client import Backend, Client, Tunnels
from agenttrace.gateway.doors import Door, GatewayDoor, ProxyDoor
from agenttrace.gateway.forwarding import Forwarder
from agenttrace.gateway.upstreams import Plan
from agenttrace.telling import tell

if TYPE_CHECKING:
    from agenttrace.gateway.authority import Authority

# After the front was killed: how long without a connection until there is nobody to serve any more.
IDLE_LIMIT_S = 10.0
_CUT_LIMIT_S = 0.2
_LAST_WORDS_S = 0.05


def run(
    plan: Plan,
    listener: socket.socket,
    front: int,
    socket_path: str,
    mode: str,
    authority: Optional[Authority],
) -> None:
    """Serves until the front says that the run has ended. front: the descriptor that it says so on. authority: of the
    proxy, where there is one.
    """
    channel = Channel(socket_path, is_process=False)
    asyncio.run(_Server(plan, channel, mode, authority).run(listener, front))


class _Server:
    def __init__(
        self, plan: Plan, channel: Channel, mode: str, authority: Optional[Authority]
    ) -> None:
        self._channel = channel
        self._mode = mode
        self._door: Door = GatewayDoor(plan)
        self._tunnels: Optional[Tunnels] = None
        if authority is not None:
            from agenttrace.gateway.tunnels import (
                ProxyTunnels,
            )  # and cryptography, which may not be there

            door = self._door = ProxyDoor(plan)
            is_replay = mode == "replay"
            self._tunnels = ProxyTunnels(door, authority, channel, self._backend, is_replay)
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_told = False

    async def run(self, listener: socket.socket, front: int) -> None:
        server = await asyncio.start_server(self._serve, sock=listener)
        if not await _said(front):
            await self._until_nobody_is_left()
        server.close()
        if self._tasks:  # what clients said last, an alert of TLS perhaps, may not have been read
            await asyncio.wait(set(self._tasks), timeout=_LAST_WORDS_S)
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CUT_LIMIT_S)

    async def _until_nobody_is_left(self) -> None:
        """The front was killed: it can't say when the command ends."""
        while True:
            if self._tasks:
                await asyncio.wait(set(self._tasks))
            await asyncio.sleep(IDLE_LIMIT_S)
            if not self._tasks:
                return

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await Client(self._door, self._backend(), reader, writer, self._tunnels).run()
        except asyncio.CancelledError:
            pass  # the run has ended; asyncio would show a traceback
        except Exception as error:  # noqa: BLE001 - the border: one client's trouble is not the others'
            self._tell_fault(error)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    def _backend(self) -> Backend:
        is_replay = self._mode == "replay"
        return Answerer(self._channel) if is_replay else Forwarder(self._channel)

    def _tell_fault(self, error: Exception) -> None:
        if not self._has_told:
            self._has_told = True
            # Its words may hold a part of what passed.
            tell(f"agenttrace: the gateway failed on a connection: {type(error).__name__}\n")


async def _said(front: int) -> bool:
    """Waits for the front's word; False if it is gone without."""
    loop = asyncio.get_running_loop()
    is_ready = asyncio.Event()
    loop.add_reader(front, is_ready.set)
    await is_ready.wait()
    loop.remove_reader(front)
    return bool(os.read(front, 1))
