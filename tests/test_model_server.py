"""The example model server: three protocols, plain and streamed, and the ways in which it fails."""

from __future__ import annotations

import gzip
import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agenttrace.providers import Answer, EventStream, recognise

EXAMPLES = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))
try:
    from model_server import ModelServer
finally:
    sys.path.remove(str(EXAMPLES))

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
QUESTION = "What is the weather in Zürich and New York?"
PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/messages")
CALLS = [("forecast", {"city": "Zürich"}), ("forecast", {"city": "New York"})]


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def connection(server: ModelServer) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    yield connection
    connection.close()


def request_for(
    path: str, model: str = "m", has_tools: bool = False, **more: Any
) -> dict[str, Any]:
    """The question in the words of the protocol that this path belongs to."""
    request: dict[str, Any] = {"model": model, **more}
    if path.endswith("/responses"):
        request["input"] = QUESTION
        tool = {"type": "function", "name": "forecast", "parameters": PARAMETERS}
    else:
        request["messages"] = [{"role": "user", "content": QUESTION}]
        function = {"name": "forecast", "parameters": PARAMETERS}
        tool = {"type": "function", "function": function}
    if path.endswith("/messages"):
        request["max_tokens"] = 100
        tool = {"name": "forecast", "input_schema": PARAMETERS}
    if path.endswith("/completions") and more.get("stream"):
        request["stream_options"] = {"include_usage": True}
    if has_tools:
        request["tools"] = [tool]
    return request


def post(
    connection: http.client.HTTPConnection, path: str, request: object, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """The answer's head, and its body as far as it came."""
    connection.request("POST", path, json.dumps(request), headers)
    response = connection.getresponse()
    try:
        return response, response.read()
    except http.client.IncompleteRead as cut:
        response.close()
        connection.close()
        return response, cut.partial


def ask(connection: http.client.HTTPConnection, path: str, request: dict[str, Any]) -> Answer:
    """What the provider reads in the server's answer."""
    response, body = post(connection, path, request)
    found = recognise("POST", "http://127.0.0.1" + path, request)
    assert found is not None
    provider, operation = found
    if "event-stream" not in response.headers["content-type"]:
        return provider.answer(operation, response.status, json.loads(body))
    fold, stream = provider.fold(operation), EventStream()
    for event in stream.feed(body) + stream.close():
        fold.feed(*event)
    return fold.answer()


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_a_tool_is_asked_for(connection: Any, path: str, is_stream: bool) -> None:
    """One call for each place that the question names, plain and streamed alike."""
    answer = ask(connection, path, request_for(path, has_tools=True, stream=is_stream))
    assert [(call.name, call.arguments) for call in answer.tool_calls] == CALLS
    assert len({call.id for call in answer.tool_calls}) == 2
    assert answer.complete


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_says_what_the_plain_answer_says(connection: Any, path: str) -> None:
    """Text, reasoning, usage, the reason to end: all but the pieces is the same."""
    more: dict[str, Any] = {"reasoning": {}}
    plain = ask(connection, path, request_for(path, **more))
    stream = ask(connection, path, request_for(path, stream=True, **more))
    assert replace(plain, id=None) == replace(stream, id=None)
    assert plain.text == f"You said “{QUESTION}”, and I agree."
    assert plain.usage is not None
    assert plain.usage["reasoning_tokens"] > 0


@pytest.mark.parametrize("path", PATHS)
def test_the_same_request_gets_the_same_bytes(connection: Any, path: str) -> None:
    """Nothing depends on time or on what was asked before."""
    request = request_for(path, has_tools=True, stream=True)
    bodies = {post(connection, path, request)[1] for _ in range(3)}
    assert len(bodies) == 1


def test_results_of_tools_are_quoted(connection: Any) -> None:
    """With results at the end of the conversation the answer is text, from all of them."""
    chat = request_for(PATHS[0], has_tools=True)
    chat["messages"] += [
        {"role": "assistant", "tool_calls": []},
        {"role": "tool", "tool_call_id": "a", "content": "rain"},
        {"role": "tool", "tool_call_id": "b", "content": "sun"},
    ]
    responses = request_for(PATHS[1], has_tools=True)
    outputs = [{"type": "function_call_output", "call_id": c, "output": c} for c in ("rain", "sun")]
    responses["input"] = [{"role": "user", "content": QUESTION}, *outputs]
    messages = request_for(PATHS[2], has_tools=True)
    blocks = [{"type": "tool_result", "tool_use_id": c, "content": c} for c in ("rain", "sun")]
    messages["messages"].append({"role": "user", "content": blocks})
    for path, request in zip(PATHS, (chat, responses, messages)):
        answer = ask(connection, path, request)
        assert answer.text == "Here is what I found: rain; sun"
        assert answer.tool_calls == []


def test_what_was_said_before_counts_as_cached(connection: Any) -> None:
    """A longer conversation has cached input, a first question none."""
    request = request_for(PATHS[0])
    first = ask(connection, PATHS[0], request).usage
    request["messages"] += [
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "?"},
    ]
    second = ask(connection, PATHS[0], request).usage
    assert first is not None
    assert second is not None
    assert first["cached_input_tokens"] == 0
    assert 0 < second["cached_input_tokens"] < second["input_tokens"]


@pytest.mark.parametrize(("model", "status"), [("error-429", 429), ("error-500", 500)])
@pytest.mark.parametrize("path", PATHS)
def test_models_for_errors_fail(connection: Any, path: str, model: str, status: int) -> None:
    """With the status and an error in the protocol's form, streamed or not."""
    response, _ = post(connection, path, request_for(path, model))
    assert response.status == status
    error = ask(connection, path, request_for(path, model, stream=True)).error
    assert error is not None
    assert "script" in error["message"]


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_can_be_cut_or_end_in_an_error(connection: Any, path: str) -> None:
    """Cut, it is incomplete and the connection is closed; with an error it ends by the protocol."""
    cut = ask(connection, path, request_for(path, "cut-stream", stream=True))
    failed = ask(connection, path, request_for(path, "error-stream", stream=True))
    assert (cut.complete, cut.error) == (False, None)
    assert (failed.complete, failed.error is not None) == (True, True)
    assert cut.text
    assert cut.text == failed.text


@pytest.mark.parametrize("is_stream", [False, True])
def test_gzip_packs_the_body(connection: Any, is_stream: bool) -> None:
    """A packed stream holds the events of the plain one."""
    path = PATHS[0]
    response, body = post(connection, path, request_for(path, "gzip", stream=is_stream))
    assert response.headers["content-encoding"] == "gzip"
    assert b"and I agree" in gzip.decompress(body).replace(b'"}', b"") or is_stream
    assert gzip.decompress(body).endswith(b"data: [DONE]\n\n") == is_stream


def test_big_says_two_million_bytes(connection: Any) -> None:
    """Plain or streamed."""
    for is_stream in (False, True):
        answer = ask(connection, PATHS[2], request_for(PATHS[2], "big", stream=is_stream))
        assert len(answer.text or "") > 2_000_000


@pytest.mark.parametrize("path", PATHS)
def test_a_ragged_stream_says_the_same(connection: Any, path: str) -> None:
    """Its pieces cut events and characters, and change nothing."""
    answer = ask(connection, path, request_for(path, "ragged-stream", has_tools=True, stream=True))
    assert [call.arguments for call in answer.tool_calls] == [arguments for _, arguments in CALLS]


def test_pieces_of_a_slow_stream_come_one_by_one(connection: Any) -> None:
    """The first is there long before the last could be."""
    request = json.dumps(request_for(PATHS[0], "slow-stream", stream=True))
    begun = time.monotonic()
    connection.request("POST", PATHS[0], request)
    response = connection.getresponse()
    assert response.read1().startswith(b"data: ")
    assert time.monotonic() - begun < 1.5
    response.close()


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_that_never_ends_stops_with_its_reader(server: Any, path: str) -> None:
    """It gives pieces for as long as someone reads, and doesn't hold the server up."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    request = json.dumps(request_for(path, "never-ends", stream=True))
    connection.request("POST", path, request)
    response = connection.getresponse()
    assert response.read(4000).count(b"and on") > 5
    response.close()
    connection.close()


@pytest.mark.parametrize("where", ["header", "query"])
def test_an_answer_can_be_delayed_by_its_request(connection: Any, where: str) -> None:
    """In milliseconds, in a header or in the query."""
    headers = {"x-delay-ms": "60"} if where == "header" else {}
    path = PATHS[0] + ("?x-delay-ms=60" if where == "query" else "")
    begun = time.monotonic()
    response, _ = post(connection, path, request_for(path), **headers)
    assert response.status == 200
    assert time.monotonic() - begun >= 0.06


def test_requests_are_kept_on_one_connection(connection: Any, server: ModelServer) -> None:
    """A connection serves several requests, also those that fail; all are kept in order."""
    connection.connect()
    socket = connection.sock
    before = len(server.requests)
    assert post(connection, "/prefix/v1/chat/completions", request_for(PATHS[0]))[0].status == 200
    assert post(connection, "/v1/chat/completions", ["no object"])[0].status == 400
    assert post(connection, "/v1/unknown", {})[0].status == 404
    connection.request("GET", "/v1/models")
    assert json.loads(connection.getresponse().read())["object"] == "list"
    assert connection.sock is socket
    kept = server.requests[before:]
    assert [(facts["method"], facts["path"]) for facts in kept] == [
        ("POST", "/prefix/v1/chat/completions"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/unknown"),
        ("GET", "/v1/models"),
    ]
    assert kept[0]["body"] == request_for(PATHS[0])
    assert "host" in kept[0]["headers"]


def test_closing_ends_all_threads_and_connections() -> None:
    """Whoever waits for an answer or for a next request is let go."""
    before = set(threading.enumerate())
    with ModelServer() as server:
        idle = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        idle.request("GET", "/v1/models")
        idle.getresponse().read()
        waiting = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        waiting.request("POST", PATHS[0], json.dumps(request_for(PATHS[0], "never-ends")))
    assert set(threading.enumerate()) <= before
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        waiting.getresponse()
    idle.close()
    waiting.close()


def test_the_command_writes_its_port_and_stops_when_told(tmp_path: Path) -> None:
    """Port 0 takes a free port, the file says which; SIGTERM ends it with status 0."""
    port_file = tmp_path / "port"
    command = [
        sys.executable,
        EXAMPLES / "model_server.py",
        "--port",
        "0",
        "--port-file",
        port_file,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "OpenAI" in process.stdout.readline()
            connection = http.client.HTTPConnection(
                "127.0.0.1", int(port_file.read_text()), timeout=10
            )
            assert ask(connection, PATHS[0], request_for(PATHS[0])).text
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
            connection.close()
        finally:
            process.kill()
