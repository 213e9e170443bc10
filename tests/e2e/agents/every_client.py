"""Every client and operation, by name: sync, async, plain, streamed; prints what it got."""

import asyncio
import os
import sys

# Each loads what it needs alone: all of them take seconds.

PROMPT = f"Say something about {os.environ.get('TOPIC', 'rivers')}."
QUESTION = [{"role": "user", "content": PROMPT}]


def openai_plain():
    import openai

    print(
        openai.OpenAI()
        .chat.completions.create(model="gpt-5", messages=QUESTION)
        .choices[0]
        .message.content
    )


def openai_stream():
    import openai

    stream = openai.OpenAI().chat.completions.create(
        model="gpt-5", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    print("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))


def openai_responses():
    import openai

    print(openai.OpenAI().responses.create(model="gpt-5", input=PROMPT).output_text)


def openai_responses_stream():
    import openai

    with openai.OpenAI().responses.stream(model="gpt-5", input=PROMPT) as stream:
        print(
            "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        )


def openai_async():
    import openai

    async def ask():
        async with openai.AsyncOpenAI() as client:
            answer = await client.chat.completions.create(model="gpt-5", messages=QUESTION)
            print(answer.choices[0].message.content)

    asyncio.run(ask())


def openai_async_stream():
    import openai

    async def ask():
        async with openai.AsyncOpenAI() as client:
            stream = await client.chat.completions.create(
                model="gpt-5",
                messages=QUESTION,
                stream=True,
                stream_options={"include_usage": True},
            )
            async for chunk in stream:
                if chunk.choices:
                    print(chunk.choices[0].delta.content or "", end="")
            print()

    asyncio.run(ask())


def openai_gzip():
    import openai

    print(
        openai.OpenAI()
        .chat.completions.create(model="gzip", messages=QUESTION)
        .choices[0]
        .message.content
    )


def anthropic_plain():
    import anthropic

    client = anthropic.Anthropic()
    print(client.messages.create(model="claude", max_tokens=100, messages=QUESTION).content[0].text)


def anthropic_stream():
    import anthropic

    with anthropic.Anthropic().messages.stream(
        model="claude", max_tokens=100, messages=QUESTION
    ) as stream:
        print("".join(stream.text_stream))


def anthropic_async():
    import anthropic

    async def ask():
        async with anthropic.AsyncAnthropic() as client:
            answer = await client.messages.create(model="claude", max_tokens=100, messages=QUESTION)
            print(answer.content[0].text)

    asyncio.run(ask())


def httpx_plain():
    import httpx

    url = os.environ["MODEL_SERVER"] + "/v1/chat/completions"
    print(
        httpx.post(url, json={"model": "gpt-5", "messages": QUESTION}).json()["choices"][0][
            "message"
        ]["content"]
    )


def httpx_other():
    import httpx

    print(
        httpx.get(
            os.environ["MODEL_SERVER"] + "/nothing/here?token=planted-query-secret"
        ).status_code
    )


def httpx_upload():
    import httpx

    pieces = [b'{"model": "gpt-5", "messages": ', b'[{"role": "user", "content": "Say a word."}]}']
    url = os.environ["MODEL_SERVER"] + "/v1/chat/completions"
    headers = {"content-type": "application/json", "content-length": str(sum(map(len, pieces)))}
    print(httpx.post(url, content=iter(pieces), headers=headers).status_code)


def refused():
    import openai

    try:
        openai.OpenAI(base_url="http://127.0.0.1:9/v1", max_retries=0).models.list()
    except openai.APIConnectionError as error:
        print(type(error).__name__)


if __name__ == "__main__":
    for client in sys.argv[1:]:
        globals()[client]()
