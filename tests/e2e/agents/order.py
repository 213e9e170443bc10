"""Asks several things at once, in a way that is named, and prints what came in the order in which it came."""

import asyncio
import concurrent.futures
import os
import sys
import threading
import time

import httpx

URL = os.environ["MODEL_SERVER"] + "/v1/chat/completions"
LIMIT_S = 60
CLIENT = httpx.Client(verify=False)


def request(name, delay_ms, stream=False):
    """The arguments of a call; the server takes this long for it, or for each piece."""
    body = {"model": "gpt-5", "messages": [{"role": "user", "content": f"Say {name}."}]}
    if stream:
        body["stream"] = True
    return {"url": URL, "json": body, "headers": {"x-delay-ms": str(delay_ms)}, "timeout": LIMIT_S}


def call(name, delay_ms):
    """One call in this thread; its name when it is over."""
    CLIENT.post(**request(name, delay_ms)).raise_for_status()
    return name


async def acall(client, name, delay_ms, came):
    """One call of this task; its name goes to the list when it is over."""
    (await client.post(**request(name, delay_ms))).raise_for_status()
    came.append(name)
    return name


async def gather():
    """Five, answered in reverse order."""
    came = []
    async with httpx.AsyncClient(verify=False) as client:
        await asyncio.gather(*[acall(client, n, 40 * (5 - n), came) for n in range(5)])
    return came


async def completed():
    """Five by as_completed; each is followed by another call."""
    came = []
    async with httpx.AsyncClient(verify=False) as client:
        tasks = [acall(client, n, (n * 3) % 5 * 40, came) for n in range(5)]
        for task in asyncio.as_completed(tasks):
            number = await task
            await acall(client, f"more of {number}", 0, came)
    return came


def threads():
    """Eight threads that append to one list."""
    came = []
    running = [
        threading.Thread(target=lambda n=n: came.append(call(n, (n * 5) % 8 * 60)))
        for n in range(8)
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(LIMIT_S)
    return came


def processes():
    """Four processes of a pool."""
    came = []
    with concurrent.futures.ProcessPoolExecutor(4) as pool:
        asked = [pool.submit(call, n, 100 + (n * 3) % 4 * 60) for n in range(4)]
        for one in concurrent.futures.as_completed(asked):
            came.append(one.result())
    return came


async def twice():
    """Two requests that are the same."""
    came = []

    async def one(client, name, delay_ms):
        answer = await client.post(**request("the same", delay_ms))
        came.append((name, answer.json()["id"]))

    async with httpx.AsyncClient(verify=False) as client:
        await asyncio.gather(one(client, "slow", 80), one(client, "fast", 0))
    return came


async def woven():
    """Three streams, piece by piece."""
    came = []

    async def one(client, name, delay_ms):
        async with client.stream("POST", **request(name, delay_ms, stream=True)) as answer:
            async for _ in answer.aiter_raw():
                came.append(name)

    async with httpx.AsyncClient(verify=False) as client:
        await asyncio.gather(*[one(client, n, 15 + 10 * n) for n in range(3)])
    return came


def computing():
    """One thread asks at once and is answered late; another computes, or sleeps, before it asks."""
    came = []

    def late(work, name):
        work()
        came.append(call(name, 0))

    def compute():
        end = time.thread_time() + 0.4
        while time.thread_time() < end:
            sum(range(1000))

    running = [
        threading.Thread(target=lambda: came.append(call("early", 2500))),
        threading.Thread(target=late, args=(lambda: time.sleep(0.5), "after sleep")),
        threading.Thread(target=late, args=(compute, "after computing")),
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(LIMIT_S)
    return came


if __name__ == "__main__":
    how = globals()[sys.argv[1]]
    result = asyncio.run(how()) if asyncio.iscoroutinefunction(how) else how()
    for line in result:
        print(line)
