r"""The choke point between a trace's text and a terminal: what could steer it becomes an escape.

A trace is data from anywhere, and a terminal obeys what it is sent: titles, clear-screen, answers
typed back, text that reads backwards. Everything for people passes here, on pipes too. The escapes
are JSON's own (`\u001b`, `\r`), so cleaned JSON is still the same JSON. Cleaning twice changes
nothing more.
"""

from __future__ import annotations

import re

# In this order: C0 but tab and LF, DEL, C1; the marks that set a direction; the line and paragraph
# separators (some terminals break the line there); bidi embeddings, overrides and isolates; lone
# surrogates, which can't be encoded for any terminal (undecodable file names hold them).
_STEERS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u061c\u200e\u200f"
    "\u2028\u2029"
    "\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff"
)
_STEERING = re.compile(f"[{_STEERS}]")
_STEERING_OR_BREAK = re.compile(f"[{_STEERS}\t\n]")
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return _SHORT.get(character) or f"\\u{ord(character):04x}"


def clean(text: str) -> str:
    """`text` safe to print over several lines: tabs and line feeds stay, the rest is escaped."""
    return _STEERING.sub(_escaped, text)


def clean_line(text: str) -> str:
    r"""`text` safe to print within one line: tabs and line feeds are escaped too (`\t`, `\n`)."""
    return _STEERING_OR_BREAK.sub(_escaped, text)
