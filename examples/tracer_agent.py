"""An agent without any SDK that writes its own trace with `Tracer`, call by call.

    OPENAI_BASE_URL=http://127.0.0.1:8080/v1 python examples/tracer_agent.py "Weather in Zürich?"

The trace goes to the file in AGENT_TRACE if that is set; under `agenttrace record` into the trace
that is being recorded; else into a new file in the trace folder.
"""

import json
import os
import sys
import urllib.request

from agenttrace import Tracer

MODEL = "gpt-5"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "forecast", "parameters": PARAMETERS}}]


def forecast(city: str) -> dict:
    """A forecast that depends on the name alone."""
    number = sum(city.encode())
    return {"city": city, "temp_c": number % 30 - 2, "sky": ("clear", "cloudy", "rain")[number % 3]}


def ask(tracer: Tracer, request: dict) -> dict:
    """One call of the model, recorded with its answer, or with the exception that ended it."""
    base = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")
    headers = {
        "content-type": "application/json",
        "authorization": "Bearer " + os.environ.get("OPENAI_API_KEY", "none"),
    }
    with tracer.llm_request(provider="openai", model=MODEL, request=request) as call:
        http = urllib.request.Request(
            base + "/chat/completions", json.dumps(request).encode(), headers
        )
        with urllib.request.urlopen(http, timeout=60) as response:
            answer = json.load(response)
        choice, usage = answer["choices"][0], answer["usage"]
        counts = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
        call.response(
            text=choice["message"]["content"],
            tool_calls=choice["message"].get("tool_calls"),
            finish_reason=choice["finish_reason"],
            model=answer["model"],
            usage={name: usage[theirs] for name, theirs in counts.items()},
        )
    return choice["message"]


def main(question: str) -> None:
    """Answer a question, with as many rounds of tools as the model asks for."""
    with Tracer(os.environ.get("AGENT_TRACE"), name="weather by hand") as tracer:
        tracer.user_input(question)
        messages: list = [{"role": "user", "content": question}]
        while True:
            message = ask(tracer, {"model": MODEL, "messages": messages, "tools": TOOLS})
            messages.append(message)
            if not message.get("tool_calls"):
                break
            for told in message["tool_calls"]:
                arguments = json.loads(told["function"]["arguments"])
                with tracer.tool_call("forecast", arguments, call_id=told["id"]) as call:
                    content = json.dumps(call.result(forecast(**arguments)), ensure_ascii=False)
                messages.append({"role": "tool", "tool_call_id": told["id"], "content": content})
        print(message["content"])


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "What is the weather in Zürich?")
