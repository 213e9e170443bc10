"""Which conversation a model call goes on with: its calls form one branch of the span tree, below the first of them.

A call goes on with an earlier one if it carries the result of a tool that the earlier answer asked for, if it names the
earlier answer (or the conversation) by the server's id, or if its turns begin with all of the earlier call's. The
same request again belongs to the one before only if that one failed: two who ask the same are two.
What is not certain stays a branch of its own.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from agenttrace import encoding
from agenttrace.providers import Answer, Asked

_MAX_CALLS = 10_000
_MAX_NAMES = 10_000


@dataclass
class _Call:
    """A model call. first: the span of its conversation's first call; turns: the digest of all that it asked."""

    span_id: str
    first: str
    turns: bytes | None
    said: bytes | None = None
    has_failed: bool = False


class Conversations:
    """The calls so far, found by what they asked; the oldest are forgotten.

    A look-up costs one pass over the request's turns and keeps 16 bytes of them, however long the conversation is.
    """

    def __init__(self) -> None:
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._by_turns: dict[bytes, list[_Call]] = {}
        self._by_name: OrderedDict[str, str] = OrderedDict()

    def begun(self, span_id: str, asked: Asked, tools_of: str | None) -> str | None:
        """A call is asked: the span of its conversation's first call; None if it is that itself.

        tools_of: the span of the call that asked for a tool whose result this one carries.
        """
        digests = _digests(asked)
        first = self._first(asked, digests, tools_of)
        call = _Call(span_id, first or span_id, digests[-1] if digests else None)
        while len(self._calls) >= _MAX_CALLS:
            self._forget()
        self._calls[span_id] = call
        if call.turns is not None:
            self._by_turns.setdefault(call.turns, []).append(call)
        if asked.continues is not None and asked.continues not in self._by_name:
            self._name(asked.continues, call.first)
        return first

    def ended(self, span_id: str, answer: Answer | None, is_whole: bool) -> None:
        """Its answer came, or what came in the place of one."""
        call = self._calls.get(span_id)
        if call is None:
            return
        call.has_failed = not is_whole or answer is None or answer.error is not None
        if answer is not None:
            call.said = _digest_of(answer.text) if answer.text else None
            if answer.id is not None:
                self._name(answer.id, call.first)

    def _first(self, asked: Asked, digests: list[bytes], tools_of: str | None) -> str | None:
        if tools_of is not None and tools_of in self._calls:
            return self._calls[tools_of].first
        if asked.continues is not None and asked.continues in self._by_name:
            return self._by_name[asked.continues]
        for length in range(len(digests) - 1, 0, -1):
            earlier = self._by_turns.get(digests[length - 1])
            if earlier:
                return _which(earlier, asked.turns[length])
        same = self._by_turns.get(digests[-1]) if digests else None
        return same[-1].first if same and same[-1].has_failed else None

    def _forget(self) -> None:
        _, call = self._calls.popitem(last=False)
        if call.turns is not None:
            others = self._by_turns[call.turns]
            others.remove(call)
            if not others:
                del self._by_turns[call.turns]

    def _name(self, name: str, first: str) -> None:
        self._by_name[name] = first
        if len(self._by_name) > _MAX_NAMES:
            self._by_name.popitem(last=False)


def _which(earlier: list[_Call], next_turn: Any) -> str | None:
    """Of several calls that asked the same, the conversation whose answer the next turn is; None if none surely is."""
    firsts = {call.first for call in earlier}
    if len(firsts) > 1:
        text = _text(_bare(next_turn))
        said = _digest_of(text) if text else None
        firsts = {call.first for call in earlier if said is not None and call.said == said}
    return firsts.pop() if len(firsts) == 1 else None


def _digests(asked: Asked) -> list[bytes]:
    """For each turn, the digest of everything up to it."""
    if not all(isinstance(turn, dict) for turn in asked.turns):
        return []
    running = hashlib.blake2b(encoding.encode({"": [_bare(asked.system)]}), digest_size=16)
    digests = []
    for turn in asked.turns:
        running.update(encoding.encode(_bare(turn)))
        digests.append(running.digest())
    return digests


def _digest_of(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


def _bare(turn: Any) -> Any:
    """Without marks for a server's cache, which clients move on from call to call; a lone text as a string."""
    if isinstance(turn, dict):
        content = turn.get("content")
        return {**turn, "content": _bare(content)} if isinstance(content, list) else turn
    if not isinstance(turn, list):
        return turn
    parts = [
        {name: value for name, value in part.items() if name != "cache_control"}
        if isinstance(part, dict)
        else part
        for part in turn
    ]
    if len(parts) == 1 and isinstance(parts[0], dict) and set(parts[0]) == {"type", "text"}:
        return parts[0]["text"]
    return parts


def _text(turn: Any) -> str:
    """What a turn says: a string, or the texts of its parts."""
    if isinstance(turn, str):
        return turn
    if isinstance(turn, list):
        return "".join(map(_text, turn))
    if isinstance(turn, dict):
        found = turn.get("content", turn.get("parts", turn.get("text")))
        return _text(found) if found is not None else ""
    return ""
