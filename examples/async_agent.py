"""Five questions at once with AsyncOpenAI: the answers come in any order, the report keeps its own.

OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=none python examples/async_agent.py
"""

import asyncio
import sys

from openai import AsyncOpenAI

CITIES = ["Zürich", "Paris", "Rome", "Oslo", "Lisbon"]


async def describe(client: AsyncOpenAI, city: str) -> str:
    """What the model has to say of a city, from a stream."""
    stream = await client.chat.completions.create(
        model="gpt-5",
        messages=[{"role": "user", "content": f"Describe {city} in one sentence."}],
        stream=True,
        stream_options={"include_usage": True},
    )
    pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    return "".join(pieces)


async def main(cities: list) -> None:
    """Ask about all cities at once and print what came, in the order asked."""
    async with AsyncOpenAI() as client:
        answers = await asyncio.gather(*(describe(client, city) for city in cities))
    for city, answer in zip(cities, answers):
        print(f"{city}: {answer}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or CITIES))
