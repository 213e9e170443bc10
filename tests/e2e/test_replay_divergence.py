"""However a program meets a divergence, it ends in 123 within a moment, and one report is the last that is seen."""

from __future__ import annotations

import subprocess
import time

import pytest

ASKING = """
import asyncio, concurrent.futures, http.client, json, multiprocessing, os, sys, threading, time
HOST, TOPIC = os.environ["MODEL_SERVER"].partition("//")[2], os.environ["TOPIC"]

def ask(words):
    client = http.client.HTTPConnection(HOST)
    messages = [{"role": "user", "content": "Say " + words}]
    body = json.dumps({"model": "gpt-5", "messages": messages})
    client.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    return len(client.getresponse().read())
"""
WAYS = {
    "threads": """
running = [threading.Thread(target=lambda n=n: print(ask(TOPIC + n))) for n in "123"]
[one.start() for one in running]; [one.join() for one in running]
""",
    "a thread of a loop": """
async def main():
    asked = [asyncio.to_thread(ask, TOPIC + n) for n in "123"]
    print(await asyncio.gather(*asked, return_exceptions=True))
asyncio.run(main())
""",
    "a task nobody awaits": """
import httpx
async def post():
    body = {"model": "gpt-5", "messages": [{"role": "user", "content": "Say " + TOPIC}]}
    async with httpx.AsyncClient() as client:
        await client.post(f"http://{HOST}/v1/chat/completions", json=body)
async def main():
    task = asyncio.create_task(post())
    await asyncio.sleep(0.5)
asyncio.run(main())
""",
    "a group of exceptions": """
import anyio, httpx
async def post():
    body = {"model": "gpt-5", "messages": [{"role": "user", "content": "Say " + TOPIC}]}
    async with httpx.AsyncClient() as client:
        await client.post(f"http://{HOST}/v1/chat/completions", json=body)
async def main():
    async with anyio.create_task_group() as group:
        group.start_soon(post)
anyio.run(main)
""",
    "whoever catches all and tries again": """
while True:
    try:
        print(ask(TOPIC)); break
    except BaseException:
        time.sleep(0.05)
""",
    "whoever catches all and ends well": """
try:
    print(ask(TOPIC))
except BaseException:
    os._exit(0)
""",
    "a pool that waits for a worker": """
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(ask, [TOPIC, "two"]))
""",
    "an executor's process": """
with concurrent.futures.ProcessPoolExecutor(1) as pool:
    print(pool.submit(ask, TOPIC).result())
""",
    "whoever heeds no signal": """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def work():
    try: ask(TOPIC)
    finally:
        if TOPIC != "rivers": time.sleep(60)
work()
""",
}


@pytest.mark.parametrize("way", WAYS)
def test_one_report_and_nothing_else(bench, server, sdk_python, way):
    """No traceback before it, nothing behind it, no process left."""
    bench.serve_from(server)
    bench.environment["TOPIC"] = "rivers"
    script = bench.folder / "agent.py"
    script.write_text(ASKING + WAYS[way])
    began = time.monotonic()
    recorded = bench.run("record", "-q", "-o", "t.jsonl", "--", sdk_python, script)
    recording_s = time.monotonic() - began
    assert recorded.status == 0, recorded.stderr
    bench.environment["TOPIC"] = "hillsides"
    began = time.monotonic()
    ended = bench.run("replay", "t.jsonl", "--", sdk_python, script)
    assert time.monotonic() - began < 2 * recording_s + 3
    assert ended.status == 123
    assert ended.stderr.count("DIVERGED") == 1
    assert ".messages[0].content" in ended.stderr
    assert "hillsides" in ended.stderr
    for line in ended.stderr.splitlines():
        assert line.startswith(("agenttrace: replay: ", "  "))
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(script) not in listing.stdout
