"""Replayer: what this process asks at once is answered in the recorded order."""

from __future__ import annotations

import asyncio
import pathlib
import threading

import httpx
import pytest

from agenttrace import Replayer, Tracer
from examples.model_server import ModelServer


def body(text: object) -> dict:
    """A model call."""
    return {"model": "gpt-5", "messages": [{"role": "user", "content": f"Say {text}."}]}


async def gathered(url: str) -> list[int]:
    """Five at once, the first asked the last to come; in the order in which they came."""
    came: list[int] = []
    async with httpx.AsyncClient(verify=False) as client:

        async def one(number: int) -> None:
            headers = {"x-delay-ms": str(60 * (5 - number))}
            await client.post(url, json=body(number), headers=headers)
            came.append(number)

        await asyncio.gather(*map(one, range(5)))
    return came


def threaded(url: str) -> list[int]:
    """The same in threads."""
    came: list[int] = []
    with httpx.Client(verify=False) as client:

        def one(number: int) -> None:
            headers = {"x-delay-ms": str(60 * (5 - number))}
            client.post(url, json=body(number), headers=headers)
            came.append(number)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return came


@pytest.mark.parametrize("how", ["tasks", "threads"])
def test_answers_come_in_the_recorded_order(path: pathlib.Path, how: str) -> None:
    """Though nothing takes time any more."""

    def ask(url: str) -> list[int]:
        return asyncio.run(gathered(url)) if how == "tasks" else threaded(url)

    with ModelServer() as server, Tracer(path, capture=True):
        url = f"{server.url}/v1/chat/completions"
        came = ask(url)
    for _ in range(3):
        with Replayer(path) as replay:
            assert ask(url) == came
        assert replay.report.reordered == ()
