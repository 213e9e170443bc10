"""Three protocols for one scripted model: requests read, bodies and events of streams worded.

Sources: https://platform.openai.com/docs/api-reference (chat, responses) and
https://docs.claude.com/en/api/messages. Each class has the same functions and no state.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

if __package__:
    from .model_script import Said, decide, pieces, text_of
else:
    from model_script import Said, decide, pieces, text_of

CREATED = 1_760_000_000


class Chat:
    """OpenAI's chat completions."""

    path = "/chat/completions"
    ending = "[DONE]"
    stream_type = "text/event-stream"

    @staticmethod
    def decide(request: dict) -> Said:
        messages = [m for m in request.get("messages", []) if isinstance(m, dict)]
        asked = [text_of(m.get("content")) for m in messages if m.get("role") == "user"]
        results: list[str] = []
        for message in messages:
            is_result = message.get("role") == "tool"
            results = [*results, text_of(message.get("content"))] if is_result else []
        functions = [tool.get("function", {}) for tool in request.get("tools") or []]
        tools = [(f.get("name", ""), f.get("parameters") or {}) for f in functions]
        return decide(request, (asked or [""])[-1], results, tools)

    @staticmethod
    def _calls(said: Said) -> list[dict]:
        return [
            {
                "id": said.call_id("call_", at),
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)},
            }
            for at, (name, arguments) in enumerate(said.calls)
        ]

    @staticmethod
    def _usage(said: Said) -> dict:
        return {
            "prompt_tokens": said.input_tokens,
            "completion_tokens": said.output_tokens,
            "total_tokens": said.input_tokens + said.output_tokens,
            "prompt_tokens_details": {"cached_tokens": said.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": said.reasoning_tokens},
        }

    @classmethod
    def whole(cls, request: dict, said: Said) -> dict:
        message = {"role": "assistant", "content": said.text or None, "refusal": None}
        if said.calls:
            message["tool_calls"] = cls._calls(said)
        finish_reason = "tool_calls" if said.calls else "stop"
        choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
        return {
            "id": "chatcmpl-" + said.id,
            "object": "chat.completion",
            "created": CREATED,
            "model": said.model,
            "choices": [choice],
            "usage": cls._usage(said),
        }

    @classmethod
    def events(cls, request: dict, said: Said) -> Iterator[tuple[str | None, dict]]:
        head = {"id": "chatcmpl-" + said.id, "object": "chat.completion.chunk", "created": CREATED}
        head["model"] = said.model

        def chunk(delta: dict, finish_reason: str | None = None) -> tuple[None, dict]:
            choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
            return None, {**head, "choices": [choice]}

        yield chunk({"role": "assistant", "content": "" if said.text else None})
        for piece in pieces(said.text):
            yield chunk({"content": piece})
        for at, call in enumerate(cls._calls(said)):
            text = call["function"]["arguments"]
            first = {**call, "function": {**call["function"], "arguments": ""}}
            yield chunk({"tool_calls": [{"index": at, **first}]})
            for piece in pieces(text):
                yield chunk({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
        yield chunk({}, "tool_calls" if said.calls else "stop")
        if (request.get("stream_options") or {}).get("include_usage"):
            yield None, {**head, "choices": [], "usage": cls._usage(said)}

    @staticmethod
    def error(kind: str, message: str) -> dict:
        return {"error": {"message": message, "type": kind, "param": None, "code": kind}}

    @classmethod
    def error_event(cls, kind: str, message: str) -> tuple[str | None, dict]:
        return None, cls.error(kind, message)


class Responses:
    """OpenAI's Responses API."""

    path = "/responses"
    ending = None
    stream_type = "text/event-stream"

    @staticmethod
    def decide(request: dict) -> Said:
        given = request.get("input", "")
        turns = given if isinstance(given, list) else [{"role": "user", "content": given}]
        turns = [turn for turn in turns if isinstance(turn, dict)]
        asked = [text_of(turn.get("content")) for turn in turns if turn.get("role") == "user"]
        results: list[str] = []
        for turn in turns:
            is_result = str(turn.get("type", "")).endswith("_output")
            output = turn.get("output")
            text = output if isinstance(output, str) else text_of(output)
            results = [*results, text] if is_result else []
        tools = [
            (tool["name"], tool.get("parameters") or {})
            for tool in request.get("tools") or []
            if tool.get("type") == "function"
        ]
        return decide(request, (asked or [""])[-1], results, tools)

    @staticmethod
    def _output(said: Said) -> list[dict]:
        output: list[dict] = []
        if said.reasoning:
            summary = [{"type": "summary_text", "text": said.reasoning}]
            output.append({"id": "rs_" + said.id, "type": "reasoning", "summary": summary})
        for at, (name, arguments) in enumerate(said.calls):
            output.append(
                {
                    "id": said.call_id("fc_", at),
                    "type": "function_call",
                    "call_id": said.call_id("call_", at),
                    "name": name,
                    "arguments": json.dumps(arguments, ensure_ascii=False),
                    "status": "completed",
                }
            )
        if said.text:
            part = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
            message = {"id": "msg_" + said.id, "type": "message", "role": "assistant"}
            output.append({**message, "status": "completed", "content": [part]})
        return output

    @classmethod
    def whole(cls, request: dict, said: Said) -> dict:
        return {
            "id": "resp_" + said.id,
            "object": "response",
            "created_at": CREATED,
            "status": "completed",
            "error": None,
            "incomplete_details": None,
            "instructions": request.get("instructions"),
            "model": said.model,
            "output": cls._output(said),
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": request.get("tools") or [],
            "usage": {
                "input_tokens": said.input_tokens,
                "input_tokens_details": {"cached_tokens": said.cached_tokens},
                "output_tokens": said.output_tokens,
                "output_tokens_details": {"reasoning_tokens": said.reasoning_tokens},
                "total_tokens": said.input_tokens + said.output_tokens,
            },
        }

    @classmethod
    def events(cls, request: dict, said: Said) -> Iterator[tuple[str | None, dict]]:
        whole = cls.whole(request, said)
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        told = [("response.created", {"response": begun})]
        told.append(("response.in_progress", {"response": begun}))
        for at, element in enumerate(whole["output"]):
            told += cls._element_events(at, element)
        told.append(("response.completed", {"response": whole}))
        for number, (kind, facts) in enumerate(told):
            yield kind, {"type": kind, **facts, "sequence_number": number}

    @staticmethod
    def _element_events(at: int, element: dict) -> Iterator[tuple[str, dict]]:
        where = {"output_index": at, "item_id": element["id"]}
        empty = {
            "function_call": {"arguments": "", "status": "in_progress"},
            "message": {"content": [], "status": "in_progress"},
            "reasoning": {"summary": []},
        }[element["type"]]
        yield "response.output_item.added", {"output_index": at, "item": {**element, **empty}}
        if element["type"] == "function_call":
            kind = "response.function_call_arguments"
            for piece in pieces(element["arguments"]):
                yield kind + ".delta", {**where, "delta": piece}
            whole = {"name": element["name"], "arguments": element["arguments"]}
            yield kind + ".done", {**where, **whole}
        else:
            is_text = element["type"] == "message"
            place = {**where, "content_index" if is_text else "summary_index": 0}
            part = (element["content"] if is_text else element["summary"])[0]
            around = "content_part" if is_text else "reasoning_summary_part"
            kind = "response.output_text" if is_text else "response.reasoning_summary_text"
            logprobs = {"logprobs": []} if is_text else {}
            yield f"response.{around}.added", {**place, "part": {**part, "text": ""}}
            for piece in pieces(part["text"]):
                yield kind + ".delta", {**place, "delta": piece, **logprobs}
            yield kind + ".done", {**place, "text": part["text"], **logprobs}
            yield f"response.{around}.done", {**place, "part": part}
        yield "response.output_item.done", {"output_index": at, "item": element}

    error = Chat.error

    @staticmethod
    def error_event(kind: str, message: str) -> tuple[str | None, dict]:
        return "error", {"type": "error", "code": kind, "message": message, "param": None}


class Messages:
    """Anthropic's Messages API."""

    path = "/messages"
    ending = None
    stream_type = "text/event-stream"

    @staticmethod
    def decide(request: dict) -> Said:
        messages = [m for m in request.get("messages", []) if isinstance(m, dict)]
        asked, results = "", []
        for message in messages:
            content = message.get("content")
            blocks = (
                [b for b in content if isinstance(b, dict)] if isinstance(content, list) else []
            )
            results = [text_of(b.get("content")) for b in blocks if b.get("type") == "tool_result"]
            if message.get("role") == "user" and not results:
                asked = text_of(content)
        tools = [
            (tool["name"], tool["input_schema"])
            for tool in request.get("tools") or []
            if "input_schema" in tool
        ]
        return decide(request, asked, results, tools)

    @staticmethod
    def _blocks(said: Said) -> list[dict]:
        blocks: list[dict] = []
        if said.reasoning:
            blocks.append({"type": "thinking", "thinking": said.reasoning, "signature": said.id})
        if said.text:
            blocks.append({"type": "text", "text": said.text})
        for at, (name, arguments) in enumerate(said.calls):
            call = {"type": "tool_use", "id": said.call_id("toolu_", at), "name": name}
            blocks.append({**call, "input": arguments})
        return blocks

    @classmethod
    def whole(cls, request: dict, said: Said) -> dict:
        return {
            "id": "msg_" + said.id,
            "type": "message",
            "role": "assistant",
            "model": said.model,
            "content": cls._blocks(said),
            "stop_reason": "tool_use" if said.calls else "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": max(0, said.input_tokens - said.cached_tokens),
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": said.cached_tokens,
                "output_tokens": said.output_tokens,
                "output_tokens_details": {"thinking_tokens": said.reasoning_tokens},
            },
        }

    @classmethod
    def events(cls, request: dict, said: Said) -> Iterator[tuple[str | None, dict]]:
        whole = cls.whole(request, said)
        begun = {
            "content": [],
            "stop_reason": None,
            "usage": {**whole["usage"], "output_tokens": 1},
        }
        yield cls._event("message_start", message={**whole, **begun})
        for at, block in enumerate(whole["content"]):
            yield from cls._block_events(at, block)
        delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        counted = ("output_tokens", "output_tokens_details")
        usage = {name: whole["usage"][name] for name in counted}
        yield cls._event("message_delta", delta=delta, usage=usage)
        yield cls._event("message_stop")

    @classmethod
    def _block_events(cls, at: int, block: dict) -> Iterator[tuple[str, dict]]:
        member, kind, piece_member, empty = {
            "text": ("text", "text_delta", "text", ""),
            "thinking": ("thinking", "thinking_delta", "thinking", ""),
            "tool_use": ("input", "input_json_delta", "partial_json", {}),
        }[block["type"]]
        start = {**block, member: empty, **({"signature": ""} if "signature" in block else {})}
        yield cls._event("content_block_start", index=at, content_block=start)
        value = block[member]
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for piece in pieces(text):
            delta = {"type": kind, piece_member: piece}
            yield cls._event("content_block_delta", index=at, delta=delta)
        if "signature" in block:
            delta = {"type": "signature_delta", "signature": block["signature"]}
            yield cls._event("content_block_delta", index=at, delta=delta)
        yield cls._event("content_block_stop", index=at)

    @staticmethod
    def _event(kind: str, **facts: object) -> tuple[str, dict]:
        return kind, {"type": kind, **facts}

    @staticmethod
    def error(kind: str, message: str) -> dict:
        return {"type": "error", "error": {"type": kind, "message": message}}

    @classmethod
    def error_event(cls, kind: str, message: str) -> tuple[str | None, dict]:
        return "error", cls.error(kind, message)


PROTOCOLS = (Chat, Responses, Messages)
