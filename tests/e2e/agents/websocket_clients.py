"""Clients of websockets, by name: each speaks with the server at PORT, says WORD, and prints what it got."""

import asyncio
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")  # of what is older, or will be

PORT = os.environ["PORT"]
WORD = os.environ.get("WORD", "hello")
URL = f"ws://127.0.0.1:{PORT}/talk?x=1"
NOWHERE = "ws://127.0.0.1:1/"
MESSAGES = [json.dumps({"text": WORD}), b"\xff\x00", b"plain", ["in ", "two"]]


def said(message):
    """What came, but for its number."""
    print(repr(message)[:60])


def threaded():
    from websockets.exceptions import ConnectionClosed, InvalidStatus
    from websockets.sync.client import connect

    try:
        connect(URL.replace("talk", "denied"))
    except InvalidStatus as error:
        print(error.response.status_code, bytes(error.response.body))
    try:
        connect(NOWHERE)
    except ConnectionRefusedError as error:
        print(repr(error))
    with connect(URL, subprotocols=["talk.v1"]) as connection:
        print(connection.subprotocol)
        for message in MESSAGES:
            connection.send(message)
            said(connection.recv())
        said(connection.recv(timeout=5))
        try:
            connection.recv(timeout=0.05)
        except TimeoutError:
            print("nothing more yet")
        connection.send("parts")
        said(list(connection.recv_streaming()))
        connection.send("bye")
        try:
            connection.recv()
        except ConnectionClosed as error:
            print(repr(error), connection.close_code)


async def speak_async(connect):
    from websockets.exceptions import ConnectionClosed, InvalidHandshake

    try:
        await connect(URL.replace("talk", "denied"))
    except InvalidHandshake as error:
        print(error)
    try:
        await connect(NOWHERE)
    except ConnectionRefusedError as error:
        print(repr(error))
    async with connect(URL, subprotocols=["talk.v1"]) as connection:
        print(connection.subprotocol)
        for message in MESSAGES:
            await connection.send(message)
            said(await connection.recv())
        said(await connection.recv())
        await (await connection.ping())
        await connection.send("go")
        try:
            async for message in connection:
                said(message)
        except ConnectionClosed as error:
            print(repr(error))
        await connection.wait_closed()
    connection = await connect(URL)
    await connection.send("bye")
    try:
        async for message in connection:
            said(message)
    except ConnectionClosed as error:
        print(repr(error), connection.close_code)


def asynchronous():
    from websockets.asyncio.client import connect

    asyncio.run(speak_async(connect))


def legacy():
    from websockets.legacy.client import connect

    asyncio.run(speak_async(connect))


def with_aiohttp():
    import aiohttp

    async def speak():
        async with aiohttp.ClientSession() as session:
            try:
                await session.ws_connect(URL.replace("talk", "denied"))
            except aiohttp.WSServerHandshakeError as error:
                print(error.status)
            async with session.ws_connect(URL, protocols=["talk.v1"], heartbeat=5) as connection:
                print(connection.protocol)
                await connection.send_json({"text": WORD})
                said(await connection.receive_json())
                said(await connection.receive_json())
                await connection.send_bytes(b"\xff\x00")
                said(await connection.receive())
                await connection.send_str("parts")
                said(await connection.receive_str())
                await connection.send_str("bye")
                said(await connection.receive())
                print(connection.close_code, connection.closed)
            async with session.ws_connect(URL) as connection:
                await connection.send_str("go")
                said(await connection.receive())
                print(connection.close_code)

    asyncio.run(speak())


def secure():
    """Over TLS, in threads and in asyncio."""
    from websockets.asyncio.client import connect as connect_async
    from websockets.sync.client import connect

    url = f"wss://127.0.0.1:{os.environ['TLS_PORT']}/talk"
    with connect(url) as connection:
        connection.send(MESSAGES[0])
        said(connection.recv())

    async def speak():
        async with connect_async(url) as connection:
            await connection.send("more")
            said(await connection.recv())

    asyncio.run(speak())


def realtime():
    from openai import OpenAI

    client = OpenAI(base_url=f"http://127.0.0.1:{PORT}/v1")
    with client.realtime.connect(model="gpt-realtime") as connection:
        for word in (WORD, "goodbye"):
            ask(connection.send, word)
            for event in connection:
                print(getattr(event, "delta", event.type))
                if event.type == "response.done":
                    break


def realtime_async():
    from openai import AsyncOpenAI

    async def speak():
        client = AsyncOpenAI(base_url=f"http://127.0.0.1:{PORT}/v1")
        async with client.realtime.connect(model="gpt-realtime") as connection:
            waiting = []
            ask(waiting.append, WORD)
            for event in waiting:
                await connection.send(event)
            async for event in connection:
                print(getattr(event, "delta", event.type))
                if event.type == "response.done":
                    break

    asyncio.run(speak())


def ask(send, text):
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    send({"type": "conversation.item.create", "item": item})
    send({"type": "response.create"})


def gemini_live():
    from google import genai
    from google.genai import types

    async def speak():
        options = types.HttpOptions(base_url=f"https://127.0.0.1:{os.environ['TLS_PORT']}")
        client = genai.Client(api_key="planted-gemini-key-0123456789", http_options=options)
        config = {"response_modalities": ["TEXT"]}
        async with client.aio.live.connect(model="gemini-live", config=config) as session:
            for word in (WORD, "goodbye"):
                turn = {"role": "user", "parts": [{"text": word}]}
                await session.send_client_content(turns=turn)
                async for message in session.receive():
                    print(message.text)

    asyncio.run(speak())


def several():
    """Two connections at once, whose answers come in any order; and threads."""
    from websockets.asyncio.client import connect

    async def speak(name, pause_s):
        async with connect(f"{URL}&name={name}") as connection:
            for number in range(5):
                await connection.send(json.dumps({"text": WORD, "number": number}))
                said((name, await connection.recv()))
                await connection.recv()
                await asyncio.sleep(pause_s)

    async def both():
        await asyncio.gather(speak("one", 0.001), speak("two", 0.003))

    asyncio.run(both())


def reconnecting():
    """A connection that breaks is made again."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    async def speak():
        tries = 0
        async for connection in connect(URL):
            tries += 1
            try:
                await connection.send(json.dumps({"try": tries, "text": WORD}))
                said(await connection.recv())
                if tries == 3:
                    break
                await connection.send("go")
                while True:
                    await connection.recv()
            except ConnectionClosed:
                print("closed")

    asyncio.run(speak())


def skipping():
    """Leaves out what it says first if WORD is empty, and waits for what answers it."""
    from websockets.sync.client import connect

    with connect(URL) as connection:
        if WORD:
            connection.send("first")
        said(connection.recv())


def saying_more():
    """Says one thing more if there is MORE."""
    from websockets.sync.client import connect

    with connect(URL) as connection:
        connection.send(json.dumps({"text": WORD}))
        said(connection.recv())
        if "MORE" in os.environ:
            connection.send(json.dumps({"text": os.environ["MORE"]}))
            said(connection.recv())


def slow():
    """Gets its answers some time after it asked."""
    import time

    from websockets.sync.client import connect

    with connect(URL) as connection:
        for text in ("one", "two"):
            connection.send(text)
            time.sleep(0.4)
            said(connection.recv())


globals()[sys.argv[1]]()
