"""Amazon Bedrock: Converse and InvokeModel, plain and in frames of Amazon's event stream."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttrace.intake.frame_cleaning import FrameCleaner
from agenttrace.providers import AmazonFrames, Answer, ToolCall, ToolResult, recognise
from agenttrace.redaction import PieceCleaner, Redactor
from tests.amazon_frames import (
    CONVERSE_ANSWER,
    CONVERSE_STREAM,
    INVOKE_STREAM,
    chunk,
    event,
    exception,
)
from tests.test_providers import JSON

HOST = "https://bedrock-runtime.us-east-1.amazonaws.com"
SAID = [{"role": "user", "content": [{"text": "hi"}]}]
ASKED = {"messages": SAID, "inferenceConfig": {"maxTokens": 9}}
SECRET = "sk-ant-planted-anthropic-key-0123456789"
WHOLE = Answer(
    text="I ask Zürich.",
    reasoning="Hm.",
    tool_calls=[
        ToolCall("tooluse_1", "forecast", {"city": "Bern"}),
        ToolCall("tooluse_2", "forecast", {"city": "Chur"}),
    ],
    finish_reason="tool_use",
    usage={
        "input_tokens": 145,
        "output_tokens": 20,
        "cached_input_tokens": 100,
        "cache_write_input_tokens": 35,
    },
)


def folded(url: str, body: object, *pieces: bytes) -> Answer:
    found = recognise("POST", url, body)
    assert found is not None
    provider, operation = found
    fold, frames = provider.fold(operation), AmazonFrames()
    for piece in pieces:
        for name, data in frames.feed(piece):
            fold.feed(name, data)
    assert frames.close() == []
    return fold.answer()


# Whose it is


@pytest.mark.parametrize(
    ("path", "model", "operation"),
    [
        ("us.anthropic.claude-v1%3A0/converse", "us.anthropic.claude-v1:0", "converse"),
        ("amazon.nova-lite-v1:0/converse-stream", "amazon.nova-lite-v1:0", "converse_stream"),
        ("arn%3Aaws%3Abedrock%3A%3Ax%2Fy/converse", "arn:aws:bedrock::x/y", "converse"),
        ("arn:aws:bedrock::x/y/converse-stream", "arn:aws:bedrock::x/y", "converse_stream"),
    ],
)
@pytest.mark.parametrize("host", [HOST, "http://127.0.0.1:8000/proxy"])
def test_the_path_says_the_model_and_whether_it_streams(host, path, model, operation):
    """On any host; ARNs with slashes too."""
    url = f"{host}/model/{path}"
    found = recognise("POST", url, {"messages": SAID})
    assert found is not None
    assert (found[0].name, found[1]) == ("bedrock", operation)
    asked = found[0].asked(operation, ASKED, url)
    assert (asked.model, asked.stream) == (model, operation == "converse_stream")
    assert asked.turns == SAID


def test_a_body_with_settings_of_its_own_is_known_by_itself():
    """Under any path; a body without them is nobody's."""
    found = recognise("POST", "http://127.0.0.1/ask", ASKED)
    assert found is not None
    assert (found[0].name, found[1]) == ("bedrock", "converse")
    assert recognise("POST", "http://127.0.0.1/ask", {"messages": SAID}) is None
    assert recognise("GET", HOST + "/model/m/converse", ASKED) is None


@pytest.mark.parametrize(("ending", "streams"), [("", False), ("-with-response-stream", True)])
def test_invoke_is_the_models_own_protocol(ending, streams):
    """Anthropic's is known by its version; whose protocol others speak isn't told."""
    url = f"{HOST}/model/eu.anthropic.claude-v1%3A0/invoke{ending}"
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": SAID}
    found = recognise("POST", url, body)
    assert found is not None
    asked = found[0].asked(found[1], body, url)
    assert (found[0].name, asked.model) == ("anthropic", "eu.anthropic.claude-v1:0")
    assert asked.stream is streams
    assert recognise("POST", url, {"inputText": "hi"}) is None


def test_results_of_tools_are_linked_by_id():
    """With their blocks as they are, and whether they failed."""
    results = [
        {"toolResult": {"toolUseId": "t1", "content": [{"json": {"c": 1}}]}},
        {"toolResult": {"toolUseId": "t2", "content": [{"text": "no"}], "status": "error"}},
    ]
    body = {"messages": [*SAID, {"role": "user", "content": results}]}
    found = recognise("POST", HOST + "/model/m/converse", body)
    assert found is not None
    assert found[0].asked("converse", body).tool_results == [
        ToolResult("t1", [{"json": {"c": 1}}]),
        ToolResult("t2", [{"text": "no"}], is_error=True),
    ]


# Answers


def test_a_whole_body_and_a_stream_say_the_same():
    """Text, thoughts, calls, the reason to finish, counts with what the cache was read and written for."""
    found = recognise("POST", HOST + "/model/m/converse", ASKED)
    assert found is not None
    assert found[0].answer("converse", 200, CONVERSE_ANSWER) == WHOLE
    assert folded(HOST + "/model/m/converse-stream", ASKED, *CONVERSE_STREAM) == WHOLE


@given(st.integers(0, len(b"".join(CONVERSE_STREAM)) - 1))
def test_a_stream_cut_anywhere_is_a_part_of_the_whole(cut):
    """And complete only behind its reason to finish."""
    answer = folded(HOST + "/model/m/converse-stream", ASKED, b"".join(CONVERSE_STREAM)[:cut])
    assert WHOLE.text.startswith(answer.text or "")
    assert answer.complete is (cut >= len(b"".join(CONVERSE_STREAM[:-1])))
    assert len(answer.tool_calls) <= 2


def test_a_models_own_events_are_taken_out_of_their_frames():
    """InvokeModel's, in any pieces."""
    body = {"anthropic_version": "any", "messages": SAID}
    url = HOST + "/model/m/invoke-with-response-stream"
    pieces = [bytes([byte]) for byte in b"".join(INVOKE_STREAM)]
    answer = folded(url, body, *pieces)
    assert (answer.text, answer.finish_reason, answer.complete) == ("Grüezi.", "end_turn", True)
    assert answer.usage == {"input_tokens": 7, "output_tokens": 3}


@pytest.mark.parametrize(
    ("ending", "first"), [("converse-stream", CONVERSE_STREAM), ("invoke", INVOKE_STREAM)]
)
def test_an_exception_in_a_stream_is_its_error(ending, first):
    """With its type and message; it is the stream's end."""
    body = {**ASKED, "anthropic_version": "any"}
    end = exception("throttlingException", "Slower.")
    answer = folded(f"{HOST}/model/m/{ending}", body, *first[:3], end)
    assert answer.error == {"type": "throttlingException", "message": "Slower."}
    assert answer.complete


def test_an_error_body_is_an_error():
    """Its type is in a header, the body has the message alone."""
    found = recognise("POST", HOST + "/model/m/converse", ASKED)
    assert found is not None
    answer = found[0].answer("converse", 400, {"message": "No."})
    assert answer.error == {"type": "http_400", "message": "No."}


@given(JSON)
def test_no_body_raises(value):
    """Anything in place of anything."""
    found = recognise("POST", HOST + "/model/m/converse", ASKED)
    assert found is not None
    provider = found[0]
    provider.resembles(value)
    provider.asked("converse", value)
    provider.answer("converse", 200, value)
    provider.answer("converse", 200, {"output": {"message": {"content": value}}, "usage": value})
    provider.asked("converse", {"messages": [{"content": [{"toolResult": value}]}]})
    fold = provider.fold("converse_stream")
    for name in ("contentBlockStart", "contentBlockDelta", "messageStop", "metadata", "error"):
        fold.feed(name, json.dumps(value))
        fold.feed(name, json.dumps({"start": value, "delta": value, "contentBlockIndex": value}))
    fold.answer()


# Frames


@given(st.data())
def test_damage_never_raises_and_ends_the_reading(data):
    """What came before is read; nothing is read wrongly behind it."""
    whole = b"".join(CONVERSE_STREAM)
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at] ^= data.draw(st.integers(1, 255))
    events = AmazonFrames().feed(whole)
    found = AmazonFrames().feed(bytes(damaged))
    assert found == events[: len(found)]
    assert len(found) < len(events)


@given(st.binary())
def test_anything_but_frames_is_passed_over(data):
    """Without an exception."""
    frames = AmazonFrames()
    assert frames.feed(data) + frames.close() == []


def test_headers_of_every_type_are_passed_over():
    """Of which only text is read."""
    import struct
    import zlib

    block = b"".join(
        bytes([1]) + b"x" + bytes([kind]) + bytes(length)
        for kind, length in ((0, 0), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16))
    )
    block += b"\x01y\x06\x00\x02ab" + b"\x0b:event-type\x07\x00\x04stop"
    lengths = struct.pack(">II", 16 + len(block) + 2, len(block))
    start = lengths + struct.pack(">I", zlib.crc32(lengths)) + block + b"{}"
    whole = start + struct.pack(">I", zlib.crc32(start))
    assert AmazonFrames().feed(whole) == [("stop", "{}")]


# Secrets


def cleaned(*pieces: bytes) -> bytes:
    redactor = Redactor({})
    cleaner = FrameCleaner(lambda: PieceCleaner(redactor))
    return b"".join([*map(cleaner.feed, pieces), cleaner.rest()])


@pytest.mark.parametrize(
    "told",
    [
        event("contentBlockDelta", {"delta": {"text": f"It is {SECRET}."}}),
        chunk({"type": "content_block_delta", "index": 0, "delta": {"text": SECRET}}),
    ],
)
def test_a_secret_in_a_frame_is_replaced_and_the_frame_stays_whole(told):
    """Where it is wrapped in base64 too, in which nobody would see it."""
    stream = cleaned(told[:30], told[30:] + CONVERSE_STREAM[0])
    (name, data), second = AmazonFrames().feed(stream)
    assert SECRET not in data
    assert "[redacted:" in data
    assert second == ("messageStart", '{"role": "assistant"}')
    assert base64.b64encode(SECRET.encode())[:20] not in stream


@given(st.lists(st.binary(max_size=40)), st.integers(0, 400))
def test_what_has_no_secrets_is_written_as_it_came(pieces, cut):
    """Also what is no frame, and what was cut."""
    whole = b"".join(CONVERSE_STREAM)[:cut]
    assert cleaned(whole, *pieces) == whole + b"".join(pieces)
