"""The text of one stream, whose pieces lie in several lines: where in them secrets are that a cut goes through, or that
are spelled over several events, a word in each.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from typing import Any, Optional, Protocol

from agenttrace.redacting.leaves import Leaf, Leaves, strings
from agenttrace.redaction import Redactor, placeholder

# What was decided stays in sight of what comes behind it.
_SEEN_BYTES = 64
_MOST_TEXTS = 1_000  # of one stream
# The name of what stands where a text's end had to be taken for the beginning of a secret.
CUT = "cut"


class Piece(Protocol):
    """A part of a stream, in a line that waits until all of it is decided."""

    def replace(self, start: int, end: int, text: bytes) -> None:
        """What is to stand in place of these bytes of it."""

    def decided(self) -> None:
        """Nothing in it can change any more."""


class _Text:
    """One text that is put together of parts: the stream's bytes, or the strings at one place of its JSON."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._seen = b""  # the end of what is decided
        self._parts: list[
            tuple[bytes, range | list[int]]
        ] = []  # what is not, and the places of its bytes

    @property
    def open_at(self) -> Optional[int]:
        """The first place that is not decided."""
        return self._parts[0][1][0] if self._parts else None

    def add(self, text: bytes, places: range | list[int]) -> None:
        self._parts.append((text, places))

    def settled(self, *, is_over: bool, is_forced: bool = False) -> list[tuple[int, int, str]]:
        """(first place, place behind it, rule or "") of what is to be replaced; the first of a secret has the rule.

        is_over: nothing follows. is_forced: what may be the beginning of a secret is one.
        """
        if not self._parts:
            return []
        fresh = b"".join([text for text, _ in self._parts])
        text, seen = self._seen + fresh, len(self._seen)
        held = 0 if is_over else min(self._redactor.held(text), len(fresh))
        cut = len(text) - held
        spans = [span for span in self._redactor.spans(text[:cut]) if span[1] > seen]
        kept = _SEEN_BYTES
        if is_forced and held:
            spans.append((cut, len(text), CUT))
            kept, cut = max(kept, held), len(text)
        edits = [edit for span in spans for edit in self._edits(span, seen)]
        self._parts = self._behind(cut - seen)
        self._seen = text[max(0, cut - kept) : cut]
        return edits

    def _edits(self, span: tuple[int, int, str], seen: int) -> list[tuple[int, int, str]]:
        start, end, name = max(0, span[0] - seen), span[1] - seen, span[2]
        edits, offset = [], 0
        for text, places in self._parts:
            first, last = max(start, offset), min(end, offset + len(text))
            if first < last:
                edits.append((places[first - offset], places[last - offset], name))
                name = ""
            offset += len(text)
        return edits

    def _behind(self, cut: int) -> list[tuple[bytes, range | list[int]]]:
        left, offset = [], 0
        for text, places in self._parts:
            at = max(0, cut - offset)
            if at < len(text):
                left.append((text[at:], places[at:]))
            offset += len(text)
        return left


class Stream:
    """Takes the pieces of a stream; tells each of what is to be replaced in it, and when it is decided.

    is_messages: each piece is a whole message.
    """

    def __init__(self, redactor: Redactor, *, is_messages: bool) -> None:
        self._redactor = redactor
        self._is_messages = is_messages
        self._length = 0
        # Those that are not decided, and where each begins and ends.
        self._pieces: list[Piece] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._fresh: list[bytes] = []
        self._raw = _Text(redactor)
        self._leaves = Leaves()
        self._texts: OrderedDict[tuple[Any, ...], _Text] = OrderedDict()

    def add(self, text: bytes, piece: Piece) -> None:
        """One more piece. Nothing is decided before `settle`."""
        start, self._length = self._length, self._length + len(text)
        self._pieces.append(piece)
        self._starts.append(start)
        self._ends.append(self._length)
        self._raw.add(text, range(start, self._length + 1))
        if self._is_messages:
            self._put(strings(text, start))
        else:
            self._fresh.append(text)

    def settle(self, *, is_over: bool = False, is_forced: bool = False) -> None:
        """Decides what can be; all where nothing follows or it can't be waited for."""
        self._put(self._leaves.feed(b"".join(self._fresh)))
        self._fresh.clear()
        if is_over:
            self._put(self._leaves.close())
        elif is_forced:
            self._leaves.drop()
        open_at = [] if self._leaves.open_at is None else [self._leaves.open_at]
        for text in (self._raw, *self._texts.values()):
            self._edit(text.settled(is_over=is_over, is_forced=is_forced))
            if text.open_at is not None:
                open_at.append(text.open_at)
        self._let_go(min(open_at, default=self._length))

    def _put(self, leaves: list[Leaf]) -> None:
        for leaf in leaves:
            text = self._texts.get(leaf.key)
            if text is None:
                text = self._texts[leaf.key] = _Text(self._redactor)
                if len(self._texts) > _MOST_TEXTS:
                    _, oldest = self._texts.popitem(last=False)
                    self._edit(oldest.settled(is_over=True))
            else:
                self._texts.move_to_end(leaf.key)
            text.add(leaf.text, leaf.places)

    def _edit(self, edits: list[tuple[int, int, str]]) -> None:
        for start, end, name in edits:
            place = bisect_right(self._ends, start)
            while place < len(self._ends) and self._starts[place] < end:
                first, last = max(start, self._starts[place]), min(end, self._ends[place])
                text = placeholder(name) if name else b""
                self._pieces[place].replace(
                    first - self._starts[place], last - self._starts[place], text
                )
                name = ""
                place += 1

    def _let_go(self, open_at: int) -> None:
        count = bisect_right(self._ends, open_at)
        for piece in self._pieces[:count]:
            piece.decided()
        del self._starts[:count], self._ends[:count], self._pieces[:count]
