"""What an EXPR demands of the bytes of a line, so that lines that can't match are dropped before jq sees them.

As ripgrep does with the literals of a regular expression: `.kind == "llm_response"` can hold only for lines of that
kind, `.data.model == "gpt-5"` only where "gpt-5" stands in the line. What is found here is always less than what EXPR
says: a line that fails a demand would neither have matched nor made EXPR fail; all others go to jq. What isn't
understood demands nothing.

Read is a part of jq's language: `|`, `and`, `or`, comparisons of paths with constants, `select`, parentheses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple, Optional, Union

# A line may spell any character of a string so; then only jq can tell.
_ESCAPE = "\\u"
_MOST_CLAUSES = 16
_KIND = re.compile(r"[a-z][a-z0-9_]*\Z")
# Members that every event has, and those that it may lack. What they hold is no object, but for `data`, which is one.
_ALWAYS = frozenset(("v", "trace_id", "ts", "seq", "kind", "data"))

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>"(?:[^"\\]|\\[^(])*")
      | (?P<field>\.[A-Za-z_]\w*)
      | (?P<number>\d+(?:\.\d+)?(?![\w.]))
      | (?P<word>[A-Za-z_]\w*)
      | (?P<mark>==|!=|<=|>=|[<>.?|()\[\],-])""",
    re.VERBOSE | re.ASCII,
)
_OPEN, _CLOSE = ("(", "["), (")", "]")
# A word that opens a construct with an end of its own, or changes what is around it.
_UNREAD = frozenset(
    ["if", "then", "elif", "else", "end", "reduce", "foreach", "try", "catch"]
    + ["label", "def", "as", "import", "include", "__loc__"]
)


class Kinds(NamedTuple):
    """The event is of one of these kinds."""

    names: frozenset[str]


class Holds(NamedTuple):
    """One of these stands in the line."""

    literals: frozenset[str]


Clause = Union[Kinds, Holds]


class Demand(NamedTuple):
    """All of it must hold. kinds: None for any. holding: of each list one must stand in the line. is_whole: it says all
    that EXPR says.
    """

    kinds: Optional[list[str]]
    holding: list[list[str]]
    is_whole: bool


class _Found(NamedTuple):
    """Of a part of EXPR. clauses: it is true only where all hold. is_safe: it never fails. is_whole: it
    is true wherever the clauses hold.
    """

    clauses: tuple[Clause, ...]
    is_safe: bool
    is_whole: bool = False


class _Path(NamedTuple):
    """A chain of names from the event down. sure: how many of its steps can't fail, of `len(keys)`."""

    keys: tuple[str, ...]
    is_optional: bool = False  # the steps that could fail all end in `?`


_Token = tuple[str, str]
_Tokens = Sequence[_Token]
_NOTHING = _Found((), False)


def demand_of(expression: str) -> Demand:
    """What `expression` demands; nothing where it isn't understood."""
    tokens = _tokens(expression)
    found = _pipe(tokens, _Path(())) if tokens else _NOTHING
    kinds: Optional[frozenset[str]] = None
    holding = []
    for clause in found.clauses:
        if isinstance(clause, Kinds):
            kinds = clause.names if kinds is None else kinds & clause.names
        else:
            holding.append(sorted({*clause.literals, _ESCAPE}))
    return Demand(None if kinds is None else sorted(kinds), holding, found.is_whole)


def _tokens(expression: str) -> list[_Token]:
    """Empty where there is something that isn't read here, such as a comment or an interpolated string."""
    tokens: list[_Token] = []
    place = 0
    while place < len(expression):
        match = _TOKEN.match(expression, place)
        if match is None or (match.lastgroup == "word" and match[0] in _UNREAD):
            return []
        if match.lastgroup != "space":
            tokens.append((str(match.lastgroup), match[0]))
        place = match.end()
    return tokens


def _split(tokens: _Tokens, *marks: str) -> list[_Tokens]:
    """At each of these, outside brackets. Brackets that don't fit make it one part."""
    parts, start, depth = [], 0, 0
    for place, (sort, text) in enumerate(tokens):
        if sort == "mark" and text in _OPEN:
            depth += 1
        elif sort == "mark" and text in _CLOSE:
            depth -= 1
        elif depth == 0 and sort in ("mark", "word") and text in marks:
            parts.append(tokens[start:place])
            start = place + 1
    return [*parts, tokens[start:]]


def _pipe(tokens: _Tokens, at: _Path) -> _Found:
    first, *rest = _split(tokens, "|")
    if not rest:
        return _commas(tokens, at)
    behind = list(tokens[len(first) + 1 :])
    path = _path(first, at)
    if path is not None:
        return _pipe(behind, path)
    condition = _selected(first)
    if condition is None:
        return _NOTHING
    return _both(_pipe(condition, at), _pipe(behind, at))


def _commas(tokens: _Tokens, at: _Path) -> _Found:
    alternatives = _split(tokens, ",")
    if len(alternatives) > 1:
        return _NOTHING
    alternatives = _split(tokens, "or")
    found = _all(alternatives[0], at)
    for tokens in alternatives[1:]:
        found = _either(found, _all(tokens, at))
    return found


def _all(tokens: _Tokens, at: _Path) -> _Found:
    first, *rest = _split(tokens, "and")
    found = _comparison(first, at)
    for tokens in rest:
        found = _both(found, _comparison(tokens, at))
    return found


def _both(one: _Found, other: _Found) -> _Found:
    """`one and other`: the other is looked at only where the one is true. If the one can't fail, its demands count."""
    clauses = one.clauses + (other.clauses if one.is_safe else ())
    return _Found(
        clauses[:_MOST_CLAUSES],
        one.is_safe and other.is_safe,
        one.is_whole and other.is_whole and len(clauses) <= _MOST_CLAUSES,
    )


def _either(one: _Found, other: _Found) -> _Found:
    clauses: list[Clause] = []
    for first in one.clauses:
        for second in other.clauses:
            if isinstance(first, Kinds) and isinstance(second, Kinds):
                clauses.append(Kinds(first.names | second.names))
            elif isinstance(first, Holds) and isinstance(second, Holds):
                clauses.append(Holds(first.literals | second.literals))
    is_whole = one.is_whole and other.is_whole and len(one.clauses) == len(other.clauses) == 1
    return _Found(tuple(clauses[:_MOST_CLAUSES]), one.is_safe and other.is_safe, is_whole)


def _comparison(tokens: _Tokens, at: _Path) -> _Found:
    for mark, mirrored in (
        ("==", "=="),
        (">", "<"),
        (">=", "<="),
        ("<", ">"),
        ("<=", ">="),
        ("!=", "!="),
    ):
        sides = _split(tokens, mark)
        if len(sides) == 2:
            left, right = sides
            if _constant(left) is not None:
                left, right, mark = right, left, mirrored
            path, constant = _path(left, at), _constant(right)
            if path is None or constant is None:
                return _NOTHING
            return _compared(path, mark, json.loads(constant))
    return _alone(tokens, at)


def _compared(path: _Path, mark: str, constant: object) -> _Found:
    is_safe = _is_safe(path)
    if path.keys == ("kind",) and mark == "==" and isinstance(constant, str):
        is_whole = _KIND.match(constant) is not None
        return _Found((Kinds(frozenset((constant,))),), True, is_whole)
    # What isn't there is null: equal to null alone, and less than all else.
    if mark not in ("==", ">", ">=") or constant is None:
        return _Found((), is_safe)
    clauses = list(_presence(path))
    literal = _literal(constant) if mark == "==" and isinstance(constant, str) else None
    if literal is not None and is_safe:
        clauses.append(Holds(literal))
    return _Found(tuple(clauses), is_safe)


def _alone(tokens: _Tokens, at: _Path) -> _Found:
    if len(tokens) > 2 and tokens[0][1] == "(" and _is_one_bracket(tokens):
        return _pipe(tokens[1:-1], at)
    condition = _selected(tokens)
    if condition is not None:
        return _pipe(condition, at)
    path = _path(tokens, at)
    if path is None:
        return _NOTHING
    return _Found(_presence(path), _is_safe(path))


def _selected(tokens: _Tokens) -> Optional[_Tokens]:
    """The condition of `select(…)`."""
    if len(tokens) > 3 and tokens[0] == ("word", "select") and _is_one_bracket(tokens[1:]):
        return tokens[2:-1]
    return None


def _is_one_bracket(tokens: _Tokens) -> bool:
    depth = 0
    for place, (sort, text) in enumerate(tokens):
        if sort == "mark" and text in _OPEN:
            depth += 1
        elif sort == "mark" and text in _CLOSE:
            depth -= 1
        if depth == 0:
            return place == len(tokens) - 1 and tokens[0][1] == "(" and text == ")"
    return False


def _path(tokens: _Tokens, at: _Path) -> Optional[_Path]:
    """The path that `tokens` are, from where we are; None if they are none. Names alone, no places in arrays."""
    if [text for _, text in tokens] == ["."]:
        return at
    keys, optional = (
        list(at.keys),
        [True] * len(at.keys) if at.is_optional else [False] * len(at.keys),
    )
    for sort, text in tokens:
        if sort == "field":
            keys.append(text[1:])
            optional.append(False)
        elif (sort, text) == ("mark", "?") and keys[len(at.keys) :]:
            optional[-1] = True
        else:
            return None
    if len(keys) == len(at.keys):
        return None
    return _Path(tuple(keys), all(optional[_sure_steps(keys) :]))


def _sure_steps(keys: Sequence[str]) -> int:
    """How many steps can't fail: the event is an object, and so is its `data`."""
    return 2 if keys[:1] == ["data"] or keys[:1] == ("data",) else 1


def _is_safe(path: _Path) -> bool:
    return path.is_optional or len(path.keys) <= _sure_steps(path.keys)


def _presence(path: _Path) -> tuple[Clause, ...]:
    """Where the first member that may be missing is, and all behind it is null, without a failure."""
    steps = path.keys[1:] if path.keys[:1] == ("data",) else path.keys
    names = [key for key in steps[:1] if steps is not path.keys or key not in _ALWAYS]
    literal = _literal(names[0]) if names else None
    return () if literal is None else (Holds(literal),)


def _literal(text: str) -> Optional[frozenset[str]]:
    """How a line may spell this string, but for escapes by number."""
    spelled = json.dumps(text, ensure_ascii=False)
    if spelled[1:-1] != text or any(
        "\ud800" <= char <= "\udfff" or char == "\ufffd" for char in text
    ):
        return None  # escapes have several spellings
    return frozenset((spelled, "\\/")) if "/" in text else frozenset((spelled,))


def _constant(tokens: _Tokens) -> Optional[str]:
    """The JSON text of a constant; None for anything else."""
    texts = [text for _, text in tokens]
    if len(tokens) == 2 and texts[0] == "-" and tokens[1][0] == "number":
        return "-" + texts[1]
    if len(tokens) != 1:
        return None
    sort, text = tokens[0]
    if sort == "word" and text in ("true", "false"):
        return text
    if sort == "number":
        return re.sub(r"\A0+(?=\d)", "", text)
    if sort == "string":
        try:
            json.loads(text)
        except ValueError:
            return None
        return text
    return None
