"""Speaks with an echo server of its own through websockets (threaded, asyncio, legacy) or aiohttp."""

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


async def speak_legacy(url):
    import warnings

    warnings.simplefilter("ignore")  # of its being the older one
    from websockets.legacy.client import connect as connect_legacy

    async with connect_legacy(url) as connection:
        for message in ("grüezi", b"\xff\x00", ["in ", "two"]):
            await connection.send(message)
            print(repr(await connection.recv()))


async def speak_aiohttp(url):
    import aiohttp

    async with aiohttp.ClientSession() as session, session.ws_connect(url) as connection:
        await connection.send_str("grüezi")
        print(repr(await connection.receive_str()))
        await connection.send_bytes(b"\xff\x00")
        print(repr((await connection.receive()).data))
        await connection.send_json("in two")
        print(repr(await connection.receive_json()))


with serve(echo, "127.0.0.1", 0) as server:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    port = server.socket.getsockname()[1]
    url = f"ws://127.0.0.1:{port}/talk?token=planted-query-secret"
    if sys.argv[1] == "threaded":
        speak(url)
    else:
        speakers = {"asyncio": speak_async, "legacy": speak_legacy, "aiohttp": speak_aiohttp}
        asyncio.run(speakers[sys.argv[1]](url))
    server.shutdown()
    thread.join()
