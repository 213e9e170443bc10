"""TLS with a client, by hand over a connection that has been read from already."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, Callable

_READ_BYTES = 1 << 16


class TlsStream:
    """Reader and writer at once, as asyncio's are. refused: called if the client will not have our certificate."""

    def __init__(
        self,
        reader: Any,
        writer: Any,
        context: ssl.SSLContext,
        received: bytes,
        refused: Callable[[ssl.SSLError], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._incoming.write(received)
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._refused = refused
        self._has_read = False

    @property
    def transport(self) -> asyncio.WriteTransport:
        """Of the connection below."""
        transport: asyncio.WriteTransport = self._writer.transport
        return transport

    async def handshake(self) -> None:
        """ssl.SSLError, after `refused` was called, or OSError if it fails."""
        while True:
            try:
                self._tls.do_handshake()
                await self._flush()
                return
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            except ssl.SSLEOFError:
                raise  # it hung up; nobody knows why
            except ssl.SSLError as error:
                await self._flush()
                self._refused(error)
                raise

    async def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        while True:
            try:
                data = self._tls.read(size)
                self._has_read = True
                return data
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            except ssl.SSLError as error:
                if (
                    not self._has_read
                ):  # TLS 1.3: the client judges when the handshake is over for us
                    self._refused(error)
                return b""

    async def _receive(self) -> None:
        data = await self._reader.read(_READ_BYTES)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            self._writer.write(self._outgoing.read())
            await self._writer.drain()

    def write(self, data: bytes) -> None:
        """As a StreamWriter's."""
        if data:
            self._tls.write(data)
            self._writer.write(self._outgoing.read())

    async def drain(self) -> None:
        """As a StreamWriter's."""
        await self._writer.drain()

    def can_write_eof(self) -> bool:
        """By a message of TLS."""
        return True

    def write_eof(self) -> None:
        """Says that nothing more comes."""
        with contextlib.suppress(ssl.SSLError):  # it waits for the client to say the same
            self._tls.unwrap()
        if self._outgoing.pending:
            self._writer.write(self._outgoing.read())

    def close(self) -> None:
        """As a StreamWriter's."""
        self._writer.close()


def is_hello(data: bytes) -> bool:
    """Whether these first bytes of a client begin a handshake of TLS."""
    return data[:2] == b"\x16\x03"


def hello_bytes(data: bytes) -> int:
    """How many bytes the first record takes."""
    return 5 + int.from_bytes(data[3:5], "big")


def offered_protocols(hello: bytes) -> list[bytes]:
    """What the client says it speaks inside (ALPN, RFC 7301), in a handshake's first record; none if it doesn't say."""
    try:
        at = 5 + 4 + 2 + 32  # record, message, version, random
        at += 1 + hello[at]  # session
        at += 2 + int.from_bytes(hello[at : at + 2], "big")  # ciphers
        at += 1 + hello[at]  # compressions
        end = at + 2 + int.from_bytes(hello[at : at + 2], "big")
        at += 2
        while at + 4 <= end:
            kind, size = hello[at : at + 2], int.from_bytes(hello[at + 2 : at + 4], "big")
            if kind == b"\x00\x10":
                return _names(hello[at + 6 : at + 4 + size])
            at += 4 + size
    except IndexError:
        pass  # cut: the handshake will say so
    return []


def _names(data: bytes) -> list[bytes]:
    names = []
    while data:
        names.append(data[1 : 1 + data[0]])
        data = data[1 + data[0] :]
    return names
