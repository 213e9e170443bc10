"""Five questions at once; the answers printed in the order of the questions."""

import asyncio

import openai


async def main():
    async with openai.AsyncOpenAI() as client:

        async def ask(city):
            answer = await client.chat.completions.create(
                model="gpt-5",
                messages=[{"role": "user", "content": f"Say something about {city}."}],
                extra_headers={"x-delay-ms": str(10 * (5 - CITIES.index(city)))},
            )
            return answer.choices[0].message.content

        for line in await asyncio.gather(*map(ask, CITIES)):
            print(line)


CITIES = ["Bern", "Chur", "Genf", "Thun", "Zug"]
asyncio.run(main())
