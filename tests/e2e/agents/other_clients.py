"""Clients beside httpx: `CLIENT[,CLIENT…] OPERATION…` prints a line for each: status, size and digest of what it got,
and of what that says, how it ended.
"""

import asyncio
import hashlib
import http.client
import io
import json
import os
import sys
import urllib.error
import urllib.request
import zlib
from urllib.parse import urlsplit

SERVER = os.environ["MODEL_SERVER"]
CHAT = SERVER + "/v1/chat/completions"
JSON = {"content-type": "application/json"}
PROMPT = f"Say something about {os.environ.get('TOPIC', 'rivers')}."


def question(model, **more):
    messages = [{"role": "user", "content": PROMPT}]
    return json.dumps(dict(model=model, messages=messages, **more)).encode()


def uploaded():
    """A body that is made as it is sent."""
    body = question("uploaded")
    yield body[:20]
    yield body[20:]


OPERATIONS = {
    "plain": lambda: ("POST", CHAT, question("gpt-5")),
    "streamed": lambda: ("POST", CHAT, question("gpt-5", stream=True)),
    "ragged": lambda: ("POST", CHAT, question("ragged-stream", stream=True)),
    "big": lambda: ("POST", CHAT, question("big")),
    "big_streamed": lambda: ("POST", CHAT, question("big", stream=True)),
    "gzip": lambda: ("POST", CHAT, question("gzip")),
    "error": lambda: ("POST", CHAT, question("error-500")),
    "cut": lambda: ("POST", CHAT, question("cut-stream", stream=True)),
    "upload": lambda: ("POST", CHAT, uploaded()),
    "models": lambda: ("GET", SERVER + "/v1/models", None),
    "head": lambda: ("HEAD", SERVER + "/v1/models", None),
    "missing": lambda: ("GET", SERVER + "/nothing/here", None),
    "refused": lambda: ("POST", "http://127.0.0.1:9/v1/x", question("gpt-5")),
    "refused_tls": lambda: ("POST", "https://127.0.0.1:9/v1/x", question("gpt-5")),
    "moved": lambda: ("GET", os.environ.get("MOVING_SERVER", "") + "/moved", None),
}


# Each client yields the status, then the pieces of the answer.


def with_requests(method, url, body):
    import requests

    with requests.Session() as session:
        answer = session.request(
            method, url, data=body, headers=JSON, stream=True, allow_redirects=True
        )
        yield answer.status_code
        yield from answer.iter_content(None)


def with_requests_lines(method, url, body):
    import requests

    answer = requests.request(method, url, data=body, headers=JSON, stream=True)
    yield answer.status_code
    for line in answer.iter_lines():
        yield line + b"\n"


def with_urllib3(method, url, body):
    import urllib3

    with urllib3.PoolManager(retries=urllib3.Retry(0, redirect=3)) as pool:
        answer = pool.request(method, url, body=body, headers=JSON, preload_content=False)
        yield answer.status
        yield from answer.stream(1000)
        answer.release_conn()


def with_urllib3_whole(method, url, body):
    import urllib3

    answer = urllib3.request(method, url, body=body, headers=JSON, retries=False, redirect=True)
    yield answer.status
    yield answer.data


def with_urllib(method, url, body):
    body = b"".join(body) if hasattr(body, "__next__") else body
    asking = urllib.request.Request(url, data=body and io.BytesIO(body), headers=JSON)
    asking.method = method
    if body:
        asking.add_header("content-length", str(len(body)))
    try:
        answer = urllib.request.urlopen(asking)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        yield answer.status
        yield unpacked(answer, b"".join(answer))


def with_httpcore(method, url, body):
    import httpcore

    with (
        httpcore.ConnectionPool() as pool,
        pool.stream(method, url, headers=JSON, content=body) as answer,
    ):
        yield answer.status
        packing = dict(answer.headers).get(b"content-encoding")
        pieces = answer.iter_stream()
        yield from [zlib.decompress(b"".join(pieces), 47)] if packing == b"gzip" else pieces


def with_httpcore2_async(method, url, body):
    import httpcore2

    async def made():
        for piece in body:
            yield piece

    async def ask():
        content = made() if hasattr(body, "__next__") else body
        connection = httpcore2.AsyncConnectionPool()
        asking = connection.stream(method, url, headers=JSON, content=content)
        async with connection, asking as answer:
            got.append(answer.status)
            packing = dict(answer.headers).get(b"content-encoding")
            pieces = []
            async for piece in answer.aiter_stream():
                pieces.append(piece)
                if packing is None:
                    got.append(piece)
            if packing is not None:
                got.append(zlib.decompress(b"".join(pieces), 47))

    got = []
    try:
        asyncio.run(ask())
    finally:
        yield from got


def with_httpcore_connection(method, url, body):
    import httpcore

    with httpcore.HTTPConnection(httpcore.URL(url).origin) as connection:
        answer = connection.request(method, url, headers=JSON, content=body)
    yield answer.status
    packing = dict(answer.headers).get(b"content-encoding")
    yield zlib.decompress(answer.content, 47) if packing == b"gzip" else answer.content


def with_http_client(method, url, body):
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port)
    for _ in range(2):  # on one connection
        connection.request(method, parts.path, body, JSON)
        answer = connection.getresponse()
        buffer, pieces = bytearray(700), []
        pieces.append(answer.peek(10)[:0] + answer.read(3) + answer.read1(50) + answer.readline())
        count = answer.readinto(buffer)
        while count:
            pieces.append(bytes(buffer[:count]))
            count = answer.readinto(buffer)
        if hasattr(body, "__next__"):
            break
    yield answer.status
    yield unpacked(answer, b"".join(pieces))
    connection.close()


def unpacked(answer, data):
    if answer.headers.get("content-encoding") == "gzip":
        return zlib.decompress(data, 47)
    return data


def with_aiohttp(method, url, body, read="any"):
    import aiohttp

    async def ask():
        async def pieces_of(pieces):
            for piece in pieces:
                yield piece

        data = pieces_of(body) if hasattr(body, "__next__") else body
        session = aiohttp.ClientSession()
        asking = session.request(method, url, data=data, headers=JSON)
        async with session, asking as answer:
            got.append(answer.status)
            if read == "whole":
                got.append(await answer.read())
            elif read == "lines":
                async for line in answer.content:
                    got.append(line)
            else:
                async for piece in answer.content.iter_any():
                    got.append(piece)

    got = []
    try:
        asyncio.run(ask())
    finally:
        yield from got


def with_aiohttp_whole(method, url, body):
    return with_aiohttp(method, url, body, "whole")


def with_aiohttp_lines(method, url, body):
    return with_aiohttp(method, url, body, "lines")


def openai_aiohttp():
    """One exchange that two hooks see: httpx2's and aiohttp's."""
    import openai

    messages = [{"role": "user", "content": PROMPT}]

    async def ask():
        http_client = openai.DefaultAioHttpClient()
        async with openai.AsyncOpenAI(http_client=http_client) as client:
            plain = await client.chat.completions.create(model="gpt-5", messages=messages)
            print(plain.choices[0].message.content)
            stream = await client.chat.completions.create(
                model="gpt-5", messages=messages, stream=True
            )
            async for chunk in stream:
                if chunk.choices:
                    print(chunk.choices[0].delta.content or "", end="")
            print()

    asyncio.run(ask())


def main(clients, *operations):
    for client in clients.split(","):
        if client == "openai_aiohttp":
            openai_aiohttp()
        else:
            run(client, operations)


def run(client, operations):
    for operation in operations:
        got, ended = [], "ended"
        try:
            for one in globals()["with_" + client](*OPERATIONS[operation]()):
                got.append(one)
        except Exception as error:  # noqa: BLE001 - each library has its own
            ended = type(error).__name__
        data = b"".join(got[1:])
        print(operation, got[:1], len(data), digest(data), digest(said(data)), ended, flush=True)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def said(data):
    """The same bytes for the same JSON: a trace keeps its value, not its white space."""
    try:
        return json.dumps(json.loads(data)).encode()
    except ValueError:
        return data


if __name__ == "__main__":
    main(*sys.argv[1:])
