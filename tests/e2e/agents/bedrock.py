"""Asks Bedrock through botocore: OPERATION MODEL PROMPT; prints what it got. `tools` goes on with the results."""

import json
import os
import sys

import botocore.config
import botocore.session

TOOLS = [{"toolSpec": {"name": "forecast", "inputSchema": {"json": {"type": "object"}}}}]


def text_in(content):
    return "".join(block.get("text", "") for block in content)


def main(operation, model, prompt):
    client = botocore.session.get_session().create_client(
        "bedrock-runtime",
        region_name="eu-central-1",
        endpoint_url=os.environ["MODEL_SERVER"],
        aws_access_key_id="none",
        aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        config=botocore.config.Config(retries={"max_attempts": 1}),
    )
    said = [{"role": "user", "content": [{"text": prompt}]}]
    asked = {"modelId": model, "messages": said}
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": said}
    try:
        if operation == "converse":
            print(text_in(client.converse(**asked)["output"]["message"]["content"]))
        elif operation == "converse_stream":
            for event in client.converse_stream(**asked)["stream"]:
                print(event.get("contentBlockDelta", {}).get("delta", {}).get("text", ""), end="")
            print()
        elif operation == "invoke":
            answer = client.invoke_model(modelId=model, body=json.dumps(body))
            print(text_in(json.loads(answer["body"].read())["content"]))
        elif operation == "invoke_stream":
            answer = client.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))
            for event in answer["body"]:
                told = json.loads(event["chunk"]["bytes"])
                print(told.get("delta", {}).get("text", ""), end="")
            print()
        else:
            message = client.converse(**asked, toolConfig={"tools": TOOLS})["output"]["message"]
            calls = [block["toolUse"] for block in message["content"] if "toolUse" in block]
            results = [
                {
                    "toolResult": {
                        "toolUseId": call["toolUseId"],
                        "content": [{"json": call["input"]}],
                    }
                }
                for call in reversed(calls)
            ]
            said += [message, {"role": "user", "content": results}]
            answer = client.converse(**asked, toolConfig={"tools": TOOLS})
            print(text_in(answer["output"]["message"]["content"]))
    except client.exceptions.ClientError as error:
        print(error)
    except botocore.exceptions.EventStreamError as error:
        print(error)


main(*sys.argv[1:])
