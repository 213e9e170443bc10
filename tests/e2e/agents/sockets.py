"""Speaks with an echo server of its own through websockets, threaded or asyncio."""

import asyncio
import sys
import threading

from websockets.asyncio.client import connect as connect_async
from websockets.sync.client import connect
from websockets.sync.server import serve


def echo(connection):
    for message in connection:
        connection.send(message)


def speak(url):
    with connect(url) as connection:
        for message in ("grüezi", b"\xff\x00", ["in ", "two"]):
            connection.send(message)
            print(repr(connection.recv()))


async def speak_async(url):
    async with connect_async(url) as connection:
        for message in ("grüezi", b"\xff\x00", ["in ", "two"]):
            await connection.send(message)
            print(repr(await connection.recv()))


with serve(echo, "127.0.0.1", 0) as server:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    port = server.socket.getsockname()[1]
    url = f"ws://127.0.0.1:{port}/talk?token=planted-query-secret"
    if sys.argv[1] == "threaded":
        speak(url)
    else:
        asyncio.run(speak_async(url))
    server.shutdown()
    thread.join()
