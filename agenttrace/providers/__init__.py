"""Reads an HTTP exchange with a model into facts: what was asked, what was answered, what it cost.

    from agenttrace.providers import EventStream, recognise

    found = recognise("POST", url, request_body)        # parsed JSON, or None
    if found:
        provider, operation = found
        asked = provider.asked(operation, request_body, url)
        answer = provider.answer(operation, status, response_body)      # a whole body, or
        stream, fold = STREAMS[content_type](), provider.fold(operation)   # a stream of events
        for piece in pieces:
            for event, data in stream.feed(piece):
                fold.feed(event, data)
        answer = fold.answer()

Nothing here raises on what it reads, and nothing outside the standard library and this package is
imported. How to add a provider is said in `base`.
"""

from __future__ import annotations

from typing import Optional, Union

from .amazon_frames import AmazonFrames
from .anthropic import Anthropic
from .base import Answer, Asked, Fold, Provider, ToolCall, ToolResult
from .bedrock import Bedrock
from .gemini import Gemini
from .ndjson import JsonLines
from .ollama import Ollama
from .openai import OpenAI
from .sse import EventStream
from .url import host_and_path

__all__ = [
    "PROVIDERS",
    "STREAMS",
    "AmazonFrames",
    "Answer",
    "Asked",
    "EventStream",
    "Fold",
    "JsonLines",
    "Provider",
    "ToolCall",
    "ToolResult",
    "provider_named",
    "recognise",
]

# In the order of asking; the narrower claim first.
PROVIDERS: tuple[Provider, ...] = (Bedrock(), Anthropic(), Gemini(), Ollama(), OpenAI())
# By the content type of an answer: what cuts it into events. Other types are whole bodies.
STREAMS: dict[str, type[Union[EventStream, JsonLines, AmazonFrames]]] = {
    "text/event-stream": EventStream,
    "application/x-ndjson": JsonLines,
    "application/ndjson": JsonLines,
    "application/jsonl": JsonLines,
    "application/stream+json": JsonLines,
    "application/vnd.amazon.eventstream": AmazonFrames,
}

# Hosts whose paths say all: what no provider claims there is no call of a model that can be read.
_KNOWN_HOSTS = ("api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com")
# Ends of paths whose bodies look like a chat's and that ask for something else, or in other words.
_OTHER_ENDINGS = (
    ":countTokens",  # Gemini
    ":computeTokens",
    "/cachedContents",
    "/v2/chat",  # Cohere
    "/count_tokens",
    "/input_tokens",
    "/compact",
    "/tokenize",
    "/batches",
)


def recognise(method: str, url: str, body: object) -> Optional[tuple[Provider, str]]:
    """Whose protocol a request speaks, and which operation it is; None if it asks no model we know.

    Each provider is asked by host and path first; on hosts that are nobody's, then by what the body
    alone says. `body` is the parsed JSON, or None.
    """
    for provider in PROVIDERS:
        operation = provider.claims(method, url, body)
        if operation is not None:
            return provider, operation
    host, path = host_and_path(url)
    if method != "POST" or host in _KNOWN_HOSTS or path.endswith(_OTHER_ENDINGS):
        return None
    for provider in PROVIDERS:
        operation = provider.resembles(body)
        if operation is not None:
            return provider, operation
    return None


def provider_named(name: str) -> Optional[Provider]:
    """The provider that an `llm_request` of a trace names."""
    return next((provider for provider in PROVIDERS if provider.name == name), None)
