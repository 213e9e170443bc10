"""Bedrock through the real botocore: Converse and InvokeModel, whole and in frames, recorded and replayed."""

from __future__ import annotations

import json

import pytest

from tests.amazon_frames import (
    CONVERSE_ANSWER,
    CONVERSE_STREAM,
    INVOKE_STREAM,
    event,
    exception,
)
from tools.agent_environment import environment_python

from .conftest import AGENTS, of_kind
from .plain_server import PlainServer

AGENT = AGENTS / "bedrock.py"
MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
SECRET = "sk-ant-planted-anthropic-key-0123456789"
PATH = "/model/" + MODEL.replace(":", "%3A")
INVOKE_ANSWER = {
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "Grüezi."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 7, "output_tokens": 3},
}
# By what is asked: the path's end, the provider and operation, whether it streams, the input that is counted.
OPERATIONS = {
    "converse": ("converse", "bedrock", "converse", False, 145),
    "converse_stream": ("converse-stream", "bedrock", "converse_stream", True, 145),
    "invoke": ("invoke", "anthropic", "messages", False, 7),
    "invoke_stream": ("invoke-with-response-stream", "anthropic", "messages", True, 7),
}


def whole(facts, status=200):
    def answer(handler, asked):
        body = json.dumps(facts).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def streamed(frames):
    def answer(handler, asked):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/vnd.amazon.eventstream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        data = b"".join(frames)
        for start in range(0, len(data), 100):
            piece = data[start : start + 100]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    return answer


def conversing(handler, asked):
    """Asks for tools once."""
    has_results = "toolResult" in json.dumps(json.loads(asked)["messages"])
    said = {"output": {"message": {"role": "assistant", "content": [{"text": "Sun."}]}}}
    whole({**CONVERSE_ANSWER, **said} if has_results else CONVERSE_ANSWER)(handler, asked)


ANSWERS = {
    "converse": conversing,
    "converse-stream": streamed(CONVERSE_STREAM),
    "invoke": whole(INVOKE_ANSWER),
    "invoke-with-response-stream": streamed(INVOKE_STREAM),
}


@pytest.fixture(scope="session")
def bedrock_python():
    """A Python that has botocore and nothing of ours."""
    return environment_python("bedrock", "bedrock")


def run_both(bench, python, operation, **answers):
    """The recorded run, the trace's events, and a replay without the server."""
    bench.environment["AWS_SECRET_ACCESS_KEY"] = "planted-aws-key-0123456789"
    told = {**ANSWERS, **{name.replace("_", "-"): answer for name, answer in answers.items()}}
    agent = (python, AGENT, operation, MODEL, "Hi.")
    with PlainServer({f"{PATH}/{name}": answer for name, answer in told.items()}) as server:
        bench.environment["MODEL_SERVER"] = server.url
        recorded = bench.run("record", "-o", "t.jsonl", "--", *agent)
    assert (recorded.status, bench.report()["status"]) == (0, "intact"), recorded.stderr
    assert b"planted" not in (bench.folder / "t.jsonl").read_bytes()
    replayed = bench.run("replay", "t.jsonl", "--", *agent)
    assert replayed.status == 0, replayed.stderr
    return recorded, bench.events(), replayed


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_call_is_recorded_and_replayed(bench, bedrock_python, name):
    """With the model that its path names, its text, its counts, its cost by the region's prices."""
    _, provider, operation, streams, tokens = OPERATIONS[name]
    recorded, events, replayed = run_both(bench, bedrock_python, name)
    (request,) = of_kind(events, "llm_request")
    (response,) = of_kind(events, "llm_response")
    told, got = request["data"], response["data"]
    assert (told["provider"], told["operation"], told["model"]) == (provider, operation, MODEL)
    assert (told["stream"], bool(of_kind(events, "llm_chunk"))) == (streams, streams)
    assert (got["complete"], got["text"]) == (True, recorded.stdout.rstrip("\n"))
    assert got["usage"]["input_tokens"] == tokens
    assert ("cost_usd" in got) is (provider == "bedrock")  # on loopback, Anthropic's own prices
    assert replayed.stdout == recorded.stdout


def test_parallel_calls_of_tools_have_their_own_results(bench, bedrock_python):
    """Both calls and their results, by id, once each; the calls of the conversation are one branch."""
    recorded, events, replayed = run_both(bench, bedrock_python, "tools")
    calls, results = of_kind(events, "tool_call"), of_kind(events, "tool_result")
    cities = {one["span_id"]: one["data"]["arguments"] for one in calls}
    assert list(cities.values()) == [{"city": "Bern"}, {"city": "Chur"}]
    assert {one["span_id"]: one["data"]["output"] for one in results} == {
        span_id: [{"json": city}] for span_id, city in cities.items()
    }
    first, second = of_kind(events, "llm_request")
    assert second["parent_span_id"] == first["span_id"]
    assert (recorded.stdout, replayed.stdout) == ("Sun.\n", "Sun.\n")


def test_errors_are_those_of_the_server(bench, bedrock_python):
    """As a status before the stream, and as an exception within it."""
    refuses = whole({"message": "No such model."}, status=400)
    recorded, events, replayed = run_both(bench, bedrock_python, "converse", converse=refuses)
    (response,) = of_kind(events, "llm_response")
    assert response["data"]["error"]["message"] == "No such model."
    assert "No such model." in recorded.stdout == replayed.stdout
    (bench.folder / "t.jsonl").unlink()
    slow = streamed([*CONVERSE_STREAM[:5], exception("throttlingException", "Slower.")])
    recorded, events, replayed = run_both(
        bench, bedrock_python, "converse_stream", converse_stream=slow
    )
    (response,) = of_kind(events, "llm_response")
    assert response["data"]["error"] == {"type": "throttlingException", "message": "Slower."}
    assert "Slower." in recorded.stdout == replayed.stdout


def test_a_secret_in_frames_is_not_in_the_trace_and_the_replay_reads_them(bench, bedrock_python):
    """The frames' checksums hold for what stands in the secret's place."""
    said = event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": SECRET}})
    stream = streamed([CONVERSE_STREAM[0], said, *CONVERSE_STREAM[-2:]])
    recorded, _, replayed = run_both(
        bench, bedrock_python, "converse_stream", converse_stream=stream
    )
    assert SECRET in recorded.stdout
    assert "[redacted:" in replayed.stdout
