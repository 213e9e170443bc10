"""Makes frames of Amazon's event stream, by the specification alone."""

from __future__ import annotations

import base64
import json
import struct
import zlib


def frame(payload: bytes, **headers: str) -> bytes:
    """One frame; headers: without their colon, `_` for `-`."""
    block = b""
    for name, value in headers.items():
        said = (":" + name.replace("_", "-")).encode()
        text = value.encode()
        block += bytes([len(said)]) + said + b"\x07" + struct.pack(">H", len(text)) + text
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    start = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + payload
    return start + struct.pack(">I", zlib.crc32(start))


def event(kind: str, facts: object) -> bytes:
    """An event of Converse's stream."""
    payload = json.dumps(facts).encode()
    return frame(payload, event_type=kind, content_type="application/json", message_type="event")


def chunk(facts: object) -> bytes:
    """An event of InvokeModel's stream: a model's own, wrapped."""
    return event(
        "chunk", {"bytes": base64.b64encode(json.dumps(facts).encode()).decode(), "p": "ab"}
    )


def exception(kind: str, message: str) -> bytes:
    """The end of a stream that failed."""
    payload = json.dumps({"message": message}).encode()
    return frame(
        payload, exception_type=kind, content_type="application/json", message_type="exception"
    )


CONVERSE_STREAM = [
    event("messageStart", {"role": "assistant"}),
    event(
        "contentBlockDelta",
        {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hm."}}},
    ),
    event(
        "contentBlockDelta",
        {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "c2ln"}}},
    ),
    event("contentBlockStop", {"contentBlockIndex": 0}),
    event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "I a"}}),
    event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "sk Zürich."}}),
    event("contentBlockStop", {"contentBlockIndex": 1}),
    *(
        one
        for number, call_id, city in ((2, "tooluse_1", "Bern"), (3, "tooluse_2", "Chur"))
        for one in (
            event(
                "contentBlockStart",
                {
                    "contentBlockIndex": number,
                    "start": {"toolUse": {"toolUseId": call_id, "name": "forecast"}},
                },
            ),
            event(
                "contentBlockDelta",
                {"contentBlockIndex": number, "delta": {"toolUse": {"input": '{"city": "'}}},
            ),
            event(
                "contentBlockDelta",
                {"contentBlockIndex": number, "delta": {"toolUse": {"input": city + '"}'}}},
            ),
            event("contentBlockStop", {"contentBlockIndex": number}),
        )
    ),
    event("messageStop", {"stopReason": "tool_use"}),
    event(
        "metadata",
        {
            "usage": {
                "inputTokens": 10,
                "outputTokens": 20,
                "totalTokens": 165,
                "cacheReadInputTokens": 100,
                "cacheWriteInputTokens": 35,
            },
            "metrics": {"latencyMs": 5},
        },
    ),
]
# The same answer as a whole body.
CONVERSE_ANSWER = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
                {"text": "I ask Zürich."},
                *(
                    {"toolUse": {"toolUseId": id_, "name": "forecast", "input": {"city": city}}}
                    for id_, city in (("tooluse_1", "Bern"), ("tooluse_2", "Chur"))
                ),
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": {
        "inputTokens": 10,
        "outputTokens": 20,
        "totalTokens": 165,
        "cacheReadInputTokens": 100,
        "cacheWriteInputTokens": 35,
    },
    "metrics": {"latencyMs": 5},
}
INVOKE_STREAM = [
    chunk(
        {
            "type": "message_start",
            "message": {"model": "claude-x", "usage": {"input_tokens": 7, "output_tokens": 1}},
        }
    ),
    chunk(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    ),
    chunk(
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Grüezi."},
        }
    ),
    chunk({"type": "content_block_stop", "index": 0}),
    chunk(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 3},
        }
    ),
    chunk({"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 7}}),
]
