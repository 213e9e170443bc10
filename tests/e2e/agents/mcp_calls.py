"""An agent that calls a tool over MCP, and the server of it. `mcp_calls.py stdio|shell|http|sse|server|model`."""

import asyncio
import json
import os
import shlex
import socket
import sys

import mcp
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer

TOPIC = os.environ.get("TOPIC", "Bern")
SERVER = [sys.executable, __file__, "server"]


def forecast(city: str) -> str:
    """The weather in a city."""
    if os.environ.get("MARKS"):
        with open(os.environ["MARKS"], "a") as file:
            file.write("ran\n")
    if city == "Nowhere":
        raise ValueError("no such city")
    return "4 degrees in " + city


def make_server():
    server = MCPServer("weather")
    server.tool()(forecast)
    return server


async def call(streams):
    reading, writing, *_ = streams
    async with mcp.ClientSession(reading, writing) as session:
        await session.initialize()
        found = await asyncio.gather(
            *(session.call_tool("forecast", {"city": city}) for city in ("Bern", "Nowhere", "Oslo"))
        )
        for one in found:
            print(one.content[0].text)


async def stdio(command):
    parameters = mcp.StdioServerParameters(
        command=command[0], args=command[1:], env=dict(os.environ)
    )
    async with mcp.stdio_client(parameters) as streams:
        await call(streams)


async def model():
    """The model asks for the tool; its name there has the server's in front, as several agents do it."""
    import openai

    messages = [{"role": "user", "content": f"What is the forecast for {TOPIC}?"}]
    parameters = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }
    function = {"name": "weather_forecast", "parameters": parameters}
    server = mcp.StdioServerParameters(command=SERVER[0], args=SERVER[1:])
    async with mcp.stdio_client(server) as streams, mcp.ClientSession(*streams[:2]) as session:
        await session.initialize()
        async with openai.AsyncOpenAI() as client:
            asked = {"model": "gpt-5", "messages": messages}
            asked["tools"] = [{"type": "function", "function": function}]
            message = (await client.chat.completions.create(**asked)).choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            for one in message.tool_calls:
                found = await session.call_tool("forecast", json.loads(one.function.arguments))
                content = found.content[0].text
                messages.append({"role": "tool", "tool_call_id": one.id, "content": content})
            print((await client.chat.completions.create(**asked)).choices[0].message.content)


async def http(is_sse=False):
    """The server is in a thread of its own: a socket is between them."""
    import threading

    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    app = make_server().sse_app() if is_sse else make_server().streamable_http_app()
    config = uvicorn.Config(app, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    client = sse_client(f"{address}/sse") if is_sse else streamable_http_client(f"{address}/mcp")
    async with client as streams:
        await call(streams)
    server.should_exit = True
    thread.join()


if __name__ == "__main__":
    how = sys.argv[1]
    if how == "server":
        make_server().run()
    elif how == "model":
        asyncio.run(model())
    elif how in ("http", "sse"):
        asyncio.run(http(how == "sse"))
    else:
        shell = ["sh", "-c", "exec " + " ".join(map(shlex.quote, SERVER))]
        asyncio.run(stdio(SERVER if how == "stdio" else shell))
