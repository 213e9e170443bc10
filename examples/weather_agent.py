"""An agent with one tool, as they are usually written: ask, run what is asked for, ask again.

    OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=none \\
        python examples/weather_agent.py "What is the weather in Zürich?"

It knows nothing of AgentTrace; `agenttrace record -- python examples/weather_agent.py` records it.
"""

import json
import sys

from openai import OpenAI
from openai.types.chat import ChatCompletionMessage

MODEL = "gpt-5"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "forecast",
            "description": "The weather of a city today.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


def forecast(city: str) -> dict:
    """A forecast that depends on the name alone."""
    number = sum(city.encode())
    return {"city": city, "temp_c": number % 30 - 2, "sky": ("clear", "cloudy", "rain")[number % 3]}


def ask(client: OpenAI, messages: list) -> ChatCompletionMessage:
    """One turn of the model: plain at first, streamed once there are results to tell."""
    asked = {"model": MODEL, "messages": messages, "tools": TOOLS}
    if messages[-1]["role"] == "user":
        message = client.chat.completions.create(**asked).choices[0].message
        print(message.content or "", end="")
        return message
    with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
        for event in stream:
            if event.type == "content.delta":
                print(event.delta, end="", flush=True)
        return stream.get_final_completion().choices[0].message


def main(question: str) -> None:
    """Answer a question, with as many rounds of tools as the model asks for."""
    client = OpenAI()
    messages: list = [{"role": "user", "content": question}]
    while True:
        message = ask(client, messages)
        if not message.tool_calls:
            break
        messages.append(message)
        for call in message.tool_calls:
            result = forecast(**json.loads(call.function.arguments))
            content = json.dumps(result, ensure_ascii=False)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
    print()


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "What is the weather in Zürich?")
