"""What an EXPR demands of a line's bytes never drops a line that it holds for, nor one that it fails on."""

from __future__ import annotations

import json
import os

import jq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agenttrace import _backend
from agenttrace.expression.demand import demand_of

CASES = int(os.environ.get("AGENTTRACE_EXPRESSIONS", "300"))
ESCAPE = "\\u"


@pytest.mark.parametrize(
    ("expression", "kinds", "holding", "is_whole"),
    [
        ('.kind=="a"', ["a"], [], True),
        ('"a" == .kind', ["a"], [], True),
        ('select(.kind == "a" or (.kind=="b"))', ["a", "b"], [], True),
        ('.kind=="a" and .kind=="b"', [], [], True),
        ('.kind | . == "a"', ["a"], [], True),
        ('.kind == "a" and .seq > 5', ["a"], [], False),
        ('.kind=="a" and (.data.text | test("x"))', ["a"], [], False),
        ('.kind=="a" and (.data.error | not)', ["a"], [], False),
        ('select(.kind=="a") | .data.usage.output_tokens > 500', ["a"], [['"usage"']], False),
        (".data.usage.output_tokens>500", None, [['"usage"']], False),
        ("500 < .data.usage.output_tokens", None, [['"usage"']], False),
        ('.data.model == "gpt-5"', None, [['"model"'], ['"gpt-5"']], False),
        ('.data | .model == "gpt-5"', None, [['"model"'], ['"gpt-5"']], False),
        ('.data.http.url == "a/b"', None, [['"http"']], False),
        ('.data.http.url? == "a/b"', None, [['"http"'], ['"a/b"', "\\/"]], False),
        ('.data.a == "x" or .data.b == "y"', None,
         [['"a"', '"b"'], ['"a"', '"y"'], ['"x"', '"b"'], ['"x"', '"y"']], False),
        (".data.error", None, [['"error"']], False),
        (".extra", None, [['"extra"']], False),
        # What is not there is less than a number, and unlike a string.
        (".data.usage.output_tokens<500", None, [], False),
        ('.data.model != "gpt-5"', None, [], False),
        # What may fail first: the failure would not be told.
        ('.data.a.b and .kind=="a"', None, [['"a"']], False),
        ('(.data.text|test("x")) and .kind=="a"', None, [], False),
        # What isn't read.
        ('.kind=="a" # a comment', None, [], False),
        ('.kind=="a\\(1)"', None, [], False),
        ('.kind=="a\\n"', ["a\n"], [], False),
        ('if .kind=="a" then true else false end', None, [], False),
        ('.kind=="a", true', None, [], False),
        ('.kind=="a" // true', None, [], False),
        ('.kind as $k | $k == "a"', None, [], False),
        ('[.kind=="a"]', None, [], False),
        ('.kind=="a"|not', None, [], False),
        ('.kind[0:1]=="a"', None, [], False),
        # A literal that is looked for in strings.
        ('..|strings|test("xyz")', None, [["xyz"]], False),
        ('any(..|strings; test("xyz"))', None, [["xyz"]], False),
        ('[..|strings|select(test("a/b"))]|length>0', None, [["a/b", "\\/"]], False),
        ('.kind=="a" and (.data|..|strings|contains("x y"))', ["a"], [["x y"]], False),
        ('..|strings|select(startswith("x"))|.nothing', None, [["x"]], False),
        ('[..|strings|test("xyz")]|length>0', None, [], False),
        ('..|strings|test("x.z")', None, [], False),
        ('..|strings|test("xyz"; "i")', None, [], False),
        ('..|strings|test("xyz")|not', None, [], False),
        ('..|test("xyz")', None, [], False),
        ('.data.text|test("xyz")', None, [], False),
        ('.data.a.b|strings|test("xyz")', None, [], False),
        ("..", None, [], False),
        ("", None, [], False),
        ('.kind == "a")', None, [], False),
        ('(.kind == "a"', None, [], False),
        ('.kind == "a" |', None, [], False),
        ('.kind == "a" == true', None, [], False),
    ],
)  # fmt: skip
def test_what_an_expression_demands(expression, kinds, holding, is_whole):
    demand = demand_of(expression)
    assert demand.kinds == kinds
    assert [sorted(clause) for clause in demand.holding] == [
        sorted([*clause, ESCAPE]) for clause in holding
    ]
    assert demand.is_whole == is_whole


_KEYS = ["model", "usage", "n", "text", "kind", "data", "a/b"]
_STRINGS = ["gpt-5", "x", "a/b", "é", "kind", 'q"', "line\n", "\U0001f642", ""]
_leaf = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 600), st.sampled_from(_STRINGS), st.just(1.5)
)
_value = st.recursive(
    _leaf,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(_KEYS), inner, max_size=3)
    ),
    max_leaves=5,
)
_data = st.dictionaries(st.sampled_from(_KEYS), _value, max_size=4)


@st.composite
def _lines(draw):
    """A line as a writer leaves it, sealed; or one that was edited: escapes and spaces as JSON allows in `data`."""
    kind = draw(st.sampled_from(["llm_request", "llm_response", "log"]))
    data = draw(_data)
    is_edited = draw(st.booleans())
    text = json.dumps(
        data, ensure_ascii=is_edited, separators=(", ", ": ") if is_edited else (",", ":")
    )
    if is_edited and draw(st.booleans()):
        text = text.replace("/", "\\/").replace("m", "\\u006d")
    span = draw(st.sampled_from(["", ',"span_id":"00f067aa0ba902b7"']))
    line = '{"v":1,"trace_id":"%s","ts":"2026-11-22T06:40:00.000000000Z","seq":3,"kind":"%s"%s,"data":%s}\n'
    line = (line % ("1" * 32, kind, span, text)).encode()
    return line if is_edited else _backend.seal(line)


_path = st.builds(
    "".join,
    st.tuples(
        st.sampled_from([".kind", ".seq", ".span_id", ".data", ".data.model", ".data.usage", ".extra", ".data.kind"]),
        st.sampled_from(["", "", "?", ".n", ".n?", ".text?.n?", ".model", "[]?", "[0]?"]),
    ),
)  # fmt: skip
_constant = st.one_of(
    st.sampled_from(['"llm_request"', '"log"', '"00f067aa0ba902b7"', "3", "500", "-1", "1.5", "true", "false", "null"]),
    st.sampled_from(_STRINGS).map(json.dumps),
)  # fmt: skip
_mark = st.sampled_from(["==", "==", "==", "!=", "<", "<=", ">", ">="])
_comparison = st.one_of(
    _path,
    st.builds("{} {} {}".format, _path, _mark, _constant),
    st.builds("{} {} {}".format, _constant, _mark, _path),
    st.builds("({} | {})".format, _path, st.sampled_from(["length", "not", ".n", '. == "x"', "type", 'test("x")'])),
)  # fmt: skip
_search = st.builds(
    '{}("{}")'.format,
    st.sampled_from(["test", "contains", "startswith", "endswith", "test"]),
    st.sampled_from(["m", "gpt", "x", "a/b", "é", "5", "", ".", "mo|x", "^g", " "]),
)
_gathered = st.sampled_from(
    ["..", ".. | strings", ".data | .. | strings", "(.data | ..)? | strings", ".data.model | strings", ".[] | strings",
     ".[]? | strings", ".data.usage.n? | strings", ".. | scalars | strings", ".. | values", "strings",
     ".data.usage.n.m | strings"]
)  # fmt: skip
_searching = st.one_of(
    st.builds("({} | {})".format, _gathered, _search),
    st.builds("({} | select({}))".format, _gathered, _search),
    st.builds("({} | select({}) | {})".format, _gathered, _search, st.sampled_from(["length", ".n", "not", "empty"])),
    st.builds("({} | {} | not)".format, _gathered, _search),
    st.builds("any({}; {})".format, _gathered, _search),
    st.builds("([{} | select({})] | length {})".format, _gathered, _search,
              st.sampled_from(["> 0", ">= 1", "!= 0", "> 1", "== 0"])),
    st.builds("([{} | {}] | length > 0)".format, _gathered, _search),
)  # fmt: skip
_expression = st.recursive(
    st.one_of(_comparison, _comparison, _searching),
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("{} and {} or {}".format, inner, inner, inner).map("({})".format),
        st.builds("select({})".format, inner),
        st.builds("(select({}) | {})".format, inner, inner),
        st.builds("({} | {})".format, _path, inner),
        st.builds("({}, {})".format, inner, inner),
        st.builds("({} // {})".format, inner, inner),
        st.builds("({} | not)".format, inner),
    ),
    max_leaves=4,
)


def _judged(expression: str, lines: list[bytes]) -> list[str]:
    """For each line by jq alone: whether it holds, or that it fails."""
    program = jq.compile(f'try (any(({expression}); .) | tostring) catch "failed"')
    return program.input_text("".join(line.decode() for line in lines)).all()  # type: ignore[no-any-return]


@settings(max_examples=CASES, deadline=None)
@given(_expression, st.lists(_lines(), min_size=1, max_size=8))
def test_no_line_is_dropped_that_jq_would_pass_or_fail_on(expression, lines):
    demand = demand_of(expression)
    conditions = {"holding": demand.holding}
    if demand.kinds is not None:
        conditions["kinds"] = demand.kinds
    selection = _backend.Selection(**conditions)
    for line, verdict in zip(lines, _judged(expression, lines)):
        if not selection.matches(line):
            assert verdict == "false", (expression, line)
        elif demand.is_whole:
            assert verdict == "true", (expression, line)
