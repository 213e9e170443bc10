"""An agent that says more with Tracer: its own model call around a real one, its own tool around the model's."""

import json
import sys

import httpx

from agenttrace import Tracer

url = sys.argv[1] + "/v1/chat/completions"
tools = [
    {
        "type": "function",
        "function": {
            "name": "forecast",
            "parameters": {"type": "object", "properties": {"city": {}}},
        },
    }
]
messages = [{"role": "user", "content": "What is the weather in Bern?"}]

with Tracer(*sys.argv[2:], capture=True) as tracer, httpx.Client() as client:

    @tracer.tool
    def forecast(city):
        return {"temp_c": 4}

    tracer.user_input(messages[0]["content"])
    with tracer.span("turn"):
        for _ in range(2):
            body = {"model": "gpt-5", "messages": messages, "tools": tools}
            with tracer.llm_request(provider="openai", model="gpt-5", request=body) as call:
                answer = client.post(url, json=body).json()
                message = answer["choices"][0]["message"]
                call.response(text=message.get("content"))
            messages.append(message)
            for asked in message.get("tool_calls") or []:
                result = forecast(**json.loads(asked["function"]["arguments"]))
                messages.append(
                    {"role": "tool", "tool_call_id": asked["id"], "content": json.dumps(result)}
                )
print(messages[-1]["content"])
