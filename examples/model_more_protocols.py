"""Two more protocols for the scripted model, with the functions that those in `model_protocols` have.

Sources: https://ai.google.dev/api/generate-content and https://docs.ollama.com/api. Neither has ids
for calls; Gemini names the model and the way to answer in the path, Ollama streams lines of JSON,
and does so where nothing is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

if __package__:
    from .model_script import Said, decide, pieces, text_of
else:
    from model_script import Said, decide, pieces, text_of

CREATED = "2025-10-09T08:53:20Z"


class Gemini:
    """Google's generateContent and streamGenerateContent, the latter with `alt=sse`."""

    path = (":generateContent", ":streamGenerateContent")
    ending = None
    stream_type = "text/event-stream"

    @staticmethod
    def prepare(path: str, request: dict) -> dict:
        """The request with what its path says."""
        model, _, method = path.rpartition("/")[2].partition(":")
        is_stream = method == "streamGenerateContent"
        config = request.get("generationConfig") or {}
        thinking = {"thinking": {}} if "thinkingConfig" in config else {}
        turns = request.get("contents") or []
        messages = turns if isinstance(turns, list) else [turns]
        return {**request, "messages": messages, "model": model, "stream": is_stream, **thinking}

    @staticmethod
    def decide(request: dict) -> Said:
        asked, results = "", []
        for content in request["messages"]:
            parts = [part for part in content.get("parts", []) if isinstance(part, dict)]
            told = [part["functionResponse"] for part in parts if "functionResponse" in part]
            results = [json.dumps(t.get("response"), ensure_ascii=False) for t in told]
            if content.get("role", "user") == "user" and not results:
                asked = text_of(parts)
        tools = [
            (f.get("name", ""), f.get("parameters") or f.get("parameters_json_schema") or {})
            for tool in request.get("tools") or []
            for f in tool.get("functionDeclarations") or []
        ]
        return decide(request, asked, results, tools)

    @staticmethod
    def _answer(said: Said, parts: list[dict], finish_reason: str | None) -> dict:
        candidate: dict = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish_reason:
            candidate["finishReason"] = finish_reason
        usage = {
            "promptTokenCount": said.input_tokens,
            "candidatesTokenCount": said.output_tokens - said.reasoning_tokens,
            "thoughtsTokenCount": said.reasoning_tokens,
            "cachedContentTokenCount": said.cached_tokens,
            "totalTokenCount": said.input_tokens + said.output_tokens,
        }
        answer = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": said.model}
        return {**answer, "responseId": said.id}

    @staticmethod
    def _calls(said: Said) -> list[dict]:
        return [{"functionCall": {"name": name, "args": args}} for name, args in said.calls]

    @classmethod
    def whole(cls, request: dict, said: Said) -> dict:
        thoughts = [{"text": said.reasoning, "thought": True}] if said.reasoning else []
        text = [{"text": said.text}] if said.text else []
        return cls._answer(said, [*thoughts, *text, *cls._calls(said)], "STOP")

    @classmethod
    def events(cls, request: dict, said: Said) -> Iterator[tuple[str | None, dict]]:
        for piece in pieces(said.reasoning):
            yield None, cls._answer(said, [{"text": piece, "thought": True}], None)
        for piece in pieces(said.text):
            yield None, cls._answer(said, [{"text": piece}], None)
        yield None, cls._answer(said, cls._calls(said) or [{"text": ""}], "STOP")

    @staticmethod
    def error(kind: str, message: str) -> dict:
        code = 429 if kind == "rate_limit_error" else 500
        return {"error": {"code": code, "message": message, "status": kind.upper()}}

    @classmethod
    def error_event(cls, kind: str, message: str) -> tuple[str | None, dict]:
        return None, cls.error(kind, message)


class Ollama:
    """Ollama's chat and generate."""

    path = ("/api/chat", "/api/generate")
    ending = None
    stream_type = "application/x-ndjson"

    @staticmethod
    def prepare(path: str, request: dict) -> dict:
        """The request with what holds where nothing is said."""
        thinking = {"thinking": {}} if request.get("think") else {}
        return {"stream": True, **request, **thinking}

    @staticmethod
    def decide(request: dict) -> Said:
        messages = request.get("messages") or []
        asked, results = [request.get("prompt", "")], []
        for message in messages:
            is_result = message.get("role") == "tool"
            results = [*results, message.get("content", "")] if is_result else []
            asked += [message.get("content", "")] if message.get("role") == "user" else []
        functions = [tool.get("function", {}) for tool in request.get("tools") or []]
        tools = [(f.get("name", ""), f.get("parameters") or {}) for f in functions]
        return decide(request, asked[-1], results, tools)

    @staticmethod
    def _answer(request: dict, said: Said, thinking: str, text: str, calls: list) -> dict:
        head = {"model": said.model, "created_at": CREATED, "done": False}
        if "messages" not in request:
            return {**head, "response": text, **({"thinking": thinking} if thinking else {})}
        message: dict = {"role": "assistant", "content": text}
        if thinking:
            message["thinking"] = thinking
        if calls:
            message["tool_calls"] = [
                {"function": {"name": name, "arguments": arguments}} for name, arguments in calls
            ]
        return {**head, "message": message}

    @staticmethod
    def _end(said: Said) -> dict:
        counts = {"prompt_eval_count": said.input_tokens, "eval_count": said.output_tokens}
        return {"done": True, "done_reason": "stop", "total_duration": 1_000_000, **counts}

    @classmethod
    def whole(cls, request: dict, said: Said) -> dict:
        answer = cls._answer(request, said, said.reasoning, said.text, said.calls)
        return {**answer, **cls._end(said)}

    @classmethod
    def events(cls, request: dict, said: Said) -> Iterator[tuple[str | None, dict]]:
        for piece in pieces(said.reasoning):
            yield None, cls._answer(request, said, piece, "", [])
        for piece in pieces(said.text):
            yield None, cls._answer(request, said, "", piece, [])
        if said.calls:
            yield None, cls._answer(request, said, "", "", said.calls)
        yield None, {**cls._answer(request, said, "", "", []), **cls._end(said)}

    @staticmethod
    def error(kind: str, message: str) -> dict:
        return {"error": message}

    @classmethod
    def error_event(cls, kind: str, message: str) -> tuple[str | None, dict]:
        return None, cls.error(kind, message)
