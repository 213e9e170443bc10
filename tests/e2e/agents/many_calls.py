"""Asks again and again, and prints how long the slowest call took."""

import sys
import time

import openai

client = openai.OpenAI()
slowest = 0.0
for number in range(int(sys.argv[1])):
    began = time.monotonic()
    client.chat.completions.create(
        model="gpt-5",
        messages=[
            {"role": "user", "content": f"Number {number}. " + "padding " * int(sys.argv[2])}
        ],
    )
    slowest = max(slowest, time.monotonic() - began)
print(f"done {slowest:.3f}")
