"""Clients of Gemini and Ollama, by name: sync, async, plain, streamed, with a tool; prints what it got."""

import asyncio
import os
import sys

# Each loads what it needs alone: all of them take seconds.

MODEL = "gemini-2.5-flash"
PROMPT = f"Say something about {os.environ.get('TOPIC', 'rivers')}."
QUESTION = [{"role": "user", "content": PROMPT}]
WEATHER = "What is the weather in Bern and Chur?"


def forecast(city: str) -> dict:
    """The weather in a city."""
    return {"city": city, "temp_c": len(city)}


def gemini_client():
    from google import genai
    from google.genai import types

    options = types.HttpOptions(base_url=os.environ["MODEL_SERVER"])
    return genai.Client(api_key="planted-gemini-key-0123456789", http_options=options)


def gemini_plain():
    client = gemini_client()
    print(client.models.generate_content(model=MODEL, contents=PROMPT).text)


def gemini_stream():
    client = gemini_client()
    stream = client.models.generate_content_stream(model=MODEL, contents=PROMPT)
    print("".join(chunk.text or "" for chunk in stream))


def gemini_async():
    async def ask():
        client = gemini_client()
        answer = await client.aio.models.generate_content(model=MODEL, contents=PROMPT)
        print(answer.text)

    asyncio.run(ask())


def gemini_async_stream():
    async def ask():
        client = gemini_client()
        async for chunk in await client.aio.models.generate_content_stream(
            model=MODEL, contents=PROMPT
        ):
            print(chunk.text or "", end="")
        print()

    asyncio.run(ask())


def gemini_tools():
    from google.genai import types

    client = gemini_client()
    chat = client.chats.create(model=MODEL, config=types.GenerateContentConfig(tools=[forecast]))
    print(chat.send_message(WEATHER).text)


def ollama_plain():
    import ollama

    print(ollama.chat(model="m", messages=QUESTION).message.content)


def ollama_stream():
    import ollama

    stream = ollama.chat(model="m", messages=QUESTION, stream=True)
    print("".join(chunk.message.content or "" for chunk in stream))


def ollama_generate():
    import ollama

    print(ollama.generate(model="m", prompt=PROMPT).response)


def ollama_async():
    import ollama

    async def ask():
        answer = await ollama.AsyncClient().chat(model="m", messages=QUESTION)
        print(answer.message.content)

    asyncio.run(ask())


def ollama_async_stream():
    import ollama

    async def ask():
        async for chunk in await ollama.AsyncClient().generate("m", PROMPT, stream=True):
            print(chunk.response or "", end="")
        print()

    asyncio.run(ask())


def ollama_tools():
    import ollama

    messages = [{"role": "user", "content": WEATHER}]
    answer = ollama.chat(model="m", messages=messages, tools=[forecast])
    messages.append(answer.message)
    for call in answer.message.tool_calls:
        output = str(forecast(**call.function.arguments))
        messages.append({"role": "tool", "tool_name": call.function.name, "content": output})
    print(ollama.chat(model="m", messages=messages, tools=[forecast]).message.content)


if __name__ == "__main__":
    for client in sys.argv[1:]:
        globals()[client]()
