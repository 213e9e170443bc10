"""Conditions on raw lines, sealed, unsealed and oddly spaced."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.contract.making import OTHER, TRACE, TS, compact, event, line, passed

SPANS = '"span_id":"00f067aa0ba902b7","parent_span_id":"00f067aa0ba902b8",'
RAW = line(1, "tool_call", b'{"name":"search","text":"\xc3\xbc"}', more=SPANS)
SPACED = RAW[:-22].replace(b'":', b'" : ').replace(b',"', b' ,  "') + b" }\n"

CONDITIONS = [
    ({}, True),
    ({"kinds": ["tool_call", "log"]}, True),
    ({"kinds": ["tool"]}, False),
    ({"kinds": []}, False),
    ({"trace_ids": [OTHER, TRACE]}, True),
    ({"trace_ids": [OTHER]}, False),
    ({"span_ids": ["00f067aa0ba902b7"]}, True),
    ({"span_ids": ["00f067aa0ba902b8"]}, True),
    ({"span_ids": ["00f067aa0ba902b9"]}, False),
    ({"since": TS}, True),
    ({"since": TS.replace("789Z", "790Z")}, False),
    ({"until": TS}, False),
    ({"until": TS.replace("789Z", "790Z")}, True),
    ({"grep": "search"}, True),
    ({"grep": "ü"}, True),
    ({"grep": "Search"}, False),
    ({"grep": r"40:00\.123"}, True),
    ({"errors": True}, False),
    ({"kinds": ["tool_call"], "grep": "nowhere"}, False),
    ({"kinds": ["log"], "grep": "search"}, False),
]


@pytest.mark.parametrize("raw", [RAW, RAW[:-1], SPACED], ids=["sealed", "without LF", "spaced"])
@pytest.mark.parametrize(("condition", "wanted"), CONDITIONS)
def test_all_conditions_must_hold(
    backend: ModuleType, raw: bytes, condition: dict[str, object], wanted: bool
) -> None:
    """Each condition alone and together, however the line is spelled."""
    assert backend.Selection(**condition).matches(raw) is wanted


def test_a_line_without_spans_has_no_such_span(backend: ModuleType) -> None:
    """Nothing is not any of them."""
    assert backend.Selection(span_ids=["00f067aa0ba902b7"]).matches(line(0)) is False


ERRORS = [
    ("error", {}, True),
    ("log", {}, False),
    ("log", {"level": "error"}, False),
    ("tool_result", {"is_error": True}, True),
    ("tool_result", {"is_error": False}, False),
    ("tool_result", {"is_error": "true"}, False),
    ("tool_result", {"output": {"is_error": True}}, False),
    ("tool_result", {"output": '"is_error":true'}, False),
    ("llm_response", {"error": {"type": "timeout"}}, True),
    ("llm_response", {"error": None}, False),
    ("llm_response", {"http": {"status": 400}}, True),
    ("llm_response", {"http": {"status": 429.0}}, True),
    ("llm_response", {"http": {"status": 399}}, False),
    ("llm_response", {"http": {"status": "500"}}, False),
    ("llm_response", {"http": 500}, False),
    ("llm_response", {"status": 500}, False),
    ("http_response", {"status": 500}, True),
    ("http_response", {"status": 200}, False),
    ("process_end", {"exit_code": 1}, True),
    ("process_end", {"exit_code": 0}, False),
    ("process_end", {"exit_code": None}, False),
    ("process_end", {"exit_code": -9}, True),
    ("process_end", {"signal": 9}, True),
    ("process_end", {"signal": None}, False),
    ("trace_end", {"exit_code": 2}, True),
    ("trace_end", {"signal": "SIGTERM"}, True),
    ("trace_end", {"status": "error"}, False),
    ("process_start", {"exit_code": 1}, False),
]


@pytest.mark.parametrize(("kind", "data", "wanted"), ERRORS)
def test_an_error_is_what_the_format_says(
    backend: ModuleType, kind: str, data: dict[str, object], wanted: bool
) -> None:
    """By kind, by data, by HTTP status, by exit; sealed, and unsealed with white space."""
    selection = backend.Selection(errors=True)
    spelled = compact(data)
    spaced = (
        spelled.replace(b'":', b'"\t: ').replace(b",", b" , ")
        if b'":true' not in spelled
        else spelled
    )
    assert selection.matches(line(1, kind, spelled)) is wanted
    assert selection.matches(event(1, kind, spaced)) is wanted


@pytest.mark.parametrize(
    ("kind", "data", "wanted"),
    [
        ("llm_response", rb'{"err\u006fr":{"type":"timeout"}}', True),
        ("llm_response", rb'{"err\u006Fr":{"type":"timeout"}}', True),
        ("llm_response", rb'{"\u0068ttp":{"stat\u0075s":500}}', True),
        ("tool_result", rb'{"is\u005ferror":true}', True),
        ("http_response", rb'{"\u0073tatus":500}', True),
        ("http_response", rb'{"status":500,"\u0073tatus":200}', False),
        ("http_response", rb'{"\u0073tatu":500}', False),
        ("http_response", rb'{"\\u0073tatus":500}', False),
        ("process_end", rb'{"exit\u005fcode":1}', True),
        ("process_end", rb'{"sign\u0061l":"SIGKILL"}', True),
    ],
)
def test_names_of_an_error_may_be_spelled_with_escapes(
    backend: ModuleType, kind: str, data: bytes, wanted: bool
) -> None:
    """Other writers may: a condition and an index read what the names mean."""
    raw = line(1, kind, data)
    assert backend.Selection(errors=True).matches(raw) is wanted
    index = backend.Index()
    backend.Scanner(index=index).judge_only(raw + b"\n")
    assert index.errors == int(wanted)


@pytest.mark.parametrize(
    "data", [b"{nonsense}", b'{"is_error":true', b'{"a":"\xff","is_error":true}']
)
def test_data_that_is_no_json_is_no_error_but_by_luck(backend: ModuleType, data: bytes) -> None:
    """A seal promises nothing about data; asking must not fail."""
    raw = line(1, data=data if data.endswith(b"}") else data + b"]}")
    assert backend.Selection(errors=True).matches(raw) is (b"\xff" in data)


@pytest.mark.parametrize("pattern", ["a.b", "a|b", "^a", "[a]", "(a)", "a+", r"\d", "a\\"])
def test_the_pure_backend_takes_literals_only(pure: ModuleType, pattern: str) -> None:
    """A backtracking engine on someone else's pattern can take for ever."""
    with pytest.raises(ValueError, match="native"):
        pure.Selection(grep=pattern)


def test_a_regular_expression_is_searched_for_in_linear_time(native: ModuleType) -> None:
    """The pattern that a backtracking engine takes seconds for."""
    assert (
        native.Selection(grep=r"(a+)+$").matches(line(1, data=b'{"t":"' + b"a" * 40 + b'!"}'))
        is False
    )
    assert native.Selection(grep=r'"t":"a{3,}').matches(line(1, data=b'{"t":"aaaa"}')) is True
    with pytest.raises(ValueError, match=r"."):
        native.Selection(grep="(")


def test_a_scanner_hands_on_what_matches_or_what_does_not(backend: ModuleType) -> None:
    """Both halves together are the stream; findings don't depend on it."""
    lines = [line(0, "trace_start"), line(1, "tool_call"), line(2), line(3, "tool_call")]
    selection = backend.Selection(kinds=["tool_call"])
    stream = b"".join(lines)
    assert passed(backend, stream, selection=selection) == lines[1] + lines[3]
    assert passed(backend, stream, selection=selection, invert=True) == lines[0] + lines[2]
    assert passed(backend, stream, invert=True) == b""
    scanner = backend.Scanner(selection=selection)
    scanner.judge_only(stream)
    assert scanner.passed == 0
    scanner.feed(stream)
    assert scanner.passed == 2


def test_of_each_list_of_literals_one_stands_in_the_line(backend):
    holds = lambda *lists: backend.Selection(holding=list(lists)).matches(  # noqa: E731
        line(1, data=b'{"t":"a.b","u":"\xc3\xbc"}')
    )
    assert holds()
    assert holds(["a.b"])
    assert holds(["nowhere", "a.b"], ["ü"])
    assert not holds(["a.b"], ["nowhere"])
    assert not holds(["a+b"])
    assert not holds([".*"])
