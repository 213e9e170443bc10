"""What an EXPR of jq must not say: words that reach outside of the event; a tokenizer finds them.

The second fence is `PRELUDE`: it shadows the same words, so that what the tokenizer took for a key
fails at run time and does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Optional

_BARRED_CALLS = frozenset(
    [
        "input",
        "inputs",
        "input_filename",
        "input_line_number",
        "debug",
        "stderr",
        "halt",
        "halt_error",
        "get_search_list",
        "modulemeta",
    ]
)
_BARRED_DIRECTIVES = frozenset(("import", "include", "module"))

PRELUDE = " ".join(
    f'def {name}{parameters}: error("{name} is not available here");'
    for name, parameters in (
        ("input", ""), ("inputs", ""), ("input_filename", ""), ("input_line_number", ""),
        ("debug", ""), ("debug", "(f)"), ("stderr", ""), ("halt", ""), ("halt_error", ""),
        ("halt_error", "(f)"), ("get_search_list", ""), ("modulemeta", ""),
    )
)  # fmt: skip

# A backslash continues a comment in newer jq and not in older ones; here it always ends with the
# line, so that what could be code is looked at.
_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\r\n]*)
      | (?P<field>\.\s*[A-Za-z_]\w*)
      | (?P<variable>\$\s*(?:__)?[A-Za-z_]\w*)
      | (?P<format>@[A-Za-z0-9]+)
      | (?P<word>[A-Za-z_](?:\w|::)*)
      | (?P<quote>")
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_STRING_PART = re.compile(r'(?:[^"\\]|\\[^(])*', re.DOTALL)


def barred_word(expression: str) -> Optional[str]:
    """The first word in `expression` that is refused, or None."""
    tokens = [token for token in _tokens(expression) if token[0] != "space"]
    for place, (sort, text) in enumerate(tokens):
        if sort != "word":
            continue
        if place == 0 and text in _BARRED_DIRECTIVES:
            return text
        if text in _BARRED_CALLS and not _is_key_or_name(tokens, place):
            return text
    return None


def _is_key_or_name(tokens: list[tuple[str, str]], place: int) -> bool:
    """Whether the word is a key (`{input: 1}`, `{input}`) or is being defined, not called."""
    before = tokens[place - 1][1] if place else ""
    after = tokens[place + 1][1] if place + 1 < len(tokens) else ""
    return (
        before == "def"
        or (before in ("{", ",") and after == ":")
        or (before in ("{", ",") and after in (",", "}") and _is_in_braces(tokens, place))
    )


def _is_in_braces(tokens: list[tuple[str, str]], place: int) -> bool:
    depth = 0
    for _, text in reversed(tokens[:place]):
        if text in ("}", ")", "]"):
            depth += 1
        elif text in ("{", "(", "["):
            if depth == 0:
                return text == "{"
            depth -= 1
    return False


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    """(sort, text), strings left out, what is interpolated in them let in."""
    open_parens: list[
        int
    ] = []  # of each string that is being interpolated: parentheses open within
    place = 0
    while place < len(expression):
        match = _TOKEN.match(expression, place)
        assert match is not None  # `other` takes any character
        sort, text, place = str(match.lastgroup), match[0], match.end()
        if sort == "quote":
            place = _string_end(expression, place, open_parens)
        elif open_parens and text in "()":
            open_parens[-1] += 1 if text == "(" else -1
            if open_parens[-1] == 0:
                open_parens.pop()
                place = _string_end(expression, place, open_parens)
        yield ("string", '"') if sort == "quote" else (sort, text)


def _string_end(expression: str, place: int, open_parens: list[int]) -> int:
    """Behind the string that goes on at `place`, or behind the `\\(` that interrupts it."""
    match = _STRING_PART.match(expression, place)
    end = match.end() if match else place
    if expression.startswith("\\(", end):
        open_parens.append(1)
        return end + 2
    return end + 1
