"""The weather agent with Anthropic's SDK: tools in rounds, every turn streamed.

    ANTHROPIC_BASE_URL=http://127.0.0.1:8080 ANTHROPIC_API_KEY=none \\
        python examples/anthropic_agent.py "What is the weather in Zürich?"
"""

import json
import sys

from anthropic import Anthropic

TOOL = {
    "name": "forecast",
    "description": "The weather of a city today.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def forecast(city: str) -> dict:
    """A forecast that depends on the name alone."""
    number = sum(city.encode())
    return {"city": city, "temp_c": number % 30 - 2, "sky": ("clear", "cloudy", "rain")[number % 3]}


def main(question: str) -> None:
    """Answer a question, with as many rounds of tools as the model asks for."""
    client = Anthropic()
    messages: list = [{"role": "user", "content": question}]
    while True:
        asked = {"model": "claude-sonnet-5-5", "max_tokens": 1024, "tools": [TOOL]}
        with client.messages.stream(**asked, messages=messages) as stream:
            for piece in stream.text_stream:
                print(piece, end="", flush=True)
            message = stream.get_final_message()
        if message.stop_reason != "tool_use":
            break
        messages.append({"role": "assistant", "content": message.content})
        results = [
            {
                "type": "tool_result",
                "tool_use_id": block.id,
                "content": json.dumps(forecast(**block.input), ensure_ascii=False),
            }
            for block in message.content
            if block.type == "tool_use"
        ]
        messages.append({"role": "user", "content": results})
    print()


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "What is the weather in Zürich?")
