"""Asks twice: first "one", then what it is told to; through the client that it is told to use. Prints both answers."""

import asyncio
import json
import os
import random
import sys
import urllib.request

URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"


def said(words):
    """The request that says this."""
    messages = [{"role": "user", "content": words}]
    return {"model": "gpt-5", "messages": messages, "stream": "stream" in sys.argv}


def with_httpx(words):
    """Each in a pool of its own."""
    import httpx

    with httpx.Client(verify=False) as client:
        return client.post(URL, json=said(words)).text


def with_urllib(words):
    """By http.client."""
    body = json.dumps(said(words)).encode()
    headers = {"content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(URL, body, headers)) as answer:
        return answer.read().decode()


def requests_session():
    """On one connection that is kept."""
    import requests

    session = requests.Session()
    return lambda words: session.post(URL, json=said(words)).text


async def async_httpx(first, second):
    """In one event loop."""
    import httpx

    async with httpx.AsyncClient(verify=False) as client:
        return [(await client.post(URL, json=said(words))).text for words in (first, second)]


async def with_aiohttp(first, second):
    """On one connection that is kept."""
    import aiohttp

    async with aiohttp.ClientSession() as session:
        texts = []
        for words in (first, second, second + " again"):
            async with session.post(URL, json=said(words)) as answer:
                texts.append(await answer.text())
        return texts


def answers(how, second):
    """The texts of all answers."""
    if how in ("async_httpx", "with_aiohttp"):
        return asyncio.run(globals()[how]("one", second))
    ask = requests_session() if how == "requests" else globals()["with_" + how]
    return [ask("one"), ask(second)]


if __name__ == "__main__":
    drawn = random.random() if "draw" in sys.argv else 0
    for answer in answers(sys.argv[1], sys.argv[2] + (f" {drawn}" if drawn else "")):
        # A recording keeps what JSON says, not how it was spelled.
        print(answer.replace("\n", " ") if "stream" in sys.argv else json.loads(answer))
    if drawn:
        print(drawn, random.random())
