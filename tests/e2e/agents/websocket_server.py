"""A server of websockets: echoes, OpenAI's Realtime and Gemini's Live, as far as their clients ask.

Prints its port, and its port with TLS where it is given a file with a key and its certificate.
"""

import asyncio
import itertools
import json
import ssl
import sys
import uuid

from websockets.asyncio.server import serve

served = itertools.count(1)


async def echo(connection):
    """Echoes; JSON twice, with a number; "bye" closes, "go" breaks off, "parts" answers in fragments."""
    async for message in connection:
        if message == "bye":
            await connection.close(4001, "goodbye")
            break
        if message == "go":
            connection.transport.abort()
            break
        if message == "parts":
            await connection.send(["one ", "two ", "three"])
        elif isinstance(message, str) and message.startswith("{"):
            await connection.send(json.dumps({"echo": json.loads(message), "n": next(served)}))
            await connection.send(json.dumps({"done": True}))
        else:
            await connection.send(message)


async def realtime(connection):
    """Answers each `response.create` with the last thing that was said, in pieces."""
    await connection.send(_event("session.created", session={"id": _new_id("sess")}))
    said = ""
    async for message in connection:
        event = json.loads(message)
        if event["type"] == "conversation.item.create":
            said = event["item"]["content"][0]["text"]
            item = {**event["item"], "id": _new_id("item")}
            await connection.send(_event("conversation.item.created", item=item))
        elif event["type"] == "response.create":
            response = {"id": _new_id("resp"), "status": "completed", "output": []}
            for word in f"You said: {said}".split(" "):
                about = {"response_id": response["id"], "item_id": "i", "output_index": 0}
                about.update(content_index=0, delta=f"{word} ")
                await connection.send(_event("response.output_text.delta", **about))
            await connection.send(_event("response.done", response=response))


async def live(connection):
    """Gemini's: the setup, then each turn answered in two pieces."""
    await connection.recv()
    await connection.send(json.dumps({"setupComplete": {}}).encode())
    async for message in connection:
        turns = json.loads(message)["client_content"]["turns"]
        for text in ("You said: ", turns[-1]["parts"][0]["text"]):
            content = {"modelTurn": {"parts": [{"text": text}]}}
            await connection.send(json.dumps({"serverContent": content}).encode())
        await connection.send(json.dumps({"serverContent": {"turnComplete": True}}).encode())


def _event(kind, **members):
    return json.dumps({"type": kind, "event_id": _new_id("event"), **members})


def _new_id(kind):
    return f"{kind}_{uuid.uuid4().hex}"


async def talk(connection):
    path = connection.request.path
    if "BidiGenerateContent" in path:
        await live(connection)
    elif "realtime" in path:
        await realtime(connection)
    else:
        await echo(connection)


def refuse(connection, request):
    if request.path.startswith("/denied"):
        return connection.respond(401, "no entry\n")
    return None


def choose(connection, offered):
    return offered[0] if offered else None


async def main():
    options = {"process_request": refuse, "select_subprotocol": choose}
    async with serve(talk, "127.0.0.1", 0, **options) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        if sys.argv[1:]:
            options["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            options["ssl"].load_cert_chain(sys.argv[1])
            secure = await serve(talk, "127.0.0.1", 0, **options)
            print(secure.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
