"""What every provider says of an exchange with a model: the facts, the interface, careful reading.

A provider reads one company's protocol and nothing else: no files, no clocks, no events. To add
one, write a file here with a class that has the members of `Provider`, and put an instance into
`PROVIDERS` in `__init__.py`. All input is foreign: whatever has the wrong type is left out, and
nothing here raises. The functions at the end of this file see to it: `mapping(x)`, `listing(x)`,
`string(x)` give the value where it has that type, and an empty one where it has not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Optional, Protocol

_COUNT_LIMIT = 2**53
_MESSAGE_LIMIT = 2000


@dataclass
class ToolCall:
    """A tool that the answer asks the agent to run; what the provider runs itself is not here."""

    id: str | None
    name: str
    arguments: object
    """Parsed JSON; the text itself where it does not parse (cut off, or free text by design)."""


@dataclass
class ToolResult:
    """The output of a tool that a request carries back."""

    call_id: str
    """The call's id; the tool's name in protocols without ids."""
    output: object
    is_error: bool = False
    arguments: object = None
    """What the call asked for, in protocols without ids: tells calls of one name apart."""


@dataclass
class Asked:
    """What a request asks for."""

    model: str | None = None
    stream: bool = False
    tool_results: list[ToolResult] = field(default_factory=list)
    """All that the request carries, in its order: the history's too, not only the new ones. In
    protocols without ids only those since the model's last turn: names come again."""
    system: object = None
    """What stands before the conversation, in protocols that keep it apart."""
    turns: list[Any] = field(default_factory=list)
    """The conversation so far, as it is sent."""
    continues: str | None = None
    """The id by which the server knows the conversation, or the answer that this goes on from."""


@dataclass
class Answer:
    """What a model answered, as far as it came."""

    text: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)
    finish_reason: str | None = None
    """The provider's own word."""
    model: str | None = None
    usage: dict[str, int] | None = None
    """`input_tokens` (all, cached too), `output_tokens` (all, reasoning too), and of these
    `cached_input_tokens`, `cache_write_input_tokens` (of these `cache_write_1h_input_tokens` for an
    hour), `reasoning_tokens`: those that are known."""
    error: dict[str, str] | None = None
    """`type` and `message`."""
    id: str | None = None
    """By which a later request may name it, in protocols whose servers remember."""
    complete: bool = True
    """Whether the protocol's own end was seen (an error event is one); true of any whole body."""


class Fold(Protocol):
    """Folds the events of one streamed answer into an `Answer`."""

    def feed(self, event: str | None, data: str) -> None:
        """Take the next event: the name its stream gave it, if any, and its data."""

    def answer(self) -> Answer:
        """What has come so far; may be asked at any time, as streams get cut."""


class Provider(Protocol):
    """Reads the exchanges of one protocol; an operation is a short name that it chooses."""

    name: str

    def claims(self, method: str, url: str, body: object) -> str | None:
        """The operation that this is, by host and path; None if it isn't this protocol's.

        `body` is the parsed JSON, or None where the body isn't JSON.
        """

    def resembles(self, body: object) -> str | None:
        """The operation that this body can only belong to, whatever host and path it goes to."""

    def asked(self, operation: str, body: object, url: str = "") -> Asked:
        """What the request says; some protocols name the model in the URL."""

    def answer(self, operation: str, status: int, body: object) -> Answer:
        """What a whole body says; `body` is parsed JSON, or text where it isn't JSON, or None."""

    def fold(self, operation: str) -> Fold:
        """A fresh fold for a streamed answer."""


def mapping(value: object) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: object) -> list[Any]:
    """The value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def mappings(value: object) -> list[dict[str, Any]]:
    """The objects in an array, in order."""
    return [element for element in listing(value) if isinstance(element, dict)]


def string(value: object) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def count(value: object) -> Optional[int]:
    """The value if it can be a number of tokens: whole, not negative, below 2**53."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not 0 <= value < _COUNT_LIMIT or value != int(value):
        return None
    return int(value)


def index(value: object) -> Optional[int]:
    """The value if it is a whole number, as the indexes of a stream's parts are."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def known_counts(**counts: Optional[int]) -> dict[str, int] | None:
    """A usage of those counts that are known; None if none is."""
    return {name: value for name, value in counts.items() if value is not None} or None


def first_count(*values: object) -> Optional[int]:
    """The first of these that is a count."""
    return next((number for value in values if (number := count(value)) is not None), None)


def parsed(text: str) -> Any:
    """The JSON value of a text; None where it is none. NaN, infinities aren't JSON (RFC 8259)."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def arguments(value: object) -> object:
    """A tool's arguments: parsed where they are the text of a JSON value, else as they stand."""
    if not isinstance(value, str):
        return value
    result = parsed(value)
    return value if result is None and value.strip() != "null" else result


def joined(pieces: list[str], between: str = "") -> str | None:
    """The pieces as one text; None if nothing is in them.

    A character outside the basic plane can come as two escapes in two pieces: the halves are
    joined, and a half that stays alone becomes U+FFFD.
    """
    text = between.join(pieces)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text or None


def paragraphs(texts: list[str]) -> str | None:
    """Those texts that are not empty, parted by blank lines; None if there is none."""
    return joined([text for text in texts if text], "\n\n")


def taken(calls: list[ToolCall], id_: str, name: str) -> Optional[ToolCall]:
    """The first of the calls with this id, or where there is none, this name; no longer in the list."""
    found = next((call for call in calls if (call.id == id_ if id_ else call.name == name)), None)
    if found is not None:
        calls.remove(found)
    return found


def error_in(status: object, body: object) -> dict[str, str] | None:
    """The error that a body tells, in the forms that model servers use; None if it tells none.

    With a status from 400 on there is always one, if need be with the body's text as the message.
    """
    facts = mapping(body)
    told = facts.get("error")
    failed = isinstance(status, int) and status >= 400
    if not told and not failed and facts.get("type") != "error" and facts.get("object") != "error":
        return None
    inner = mapping(told) or facts
    kind = string(inner.get("type")) or string(inner.get("code")) or string(inner.get("status"))
    message = string(told) or string(inner.get("message")) or _as_text(facts.get("detail"))
    fallback = f"http_{status}" if failed else "error"
    return {"type": kind or fallback, "message": (message or string(body))[:_MESSAGE_LIMIT]}


def _as_text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return ""


def _refuse(constant: str) -> None:
    raise ValueError(constant)
