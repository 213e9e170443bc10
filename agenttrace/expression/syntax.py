"""A part of jq's language, read as a tree: paths, constants, operators, calls of jq's own functions, `if`.

What isn't read (variables, definitions, strings with something in them, assignments, …) makes no tree: then nothing is
known of the expression, and jq alone says what it means. What is read means the same in every jq from 1.6 on.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import NamedTuple, Optional, Union

# A tree of so many, so deep, is walked without fear for Python's stack.
_MOST_TOKENS = 200
_MOST_OPEN = 20

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<string>"(?:[^"\\]|\\[^(])*")
      | (?P<field>\.[A-Za-z_]\w*)
      | (?P<number>\d+(?:\.\d+)?(?![\w.]))
      | (?P<word>[A-Za-z_]\w*(?!\w|::))
      | (?P<unread>\?//|\.\.\.)
      | (?P<mark>//|==|!=|<=|>=|\.\.|[<>.?|()\[\],;:+*/%-])""",
    re.VERBOSE | re.ASCII,
)
# Operators by how closely they bind: the loosest first. `|` and `//` take what is right of them as a whole; of
# comparisons there is one at a time.
_LEVELS = (
    ("|",),
    (",",),
    ("//",),
    ("or",),
    ("and",),
    ("==", "!=", "<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/", "%"),
)
_RIGHT = frozenset(("|", "//"))
COMPARISONS = frozenset(_LEVELS[5])
_WORDS = frozenset(["if", "then", "elif", "else", "end", "and", "or"])
# A word that opens a construct of its own, or changes what is around it.
_UNREAD = frozenset(
    ["reduce", "foreach", "try", "catch", "label", "break", "def", "as", "import", "include", "module", "__loc__"]
)  # fmt: skip


class Identity(NamedTuple):
    """`.`"""


class Member(NamedTuple):
    """`of.name`. is_optional: with `?`."""

    of: Node
    name: str
    is_optional: bool


class Inner(NamedTuple):
    """`of[]`, `of[place]`, `of[from:to]`."""

    of: Node
    places: tuple[Node, ...]


class Tried(NamedTuple):
    """`of?`, of is no member."""

    of: Node


class Constant(NamedTuple):
    """A string, a number, true, false or null, as JSON."""

    text: str


class Binary(NamedTuple):
    """Two expressions with an operator between them."""

    mark: str
    left: Node
    right: Node


class Call(NamedTuple):
    """A function by its name. No function can be defined here: it is one of jq's, or none."""

    name: str
    arguments: tuple[Node, ...]


class Branches(NamedTuple):
    """`if condition then yes else no end`."""

    condition: Node
    yes: Node
    no: Node


class Collected(NamedTuple):
    """`[of]`, `[]`."""

    of: Optional[Node]


Node = Union[Identity, Member, Inner, Tried, Constant, Binary, Call, Branches, Collected]


class _Unread(Exception):
    """The expression is none, or one that isn't read here."""


def tree_of(expression: str) -> Optional[Node]:
    """None for what isn't read."""
    try:
        parser = _Parser(_tokens(expression))
        tree = parser.operators(0)
        parser.end()
    except _Unread:
        return None
    return tree


def _tokens(expression: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    place = 0
    while place < len(expression):
        match = _TOKEN.match(expression, place)
        if match is None or match.lastgroup == "unread" or match[0] in _UNREAD:
            raise _Unread
        if match.lastgroup != "space":
            tokens.append((str(match.lastgroup), match[0]))
        place = match.end()
    if len(tokens) > _MOST_TOKENS or _depth(tokens) > _MOST_OPEN:
        raise _Unread
    return tokens


def _depth(tokens: list[tuple[str, str]]) -> int:
    steps = [(text in ("(", "[", "if")) - (text in (")", "]", "end")) for _, text in tokens]
    return max(itertools.accumulate(steps), default=0)


class _Parser:
    """Goes over the tokens once."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = [*tokens, ("end", "")]
        self._at = 0

    def end(self) -> None:
        """Nothing may follow."""
        if self._tokens[self._at][0] != "end":
            raise _Unread

    def operators(self, level: int) -> Node:
        """What binds at least as closely as `level`."""
        if level == len(_LEVELS):
            return self._postfix()
        left = self.operators(level + 1)
        while self._peek() in _LEVELS[level]:
            mark = self._next()
            right = self.operators(level if mark in _RIGHT else level + 1)
            left = Binary(mark, left, right)
            if mark in _RIGHT:
                break
            if mark in COMPARISONS and self._peek() in COMPARISONS:
                raise _Unread
        return left

    def _postfix(self) -> Node:
        node = self._term()
        while True:
            sort, text = self._tokens[self._at]
            if sort == "field":
                self._next()
                node = Member(node, text[1:], False)
            elif sort != "mark" or text not in (".", "[", "?"):
                return node
            elif text == "?":
                self._next()
                node = node._replace(is_optional=True) if isinstance(node, Member) else Tried(node)
            else:
                node = self._stepped(node)

    def _stepped(self, node: Node) -> Node:
        """Behind `node`: `."name"`, `["name"]`, `[…]`."""
        if self._next() == "." and self._sort() == "string":
            return Member(node, _text_of(self._next()), False)
        if self._tokens[self._at - 1][1] == ".":
            self._take("[")
        places = [] if self._peek() in (":", "]") else [self.operators(0)]
        if self._peek() == ":":
            self._next()
            places += [] if self._peek() == "]" else [self.operators(0)]
        elif places and isinstance(places[0], Constant) and places[0].text[0] == '"':
            self._take("]")
            return Member(node, _text_of(places[0].text), False)
        self._take("]")
        return Inner(node, tuple(places))

    def _term(self) -> Node:
        sort, text = self._tokens[self._at]
        if sort == "field":
            return Identity()  # the step is read behind it
        self._next()
        if sort == "string":
            return Constant(_checked(text))
        if sort == "number":
            return Constant(re.sub(r"\A0+(?=\d)", "", text))
        if sort == "word":
            return self._worded(text)
        if text == "-" and self._sort() == "number":
            return Constant("-" + re.sub(r"\A0+(?=\d)", "", self._next()))
        if text == ".":
            return self._dotted()
        if text == "..":
            return Call("recurse", ())
        if text == "(":
            inner = self.operators(0)
            self._take(")")
            # In brackets `?` is about all of it, not about the last step.
            return Tried(inner) if self._peek() == "?" else inner
        if text == "[":
            collected = Collected(None if self._peek() == "]" else self.operators(0))
            self._take("]")
            return collected
        raise _Unread

    def _dotted(self) -> Node:
        """`.`, `."name"`; what follows in brackets is read behind it."""
        if self._sort() == "string":
            return Member(Identity(), _text_of(self._next()), False)
        return Identity()

    def _worded(self, word: str) -> Node:
        if word in ("true", "false", "null"):
            return Constant(word)
        if word == "if":
            return self._branches()
        if word in _WORDS:
            raise _Unread
        arguments = []
        if self._peek() == "(":
            while self._next() in ("(", ";"):
                arguments.append(self.operators(0))
            if self._tokens[self._at - 1][1] != ")":
                raise _Unread
        return Call(word, tuple(arguments))

    def _branches(self) -> Node:
        condition = self.operators(0)
        self._take("then")
        yes = self.operators(0)
        word = self._next()
        if word == "elif":
            return Branches(condition, yes, self._branches())
        no: Node = Identity()
        if word == "else":
            no = self.operators(0)
            word = self._next()
        if word != "end":
            raise _Unread
        return Branches(condition, yes, no)

    def _sort(self) -> str:
        return self._tokens[self._at][0]

    def _peek(self) -> str:
        return self._tokens[self._at][1]

    def _next(self) -> str:
        text = self._peek()
        self._at += self._at < len(self._tokens) - 1
        return text

    def _take(self, text: str) -> None:
        if self._next() != text:
            raise _Unread


def _checked(string: str) -> str:
    _text_of(string)
    return string


def _text_of(string: str) -> str:
    """What a string of JSON says. Half a pair of surrogates is not one character for all."""
    try:
        text = str(json.loads(string))
        text.encode()
    except ValueError:
        raise _Unread from None
    return text
