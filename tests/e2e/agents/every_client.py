"""Every client and operation, one by name: sync, async, plain, streamed; prints what it got."""

import asyncio
import os
import sys

import anthropic
import httpx
import openai

PROMPT = f"Say something about {os.environ.get('TOPIC', 'rivers')}."
QUESTION = [{"role": "user", "content": PROMPT}]


def openai_plain():
    print(
        openai.OpenAI()
        .chat.completions.create(model="gpt-5", messages=QUESTION)
        .choices[0]
        .message.content
    )


def openai_stream():
    stream = openai.OpenAI().chat.completions.create(
        model="gpt-5", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    print("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))


def openai_responses():
    print(openai.OpenAI().responses.create(model="gpt-5", input=PROMPT).output_text)


def openai_responses_stream():
    with openai.OpenAI().responses.stream(model="gpt-5", input=PROMPT) as stream:
        print(
            "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        )


def openai_async():
    async def ask():
        async with openai.AsyncOpenAI() as client:
            answer = await client.chat.completions.create(model="gpt-5", messages=QUESTION)
            print(answer.choices[0].message.content)

    asyncio.run(ask())


def openai_async_stream():
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
    print(
        openai.OpenAI()
        .chat.completions.create(model="gzip", messages=QUESTION)
        .choices[0]
        .message.content
    )


def anthropic_plain():
    client = anthropic.Anthropic()
    print(client.messages.create(model="claude", max_tokens=100, messages=QUESTION).content[0].text)


def anthropic_stream():
    with anthropic.Anthropic().messages.stream(
        model="claude", max_tokens=100, messages=QUESTION
    ) as stream:
        print("".join(stream.text_stream))


def anthropic_async():
    async def ask():
        async with anthropic.AsyncAnthropic() as client:
            answer = await client.messages.create(model="claude", max_tokens=100, messages=QUESTION)
            print(answer.content[0].text)

    asyncio.run(ask())


def httpx_plain():
    url = os.environ["MODEL_SERVER"] + "/v1/chat/completions"
    print(
        httpx.post(url, json={"model": "gpt-5", "messages": QUESTION}).json()["choices"][0][
            "message"
        ]["content"]
    )


def httpx_other():
    print(
        httpx.get(
            os.environ["MODEL_SERVER"] + "/nothing/here?token=planted-query-secret"
        ).status_code
    )


def httpx_upload():
    pieces = [b'{"model": "gpt-5", "messages": ', b'[{"role": "user", "content": "Say a word."}]}']
    url = os.environ["MODEL_SERVER"] + "/v1/chat/completions"
    headers = {"content-type": "application/json", "content-length": str(sum(map(len, pieces)))}
    print(httpx.post(url, content=iter(pieces), headers=headers).status_code)


def refused():
    try:
        openai.OpenAI(base_url="http://127.0.0.1:9/v1", max_retries=0).models.list()
    except openai.APIConnectionError as error:
        print(type(error).__name__)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
