"""Reads a slow stream and writes down each piece, so that a test can kill it and know what it got."""

import sys

import openai

with open(sys.argv[1], "w") as seen:
    stream = openai.OpenAI().chat.completions.create(
        model=sys.argv[2], messages=[{"role": "user", "content": "Count."}], stream=True
    )
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            seen.write(chunk.choices[0].delta.content)
            seen.flush()
