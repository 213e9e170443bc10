"""jq is given no more of a line than EXPR looks at, and says the same as of the whole line, failures too."""

from __future__ import annotations

import json
import re

import jq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agenttrace import _backend
from agenttrace.expression.demand import demand_of
from agenttrace.expression.reach import gives_one_at_most, reach_of
from agenttrace.expression.syntax import tree_of
from agenttrace.expression.worker import held

from .test_demand import CASES


def _listed(text: str) -> list[str]:
    """What stands in `text`, two spaces or a line's end between."""
    return re.split(r"\s{2,}", text.strip())


@pytest.mark.parametrize(
    ("expression", "whole", "stepped"),
    [
        ('.kind=="a"', ["kind"], [""]),
        ('select(.kind=="a")', ["kind"], [""]),
        ('.kind=="a" and .data.usage.n > 5', ["data.usage.n", "kind"], ["", "data", "data.usage"]),
        ('(.data.message//""|length)>300', ["data.message"], ["", "data", "data.message"]),
        ('.data.message // .data.text | test("x")', ["data.message", "data.text"], ["", "data", "data.message"]),
        (".data.error", [], ["", "data", "data.error"]),
        (".data.error | not", [], ["", "data", "data.error"]),
        (".data | has(\"error\")", [], ["", "data", "data.error"]),
        (".data.error | type", [], ["", "data", "data.error"]),
        ('.data.messages[].role=="user"', ["data.messages"], ["", "data"]),
        ('any(.data.messages[]; .role=="user")', ["data.messages"], ["", "data"]),
        ("if .seq > 3 then .kind elif .a then . else .data.x end", ["seq"], ["", "a", "data", "data.x", "kind"]),
        ('."kind", .["data"]["a b"]', [], ["", "data", "data.a b", "kind"]),
        ("[.seq, .ts] | length", ["seq", "ts"], [""]),
        ("true", [], [""]),
    ],
)  # fmt: skip
def test_what_an_expression_looks_at(expression, whole, stepped):
    tree = tree_of(expression)
    assert tree is not None
    reach = reach_of(tree)
    assert reach is not None
    assert sorted(".".join(keys) for keys in reach.whole) == whole
    assert sorted(".".join(keys) for keys in reach.stepped) == stepped


@pytest.mark.parametrize(
    "expression",
    [".. | numbers", "tojson", "keys", "[.]", ".[]", ".[.kind]", "getpath([1])"],
)
def test_of_some_it_is_the_whole_event(expression):
    tree = tree_of(expression)
    assert tree is not None
    assert reach_of(tree) is None


@pytest.mark.parametrize(
    "expression",
    ["", '"\t"', "." + "|." * 200, "(" * 30 + "." + ")" * 30] + _listed(r"""
    (  .a)  . as $x | $x  def f: .; f  $ENV  "\(.a)"  .a = 1  .a |= 1  .a += 1  .a //= 1  {a: 1}  @json  .a?//1
    try .a  reduce .a as $x (0; 1)  1 == 2 == 3  1 .  if . then 1  # nothing  .a # x  "\ud800"  a::b  1.  1e3  -.a
    label $f | 1  ...  . and  f(  f(1;  [1  .[1  ...
"""),
)  # fmt: skip
def test_what_is_not_read(expression):
    assert tree_of(expression) is None


@pytest.mark.parametrize(
    ("expression", "is_one"),
    [(".a.b?", True), (".a == 1 and (.b | not)", True), (".a // .b", True), (".a[0]", True), ("select(.a)", True),
     ("map(.[])", True), (".a, .b", False), (".a[]", False), ("..", False), ("select(.a, .b)", False),
     (".a == (.b, .c)", False), ("f", False), ("if .a then .b[] else 1 end", False), ("test(.a[])", False)],
)  # fmt: skip
def test_which_give_one_value_at_most(expression, is_one):
    tree = tree_of(expression)
    assert tree is not None
    assert gives_one_at_most(tree) is is_one


_NAMES = [
    '"model"',
    '"usage"',
    '"n"',
    '"text"',
    '"kind"',
    '"a/b"',
    '"\\u006b\\u0069nd"',
    '"mode\\u006c"',
    '"\\u006e"',
    '"é"',
]
_LEAVES = _listed(r"""
    null  true  false  0  -0  1  -1.5  690  1e2  1E+2  0.1  0.10  1e1000  -1e1000  1e-400  9007199254740992
    9007199254740993  100000000000000000000000000000001  0.1000000000000000055511151231257827  ""  "x"  "gpt-5"
    "\u0041"  "A"  "é"  "\u00e9"  "\ud83d\ude42"  "a\/b"  "\n\t\""  "1"
""")


def _object(members):
    return "{" + ",".join(f"{name}:{value}" for name, value in members) + "}"


_json = st.recursive(
    st.sampled_from(_LEAVES),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: "[" + " , ".join(values) + "]"),
        st.lists(st.tuples(st.sampled_from(_NAMES), inner), max_size=3).map(_object),
        st.builds("{}{}{}".format, st.just("[" * 40), inner, st.just("]" * 40)),
    ),
    max_leaves=6,
)
_members = st.lists(st.tuples(st.sampled_from(_NAMES), _json), max_size=5)


@st.composite
def _lines(draw):
    """A good line, but perhaps unsealed, with doubled names, or escapes; now and then one that is none."""
    kind = draw(st.sampled_from(["llm_request", "llm_response", "log"]))
    extra = draw(
        st.sampled_from(["", "", ',"span_id":"00f067aa0ba902b7"', ',"extra":{"n":1}', ',"extra":7'])
    )
    data = _object(draw(_members))
    line = '{"v":1,"trace_id":"%s","ts":"2026-11-22T06:40:00.000000000Z","seq":3,"kind":"%s"%s,"data":%s}\n'
    line = line % ("1" * 32, kind, extra, data)
    return draw(st.sampled_from([line] * 15 + ["7\n", '"text"\n', "[1]\n", "null\n"])).encode()


_PATHS = [
    ".",
    ".kind",
    ".seq",
    ".data",
    ".data.model",
    ".data.usage",
    ".data.n",
    ".extra",
    ".data.kind",
    '.["data"]',
    '.data."a/b"',
]
_STEPS = [
    "",
    "",
    "",
    "?",
    ".n",
    ".n?",
    ".text?.n?",
    ".model",
    "[]?",
    "[0]?",
    "[0]",
    "[]",
    "[-1:]?",
    '["n"]?',
    ".[0]?",
    "??",
]
_path = st.builds("".join, st.tuples(st.sampled_from(_PATHS), st.sampled_from(_STEPS)))
_constant = st.sampled_from(
    _listed(r"""
    0  -1  690  9007199254740993  9007199254740992  0.1  00.10  100  1e1000  -0  true  null  "llm_request"  "log"
    "x"  "\u0041"  "a/b"  "é"  ""  "q\""  "\(1)"  "\ud83d\ude42"
""")
)
_FUNCTIONS = _listed(r"""
    length  not  type  test("x")  test("X"; "i")  has("n")  has(0)  keys  tojson  tostring  tonumber  empty  error
    first  last  ..  numbers  strings  add  any  all  map(.n)  map(.n?)  any(.n)  all(.[]; .)
    any(.n, .model; . == 1)  first(.n, .model)  isempty(.n)  limit(1; .n?, error)  limit(0; error)
    select(.n, .text)  recurse  [.n?]  []  to_entries  ltrimstr("x")  ascii_downcase  startswith("x")  paths
    getpath(["n"])  getpath(["n", "text"])?  path(..)  @json  @sh  @base64  env  $ENV  $__loc__  {n}  {a: .n?}
    contains("x")  splits("x")  match("x")  fromjson  fromjson?  floor  isnan  infinite  nan  nan < nan  -1  . - 1
    -(.n)  error(null)  error({})  (1, error("late"))  (error("early"), 1)  (null, 1, 2)  first(repeat(1))  range(3)
    until(true; 1)  . as $x | $x  . as {n: $n} | $n  . as [$a] ?// $a | $a  reduce .[]? as $x (0; . + 1)
    foreach .[]? as $x (0; 1; $x)  def f: .n?; f  label $out | 1, break $out  try error("x") catch .  try .n catch .
    .n |= 1  del(.n)  "\(.n?)"  if . then 1 else null end  if .n? then .model? end
    if . == 1 then false elif type == "string" then . else empty end  utf8bytelength  min  max  sort  unique
    flatten  reverse  join(",")  indices(1)  index("x")  values  select(.)
""")
_comparison = st.one_of(
    _path,
    st.builds("{}{}{}".format, _path, st.sampled_from(["==", " == ", "!=", "\n<\t", "<=", ">", ">= "]), _constant),
    st.builds("{}{}{}".format, _path, st.sampled_from(["==", "<"]), _path),
    st.builds("{} {} {}".format, _constant, st.sampled_from(["==", "<", ">="]), _path),
    st.builds("({} {} {})".format, _path, st.sampled_from(["+", "-", "*", "/", "%"]), st.one_of(_constant, _path)),
    st.builds("({} | {})".format, _path, st.sampled_from(_FUNCTIONS)),
)  # fmt: skip
_expression = st.recursive(
    _comparison,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or", "//", ",", "|", "==", "<"]), inner),
        st.builds("{} {} {} {} {}".format, inner, st.sampled_from(["and", "or", "//", "|"]), inner,
                  st.sampled_from(["and", "or", "//", "|", ","]), inner).map("({})".format),
        st.builds("select({})".format, inner),
        st.builds("({})?".format, inner),
        st.builds("({} | not)".format, inner),
        st.builds("({} | {})".format, inner, st.sampled_from(_FUNCTIONS)),
        st.builds("if {} then {} else {} end".format, inner, inner, inner),
        st.builds("any({}; {})".format, inner, inner),
        st.builds("[{}]".format, inner),
        st.builds("(try {} catch {})".format, inner, inner),
        st.builds("({} as $x | {} | . == $x)".format, _path, inner),
        st.builds("first({})".format, inner),
    ),
    max_leaves=5,
)  # fmt: skip


def _said(program: str, lines: bytes) -> list[str]:
    """For each line whether `program` holds, or what it fails with."""
    compiled = jq.compile(f'try (({program}) | tostring) catch "failed: \\(tojson)"')
    return compiled.input_text(lines.decode()).all()  # type: ignore[no-any-return]


@settings(max_examples=CASES, deadline=None)
@given(_expression, st.lists(_lines(), min_size=1, max_size=8))
def test_jq_says_the_same_of_what_is_left(expression, lines):
    try:
        jq.compile(expression)
    except ValueError:
        assert not demand_of(expression).is_whole
        return
    expected = _said(held(expression, gives_one=False), b"".join(lines))
    demand = demand_of(expression)
    given = {"holding": demand.holding, "comparing": demand.comparing}
    selection = _backend.Selection(
        **given, **({} if demand.kinds is None else {"kinds": demand.kinds})
    )
    for line, verdict in zip(lines, expected):
        if line.startswith(b"{") and not selection.matches(line):
            assert verdict == "false", line
    tree = tree_of(expression)
    if tree is None:
        return
    reach = reach_of(tree)
    left = b"".join(lines)
    if reach is not None:
        projection = _backend.Projection(*([list(keys) for keys in some] for some in reach))
        left = projection.copy(lines)
        assert len(left) < len(b"".join(lines)) or _backend.BACKEND == "pure"
    assert _said(held(expression, gives_one_at_most(tree)), left) == expected


def test_lines_that_are_no_json_stay_whole():
    projection = _backend.Projection([["a"]], [])
    assert projection.copy([b'{"a":0}{"a":1}', b"{", b'{"b":1,"a":2}\n']).split(b"\n")[:2] == [
        b'{"a":0}{"a":1}',
        b"{",
    ]
    assert json.loads(projection.copy([b'{"b":1,"a":2}\n']))["a"] == 2
