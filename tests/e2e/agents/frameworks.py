"""Agents made with frameworks, as their manuals have it: `FRAMEWORK PROMPT…` prints what the agent says to each."""

import asyncio
import os
import sys

SERVER = os.environ.get("MODEL_SERVER")  # an MCP server gets no such variable


def forecast(city: str) -> str:
    """The weather of a city today.

    Args:
        city: The city's name.
    """
    return f"{city}: {sum(city.encode()) % 30} degrees"


def litellm(prompt):
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would fetch one when it is imported
    import litellm

    messages = [{"role": "user", "content": prompt}]
    asked = {"model": "openai/gpt-5", "messages": messages, "api_base": f"{SERVER}/v1"}
    print(litellm.completion(**asked).choices[0].message.content)

    async def ask():
        answer = await litellm.acompletion(**asked)
        print(answer.choices[0].message.content)
        claude = dict(asked, model="anthropic/claude", api_base=SERVER, max_tokens=100)
        answer = await litellm.acompletion(**claude)
        print(answer.choices[0].message.content)
        stream = await litellm.acompletion(
            **asked, stream=True, stream_options={"include_usage": True}
        )
        async for chunk in stream:
            if chunk.choices:
                print(chunk.choices[0].delta.content or "", end="")
        print()

    asyncio.run(ask())


def langgraph(prompt):
    from langchain_openai import ChatOpenAI
    from langgraph.graph import START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode, tools_condition

    model = ChatOpenAI(model="gpt-5").bind_tools([forecast])
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([forecast]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    ended = graph.compile().invoke({"messages": [("user", prompt)]})
    print(ended["messages"][-1].content)


def pydantic_ai_openai(prompt):
    pydantic_ai(prompt, "openai-chat:gpt-5")


def pydantic_ai_anthropic(prompt):
    pydantic_ai(prompt, "anthropic:claude")


def pydantic_ai(prompt, model):
    from pydantic_ai import Agent

    print(Agent(model, tools=[forecast]).run_sync(prompt).output)


def openai_agents(prompt):
    import agents

    agents.set_tracing_disabled(True)
    agent = agents.Agent(name="w", model="gpt-5", tools=[agents.function_tool(forecast)])
    print(agents.Runner.run_sync(agent, prompt).final_output)


def openai_agents_stream(prompt):
    import agents

    agents.set_tracing_disabled(True)
    agent = agents.Agent(name="w", model="gpt-5", tools=[agents.function_tool(forecast)])

    async def run():
        running = agents.Runner.run_streamed(agent, prompt)
        async for event in running.stream_events():
            if event.type == "raw_response_event" and event.data.type.endswith("text.delta"):
                print(event.data.delta, end="")
        print()

    asyncio.run(run())


def smolagents(prompt):
    import smolagents

    model = smolagents.OpenAIServerModel("gpt-5", api_base=f"{SERVER}/v1", api_key="none")
    agent = smolagents.ToolCallingAgent(
        tools=[smolagents.tool(forecast)], model=model, max_steps=1, verbosity_level=0
    )
    print(agent.run(prompt))


def huggingface_hub(prompt):
    import huggingface_hub

    client = huggingface_hub.InferenceClient(base_url=f"{SERVER}/v1", api_key="none")
    messages = [{"role": "user", "content": prompt}]
    print(client.chat_completion(messages, model="gpt-5").choices[0].message.content)


def mcp_http(prompt):
    import mcp
    from mcp.client.streamable_http import streamable_http_client

    async def run():
        address = os.environ["MCP_SERVER"]
        async with (
            streamable_http_client(address) as (reading, writing, *_),
            mcp.ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            print(*[tool.name for tool in (await session.list_tools()).tools])
            print((await session.call_tool("forecast", {"city": prompt})).content[0].text)

    asyncio.run(run())


def mcp_stdio(prompt):
    import mcp

    async def run():
        server = mcp.StdioServerParameters(
            command=sys.executable, args=[__file__, "mcp_server", "stdio"]
        )
        async with mcp.stdio_client(server) as streams, mcp.ClientSession(*streams) as session:
            await session.initialize()
            tool = (await session.call_tool("forecast", {"city": prompt})).content[0].text
            print(tool)
            import openai

            messages = [{"role": "user", "content": tool}]
            async with openai.AsyncOpenAI() as client:
                answer = await client.chat.completions.create(model="gpt-5", messages=messages)
            print(answer.choices[0].message.content)

    asyncio.run(run())


def mcp_server(how):
    """The server of the two: over its standard streams, or on a port of loopback, which it prints."""
    from mcp.server import MCPServer

    server = MCPServer("weather")
    server.tool()(forecast)
    if how == "stdio":
        server.run()
        return
    import socket

    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(server.streamable_http_app(), log_level="error")
    uvicorn.Server(config).run(sockets=[listener])


def botocore(prompt):
    import botocore.config
    import botocore.session

    client = botocore.session.get_session().create_client(
        "bedrock-runtime",
        region_name="eu-central-1",
        endpoint_url=SERVER,
        aws_access_key_id="none",
        aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        config=botocore.config.Config(retries={"max_attempts": 1}),
    )
    messages = [{"role": "user", "content": [{"text": prompt}]}]
    try:
        client.converse(modelId="claude", messages=messages)
    except client.exceptions.ClientError as error:
        print(error)


def uvloop(prompt):
    import aiohttp
    import openai
    import uvloop

    async def run():
        messages = [{"role": "user", "content": prompt}]
        async with openai.AsyncOpenAI() as client:
            stream = await client.chat.completions.create(
                model="gpt-5", messages=messages, stream=True
            )
            async for chunk in stream:
                print(chunk.choices[0].delta.content or "", end="")
        print()
        body = {"model": "gpt-5", "messages": messages}
        asking = aiohttp.request("POST", f"{SERVER}/v1/chat/completions", json=body)
        async with asking as answer:
            print((await answer.json())["choices"][0]["message"]["content"])

    uvloop.run(run())


def openai_parse(prompt):
    import openai
    import pydantic

    class Forecast(pydantic.BaseModel):
        city: str

    answer = openai.OpenAI().chat.completions.parse(
        model="gpt-5",
        messages=[{"role": "user", "content": prompt}],
        tools=[openai.pydantic_function_tool(Forecast)],
    )
    print(answer.choices[0].message.tool_calls[0].function.parsed_arguments)


if __name__ == "__main__":
    for argument in sys.argv[2:]:
        globals()[sys.argv[1]](argument)
