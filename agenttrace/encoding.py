"""Python values to the JSON of `data`: one documented way for each value that JSON lacks, never an exception.

value                                   written as
NaN, inf, -inf                          "NaN", "Infinity", "-Infinity"
bytes, bytearray, memoryview            a string where they are UTF-8, else {"base64": "…"}
datetime, date, time                    isoformat(); timedelta: seconds
Path, UUID, Decimal, and whatever else  str()
  has a text of its own and isn't below
Enum                                    its value
dataclass                               an object of its fields
pydantic model (model_dump)             model_dump(mode="json")
numpy array and scalar (tolist)         tolist()
set, frozenset, other iterables         an array (sets sorted by their text, so that runs agree) of
                                        at most 100,000 elements, then "…"
iterators, open files, exceptions       repr(): to read one would take its values from the agent
an integer of over 4,000 digits         hex(), cut at 1,000 characters
a key that is no string                 str(key); None, True, False as JSON spells them
lone surrogate                          U+FFFD
deeper than 100 levels, cycles, all else repr(), cut at 1,000 characters
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from enum import Enum
from itertools import islice
from typing import Any

from agenttrace import _backend

try:
    import orjson as _orjson
    from orjson import dumps as dumps
except ImportError:
    _orjson = None  # type: ignore[assignment]
    dumps = None  # type: ignore[assignment]

MAX_DEPTH = 100
# A value that orjson asks us about is written at most MAX_DEPTH deep, wherever it stands.
_SURE_DEPTH = 20
_MAX_REPR_CHARS = 1000
_MAX_ELEMENTS = 100_000
# Python refuses to spell longer ones in decimal (`sys.set_int_max_str_digits`), and so to read them.
_MAX_INT_BITS = 13_000

if _orjson is not None:
    # What orjson would write in a way of its own goes through `_plain` instead: one way for each value.
    OPTIONS = (
        _orjson.OPT_PASSTHROUGH_DATACLASS
        | _orjson.OPT_PASSTHROUGH_DATETIME
        | _orjson.OPT_PASSTHROUGH_SUBCLASS
    )
else:
    OPTIONS = 0


def encode(data: Mapping[str, Any]) -> bytes:
    """`data` as compact JSON. Never raises for what a program may hold."""
    if _orjson is not None:
        try:
            text = dumps(data, default, OPTIONS)
        except (TypeError, ValueError, RecursionError):
            pass
        else:
            # orjson writes NaN and infinities as null; only where a null is there can one have been.
            # It nests deeper than a line may; only where so many brackets are can that have been.
            if not _backend.may_surprise(text, MAX_DEPTH) or _is_plain(data, b"null" in text):
                return text
    return _dumps(_plain(data, 0, ()))


def bytes_value(data: bytes) -> str | dict[str, str]:
    """Bytes as the format writes them: a string where they are UTF-8, else {"base64": …}."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def value_bytes(value: Any) -> bytes:
    """The bytes that `bytes_value` wrote; b"" for anything else."""
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, dict) and isinstance(value.get("base64"), str):
        return base64.b64decode(value["base64"])
    return b""


def _dumps(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def default(value: Any) -> Any:
    """What orjson asks of values that it does not know."""
    return _plain(value, 0, ())


_LEAVES = frozenset((str, int, bool, type(None)))


def _is_plain(value: Any, may_hold_nan: bool) -> bool:
    """Whether what orjson wrote stands: no NaN, not too deep. False also where that is not sure."""
    level = [value]
    for depth in range(MAX_DEPTH):
        below: list[Any] = []
        for part in level:
            if type(part) in _LEAVES:
                continue
            if isinstance(part, float):
                if may_hold_nan and not math.isfinite(part):
                    return False
            elif isinstance(part, dict):
                below += list(part.values())
            elif isinstance(part, (list, tuple)):
                below += part
            elif isinstance(part, Enum):
                return False  # orjson writes its value, which may be NaN
            elif depth > _SURE_DEPTH and not isinstance(part, (str, int)):
                return False
        if not below:
            return True
        level = below
    return False


def _plain(value: Any, depth: int, parents: tuple[int, ...]) -> Any:
    """`value` in dicts, lists, strings, numbers, booleans and None alone."""
    if value is None or value is True or value is False:
        return value
    try:
        scalar = _scalar(value)
        if scalar is not _NO_SCALAR:
            return scalar
        if depth > MAX_DEPTH or id(value) in parents:
            return _shown(value)
        return _container(value, depth + 1, (*parents, id(value)))
    except Exception:  # noqa: BLE001 - a value's own methods may raise anything; it is then shown by its repr
        return _shown(value)


_NO_SCALAR = object()


def _scalar(value: Any) -> Any:
    """What has no parts, as JSON has it; _NO_SCALAR for all else."""
    if isinstance(value, Enum):
        return _plain(value.value, 0, ()) if not isinstance(value.value, Enum) else _shown(value)
    if isinstance(value, str):
        return _text(str.__str__(value))
    if isinstance(value, int):
        number = int.__index__(value)
        return number if number.bit_length() <= _MAX_INT_BITS else hex(number)[:_MAX_REPR_CHARS]
    if isinstance(value, float):
        return _number(float.__float__(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes_value(bytes(value))
    return _NO_SCALAR


def _number(value: float) -> Any:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _container(value: Any, depth: int, parents: tuple[int, ...]) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): _plain(part, depth, parents) for key, part in value.items()}
    if isinstance(value, (datetime, date, clock_time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name), depth, parents)
            for field in dataclasses.fields(value)
        }
    if hasattr(value, "model_dump") and not isinstance(value, type):
        return _plain(value.model_dump(mode="json"), depth, parents)
    if hasattr(value, "tolist"):
        return _plain(value.tolist(), depth, parents)
    if isinstance(value, (set, frozenset)):
        return sorted(
            (_plain(part, depth, parents) for part in value), key=lambda part: _dumps(part)
        )
    if isinstance(value, (list, tuple)):
        return [_plain(part, depth, parents) for part in value]
    if isinstance(value, BaseException):
        return _shown(value)
    if isinstance(value, Iterable) and not _is_spent(value):
        first = [_plain(part, depth, parents) for part in islice(value, _MAX_ELEMENTS + 1)]
        return first if len(first) <= _MAX_ELEMENTS else [*first[:_MAX_ELEMENTS], "…"]
    prints: Any = type(value).__str__
    if prints is not object.__str__ and not isinstance(value, type):
        return _text(str(value))
    return _shown(value)


def _is_spent(value: Any) -> bool:
    # To read an iterator would take its values from the agent; a Path or a UUID has a text of its own.
    return hasattr(value, "__next__") or hasattr(value, "__fspath__") or hasattr(value, "read")


def _key(key: Any) -> str:
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, str):
        return _text(str.__str__(key))
    if key is None or isinstance(key, bool):
        return json.dumps(key)
    return _text(str(key))


def _text(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # Pairs become the character that they spell, lone ones U+FFFD.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - see _plain
        text = object.__repr__(value)
    return _text(text[:_MAX_REPR_CHARS])


class RawJson:
    """A value that is JSON text already, for `encode_members`."""

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text


def decimal(value: float) -> RawJson:
    """A number without an exponent, to twelve places: jq spells exponents its own way, and a seal would not fit."""
    text = f"{value:.12f}".rstrip("0").rstrip(".")
    return RawJson(text.encode("ascii"))


def encode_members(members: Mapping[str, Any]) -> bytes:
    """As `encode`, with values that are RawJson put in as they stand."""
    if not any(isinstance(value, RawJson) for value in members.values()):
        return encode(members)
    parts: list[bytes] = []
    plain: dict[str, Any] = {}

    def put_plain() -> None:
        if plain:
            parts.extend((b",", encode(plain)[1:-1]))
            plain.clear()

    for name, value in members.items():
        if isinstance(value, RawJson):
            put_plain()
            parts.extend((b',"%s":' % name.encode("ascii"), value.text))
        else:
            plain[name] = value
    put_plain()
    parts[0] = b"{" + parts[0][1:]
    return b"".join([*parts, b"}"])  # once: a body may be long
