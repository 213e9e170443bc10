"""What an EXPR demands of the bytes of a line, so that lines that can't match are dropped before jq sees them.

As ripgrep does with the literals of a regular expression: `.kind == "llm_response"` can hold only for lines of that
kind, `.data.model == "gpt-5"` only where "gpt-5" stands in the line, and a number is compared where it stands. What is
found here is always less than what EXPR says: a line that fails a demand would neither have matched nor made EXPR fail;
all others go to jq. What isn't understood demands nothing.

Understood is a part of jq's language: `|`, `and`, `or`, comparisons of paths with constants, `select`; and the search
for a literal in strings, wherever they are: `.. | strings | test("overloaded")`, in `any(…; …)` or counted as well.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple, Optional, Union

from agenttrace.expression.syntax import (
    COMPARISONS,
    Binary,
    Call,
    Collected,
    Constant,
    Identity,
    Member,
    Node,
    Tried,
    tree_of,
)

# A line may spell any character of a string so; then only jq can tell.
_ESCAPE = "\\u"
_MOST_CLAUSES = 16
_KIND = re.compile(r"[a-z][a-z0-9_]*\Z")
# Members that every event has, and those that it may lack. What they hold is no object, but for `data`, which is one.
_ALWAYS = frozenset(("v", "trace_id", "ts", "seq", "kind", "data"))
# A regular expression that is the text it looks for.
_PLAIN = re.compile(r"[^\\^$.|?*+()\[\]{}]+\Z")
_SEARCHES = frozenset(("test", "contains", "startswith", "endswith"))
# They pass on what is of their type, and fail on nothing.
_SIEVES = frozenset(("recurse", "strings", "values", "scalars", "arrays", "objects", "iterables"))
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Kinds(NamedTuple):
    """The event is of one of these kinds."""

    names: frozenset[str]


class Holds(NamedTuple):
    """One of these stands in the line."""

    literals: frozenset[str]


class Compares(NamedTuple):
    """The value at `keys` compares so with this constant, JSON; for mark "true": it is neither null nor false."""

    keys: tuple[str, ...]
    mark: str
    constant: str


Clause = Union[Kinds, Holds, Compares]


class Demand(NamedTuple):
    """All of it must hold. kinds: None for any. holding: of each list one must stand in the line. comparing: see
    `Selection`. is_whole: it says all that EXPR says.
    """

    kinds: Optional[list[str]]
    holding: list[list[str]]
    comparing: list[tuple[list[str], str, str]]
    is_whole: bool


class _Found(NamedTuple):
    """Of a part of EXPR. clauses: it is true only where all hold. is_safe: it never fails. is_whole: it
    is true wherever the clauses hold.
    """

    clauses: tuple[Clause, ...]
    is_safe: bool
    is_whole: bool = False


class _Path(NamedTuple):
    """A chain of names from the event down. optional: of each step, whether it ends in `?`."""

    keys: tuple[str, ...] = ()
    optional: tuple[bool, ...] = ()

    @property
    def is_safe(self) -> bool:
        """Whether no step can fail: the event is an object, and so is its `data`."""
        return all(self.optional[2 if self.keys[:1] == ("data",) else 1 :])


_NOTHING = _Found((), False)


def demand_of(expression: str) -> Demand:
    """What `expression` demands; nothing where it isn't understood."""
    tree = tree_of(expression)
    found = _NOTHING if tree is None else _found(tree, _Path())
    kinds: Optional[frozenset[str]] = None
    holding, comparing = [], []
    for clause in found.clauses:
        if isinstance(clause, Kinds):
            kinds = clause.names if kinds is None else kinds & clause.names
        elif isinstance(clause, Holds):
            holding.append(sorted({*clause.literals, _ESCAPE}))
        else:
            comparing.append((list(clause.keys), clause.mark, clause.constant))
    return Demand(None if kinds is None else sorted(kinds), holding, comparing, found.is_whole)


def _found(node: Node, at: _Path) -> _Found:
    """Of `node`, whose input is what is at `at`."""
    path = _path(node, at)
    if path is not None:
        clauses: tuple[Clause, ...] = (Compares(path.keys, "true", "null"),) if path.keys else ()
        return _Found((*_presence(path), *clauses), path.is_safe)
    if isinstance(node, Call) and node.name == "select" and len(node.arguments) == 1:
        return _found(node.arguments[0], at)
    if isinstance(node, Call) and node.name == "any" and len(node.arguments) == 2:
        return _searched([*_stages(node.arguments[0]), *_stages(node.arguments[1])], at)
    if not isinstance(node, Binary):
        return _NOTHING
    if node.mark == "|":
        return _piped(node, at)
    if node.mark == "and":
        return _both(_found(node.left, at), _found(node.right, at))
    if node.mark == "or":
        return _either(_found(node.left, at), _found(node.right, at))
    return _comparison(node, at) if node.mark in COMPARISONS else _NOTHING


def _piped(node: Binary, at: _Path) -> _Found:
    path = _path(node.left, at)
    if path is not None:
        return _found(node.right, path)
    if isinstance(node.left, Call) and node.left.name == "select":
        return _both(_found(node.left, at), _found(node.right, at))
    if isinstance(node.left, Collected) and node.left.of is not None and _is_of_any(node.right):
        stages = _stages(node.left.of)
        # What `test` itself yields is counted whether it is true or not.
        is_chosen = isinstance(stages[-1], Call) and stages[-1].name == "select"
        return _searched(stages, at) if is_chosen else _NOTHING
    return _searched(_stages(node), at)


def _is_of_any(node: Node) -> bool:
    """Whether it asks of an array if there is anything in it."""
    return (
        isinstance(node, Binary)
        and isinstance(node.left, Call)
        and (node.left.name, node.left.arguments) == ("length", ())
        and isinstance(node.right, Constant)
        and (node.mark, node.right.text) in ((">", "0"), (">=", "1"), ("!=", "0"))
    )


def _stages(node: Node) -> list[Node]:
    """What stands between the `|` of a pipeline."""
    stages = []
    while isinstance(node, Binary) and node.mark == "|":
        stages.append(node.left)
        node = node.right
    return [*stages, node]


def _searched(stages: list[Node], at: _Path) -> _Found:
    """Of a pipeline in which strings, gathered without a failure, are searched for a literal."""
    if not at.is_safe:
        return _NOTHING
    are_strings = False
    for number, stage in enumerate(stages):
        is_last = number == len(stages) - 1
        literal = _looked_for(stage, is_last) if are_strings else None
        if literal is not None:
            # What comes behind it sees nothing of a line that lacks the literal; of others it may fail on some.
            return _Found((Holds(literal),), is_last)
        path = _path(stage, _Path())
        is_sieve = isinstance(stage, Call) and stage.name in _SIEVES and not stage.arguments
        if path is not None:
            # A step from what isn't the event can fail unless it says that it doesn't.
            if not (path.is_safe if number == 0 and not at.keys else all(path.optional)):
                return _NOTHING
        elif not (is_sieve or isinstance(stage, Tried)):
            return _NOTHING
        are_strings = isinstance(stage, Call) and stage.name == "strings"
    return _NOTHING


def _looked_for(stage: Node, is_last: bool) -> Optional[frozenset[str]]:
    """The literal without which nothing true comes out of this, given strings: of `select(test("…"))`, and, as the last
    step, of `test("…")`.
    """
    if not isinstance(stage, Call) or len(stage.arguments) != 1:
        return None
    (argument,) = stage.arguments
    if stage.name == "select":
        return _looked_for(argument, True)
    if not (is_last and stage.name in _SEARCHES and isinstance(argument, Constant)):
        return None
    text = json.loads(argument.text)
    if not isinstance(text, str) or not text or (stage.name == "test" and not _PLAIN.match(text)):
        return None
    spelled = _literal(text)
    return None if spelled is None else frozenset(one.strip('"') for one in spelled)


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


def _comparison(node: Binary, at: _Path) -> _Found:
    left, mark, right = node.left, node.mark, node.right
    if isinstance(left, Constant):
        left, mark, right = right, _MIRRORED[mark], left
    path = _path(left, at)
    if path is None or not isinstance(right, Constant):
        return _NOTHING
    return _compared(path, mark, json.loads(right.text), right.text)


def _compared(path: _Path, mark: str, constant: object, text: str) -> _Found:
    if path.keys == ("kind",) and mark == "==" and isinstance(constant, str):
        is_whole = _KIND.match(constant) is not None
        return _Found((Kinds(frozenset((constant,))),), True, is_whole)
    clauses: list[Clause] = []
    # What isn't there is null: equal to null alone, and less than all else.
    if mark in ("==", ">", ">=") and constant is not None:
        clauses += _presence(path)
        literal = _literal(constant) if mark == "==" and isinstance(constant, str) else None
        if literal is not None and path.is_safe:
            clauses.append(Holds(literal))
    if path.keys:
        text = json.dumps(constant, ensure_ascii=False) if isinstance(constant, str) else text
        clauses.append(Compares(path.keys, mark, text))
    return _Found(tuple(clauses), path.is_safe)


def _path(node: Node, at: _Path) -> Optional[_Path]:
    """The path that `node` is, from where we are; None if it is none. Names alone, no places in arrays."""
    if isinstance(node, Identity):
        return at
    if isinstance(node, Binary) and node.mark == "|":
        behind = _path(node.left, at)
        return None if behind is None else _path(node.right, behind)
    if not isinstance(node, Member):
        return None
    before = _path(node.of, at)
    if before is None:
        return None
    return _Path((*before.keys, node.name), (*before.optional, node.is_optional))


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
