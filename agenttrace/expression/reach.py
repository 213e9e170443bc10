"""What of an event an EXPR looks at, so that jq is given no more than that.

jq reads a line of 50 kB in half a millisecond, whatever EXPR asks of it; to copy two members out of it takes some
microseconds. What is left must be the same to EXPR: of a value that it looks at all of it; of one that it only steps
through, or asks whether it is true, the type and whether it is null or false.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, Optional

from agenttrace.expression.syntax import (
    Binary,
    Branches,
    Call,
    Collected,
    Constant,
    Identity,
    Inner,
    Member,
    Node,
    Tried,
)

if TYPE_CHECKING:
    from typing_extensions import TypeGuard

Keys = tuple[str, ...]

# Each call gives one value at most for each combination of its arguments' values.
_AT_MOST_ONE = frozenset(
    ["all", "any", "add", "ascii_downcase", "ascii_upcase", "ceil", "contains", "empty", "endswith", "error"]
    + ["explode", "fabs", "first", "flatten", "floor", "from_entries", "fromjson", "has", "implode", "index"]
    + ["indices", "infinite", "inside", "isempty", "isinfinite", "isnan", "isnormal", "join", "keys", "keys_unsorted"]
    + ["last", "length", "ltrimstr", "map", "map_values", "max", "min", "nan", "not", "reverse", "rindex", "round"]
    + ["rtrimstr", "select", "sort", "split", "sqrt", "startswith", "test", "to_entries", "tojson", "tonumber"]
    + ["tostring", "trim", "type", "unique", "utf8bytelength"]
)  # fmt: skip
# Of these, those that take functions and yet give one value however many these give.
_GATHERING = frozenset(("map", "map_values", "all", "any", "isempty"))


class Reach(NamedTuple):
    """whole: the values that EXPR looks at. stepped: those of which it asks no more than the type, or whether they are
    null or false. Each by its names from the event down.
    """

    whole: frozenset[Keys]
    stepped: frozenset[Keys]


def reach_of(tree: Node) -> Optional[Reach]:
    """None where it looks at the event as a whole, as `tojson` does."""
    reader = _Reader()
    reader.ask(reader.values(tree, frozenset(((),))))
    if () in reader.whole:
        return None
    return Reach(frozenset(reader.whole), frozenset(reader.stepped))


def gives_one_at_most(node: Node) -> bool:
    """Whether EXPR yields no value or one, never several."""
    if isinstance(node, (Identity, Constant, Collected)):
        return True
    if isinstance(node, (Member, Tried)):
        return gives_one_at_most(node.of)
    if isinstance(node, Binary):
        return node.mark != "," and gives_one_at_most(node.left) and gives_one_at_most(node.right)
    if isinstance(node, Branches):
        return all(map(gives_one_at_most, node))
    if isinstance(node, Inner):
        return bool(node.places) and all(map(gives_one_at_most, (node.of, *node.places)))
    return node.name in _AT_MOST_ONE and (
        node.name in _GATHERING or all(map(gives_one_at_most, node.arguments))
    )


class _Reader:
    """Goes through a tree as jq would, with places in the event instead of values. What was computed is no place any
    more, and what it was computed from is looked at.
    """

    def __init__(self) -> None:
        self.whole: set[Keys] = set()
        self.stepped: set[Keys] = {()}

    def look(self, places: frozenset[Keys]) -> None:
        self.whole |= places

    def ask(self, places: frozenset[Keys]) -> None:
        """Whether they are true."""
        self.stepped |= places

    def values(self, node: Node, at: frozenset[Keys]) -> frozenset[Keys]:
        """The places whose values `node` may yield for inputs at these."""
        if isinstance(node, Identity):
            return at
        if isinstance(node, Constant):
            return frozenset()
        if isinstance(node, Member):
            places = self.values(node.of, at)
            self.ask(places)
            return frozenset((*place, node.name) for place in places)
        if isinstance(node, Tried):
            return self.values(node.of, at)
        if isinstance(node, Branches):
            self.ask(self.values(node.condition, at))
            return self.values(node.yes, at) | self.values(node.no, at)
        if isinstance(node, Binary):
            return self._joined(node, at)
        if isinstance(node, Call):
            return self._called(node, at)
        parts = [node.of, *node.places] if isinstance(node, Inner) else [node.of]
        for part in parts:
            if part is not None:
                self.look(self.values(part, at))
        return frozenset()

    def _joined(self, node: Binary, at: frozenset[Keys]) -> frozenset[Keys]:
        left = self.values(node.left, at)
        if node.mark == "|":
            return self.values(node.right, left)
        right = self.values(node.right, at)
        if node.mark in ("and", "or"):
            self.ask(left | right)
            return frozenset()
        if node.mark == "//":
            self.ask(left)
        if node.mark in ("//", ","):
            return left | right
        self.look(left | right)
        return frozenset()

    def _called(self, node: Call, at: frozenset[Keys]) -> frozenset[Keys]:
        name, arguments = node
        if name == "select" and len(arguments) == 1:
            self.ask(self.values(arguments[0], at))
            return at
        if name in ("not", "type") and not arguments:
            self.ask(at)
        elif name == "has" and len(arguments) == 1 and _is_string(arguments[0]):
            self.ask(at | self.values(Member(Identity(), json.loads(arguments[0].text), False), at))
        elif name in ("any", "all") and len(arguments) == 2:
            self.ask(self.values(arguments[1], self.values(arguments[0], at)))
        elif name in ("first", "last", "isempty") and len(arguments) == 1:
            inner = self.values(arguments[0], at)
            return frozenset() if name == "isempty" else inner
        elif name != "empty" or arguments:
            # Whatever it does, and its arguments: it sees its input and nothing else.
            self.look(at)
        return frozenset()


def _is_string(node: Node) -> TypeGuard[Constant]:
    return isinstance(node, Constant) and node.text.startswith('"')
