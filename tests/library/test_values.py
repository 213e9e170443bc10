"""Values that JSON lacks, each in its documented way."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import io
import itertools
import json
import math
import pathlib
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from agenttrace import (
    Tracer,
    _backend,
    encoding,
)
from tests.library.reading import of_kind, report


class Color(enum.Enum):
    """An Enum whose value is no string."""

    RED = 1


class Number(float, enum.Enum):
    """An Enum whose value JSON lacks."""

    NAN = math.nan


class Word(str):
    """A string of another type."""


@dataclasses.dataclass
class Point:
    """A dataclass with a value that JSON lacks."""

    x: int
    where: pathlib.Path


class Model:
    """What pydantic models look like from outside."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        return {"mode": mode}


class Array:
    """What numpy's arrays look like from outside."""

    def tolist(self) -> list[Any]:
        return [1, [2.5, math.nan]]


class Hostile:
    """Fails whatever it is asked."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("no")


_RELEASED = memoryview(b"gone")
_RELEASED.release()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (math.nan, "NaN"),
        ([math.inf, -math.inf, 1.5, None], ["Infinity", "-Infinity", 1.5, None]),
        (Number.NAN, "NaN"),
        (b"text", "text"),
        (bytearray("ü".encode()), "ü"),
        (b"\xff\x00", {"base64": "/wA="}),
        (memoryview(b"view"), "view"),
        (
            datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc),
            "2026-01-02T03:04:00+00:00",
        ),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.time(3, 4), "03:04:00"),
        (datetime.timedelta(minutes=1.5), 90.0),
        (pathlib.PurePosixPath("/tmp/x"), "/tmp/x"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.10"), "1.10"),
        (fractions.Fraction(1, 3), "1/3"),
        (1 + 2j, "(1+2j)"),
        (Color.RED, 1),
        (Point(1, pathlib.PurePosixPath("a")), {"x": 1, "where": "a"}),
        (Model(), {"mode": "json"}),
        (Array(), [1, [2.5, "NaN"]]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset(["b", "a"]), ["a", "b"]),
        ((1, (2,)), [1, [2]]),
        (range(3), [0, 1, 2]),
        (collections.deque([1]), [1]),
        ({"a": 1}.keys(), ["a"]),
        (
            {2: "a", None: "b", True: "c", Color.RED: "d"},
            {"2": "a", "null": "b", "true": "c", "1": "d"},
        ),
        ({(1, 2): "x"}, {"(1, 2)": "x"}),
        ("\ud800 \U0001f600", "\ufffd \U0001f600"),
        ({"\udfff": 1}, {"\ufffd": 1}),
        (Word("w"), "w"),
        (2**64, 2**64),
        (-(2**200), -(2**200)),
        (ValueError("x"), "ValueError('x')"),
        (len, "<built-in function len>"),
        (_RELEASED, repr(_RELEASED)),
    ],
)
def test_a_value_that_json_lacks_is_written_in_its_documented_way(value: Any, written: Any) -> None:
    """The table in encoding.py, row by row; the same alone and inside something large."""
    assert json.loads(encoding.encode({"x": value})) == {"x": written}
    large = {"x": value, "rest": [[number] for number in range(200)]}
    assert json.loads(encoding.encode(large))["x"] == written


def _nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def _cycle() -> Any:
    value: dict[str, Any] = {}
    value["self"] = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        _nested(110),
        _nested(260),
        _nested(5000),
        {"wide": [[]] * 500, "deep": _nested(150)},
        [{"set of deep": (part for part in ())}, {1}, _nested(95)],
        _cycle(),
        Hostile(),
        [Hostile()] * 3,
        10**6000,
        itertools.count(),
        range(10**12),
        (step for step in range(3)),
        io.BytesIO(b"x"),
        object,
        threading.Lock(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_value_breaks_an_event(path: pathlib.Path, value: Any) -> None:
    """Whatever a program holds goes in, within the format's limits, and comes out as JSON."""
    with Tracer(path) as tracer:
        tracer.event("odd", {"value": value})
    (event,) = of_kind(path, "odd")
    _backend.compact_json(event.data_json, _backend.MAX_DEPTH - 1)
    assert report(path)["status"] == "intact"


def test_an_iterator_is_not_read() -> None:
    """Its values are the agent's."""
    steps = iter([1, 2])
    encoding.encode({"steps": steps})
    assert list(steps) == [1, 2]
