"""A JSON body comes back as it was laid out, in the usual ways; in others, compact."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agenttrace import layout

VALUE = {"id": 1, "text": "Zürich, \u2028\n", "list": [1.5, [], {}, None], "deep": {"a": [{}]}}
WAYS: list[dict[str, Any]] = [
    {},
    {"indent": 2},
    {"indent": 4, "ensure_ascii": False},
    {"indent": "\t"},
    {"separators": (",", ":")},
    {"ensure_ascii": False},
]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_usual_ways_come_back(way: dict[str, Any], end: str) -> None:
    """To the byte."""
    body = (json.dumps(VALUE, **way) + end).encode()
    found = layout.of(body, VALUE)
    assert found is not None
    assert layout.laid_out(VALUE, json.loads(json.dumps(found))) == body


@pytest.mark.parametrize(
    "body", [b'{"a":1,"b":[]}', b'{ "a":1, "b" : [] }', b'{"a":1.00,"b": []}', b'{"a": 1e2}', b""]
)
def test_others_come_back_compact(body: bytes) -> None:
    """Compact ones need no layout; what can't be given back to the byte has none."""
    value = json.loads(body or b"{}")
    assert layout.of(body, value) is None
    assert layout.laid_out(value, None) == json.dumps(value, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "odd",
    [None, 5, "x", [], {"indent": 9**9}, {"indent": "x" * 99}, {"end": "}"}, {"spaced": "yes"}],
)
def test_a_layout_from_anywhere_adds_nothing(odd: Any) -> None:
    """It is white space alone, and little of it."""
    assert layout.laid_out({"a": [1]}, odd) == b'{"a":[1]}'
