"""The recorded requests by what they say without volatile values, and without what secrets were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from agenttrace.replay import comparison
from agenttrace.replay.comparison import digest
from agenttrace.replay.masking import SECRET, Masked, fits, leaves
from agenttrace.replay.places import path_of, place_of, places_of
from agenttrace.replay.recorded import Recorded, RecordedRun
from agenttrace.replay.volatile import Finder, Owns, Token

_MAX_LOOKED_AT = 64  # of recorded requests that are alike but for volatile values
_MAX_TOLD = 5


class Finders(NamedTuple):
    """Of volatile values. own: of the recorded run and the one that asks; patterns: the user's own, to be masked."""

    own: Owns
    patterns: Sequence[str]

    def pair(self, is_naming: bool) -> tuple[Finder, Finder]:
        """For the recorded run and for this one. is_naming: names of user and machine are volatile too."""
        return (
            Finder(self.own.then, self.patterns, is_naming),
            Finder(self.own.now, self.patterns, is_naming),
        )


class MaskedIndex:
    """The recorded requests by what they say without volatile values. Made when it is first needed."""

    def __init__(self, run: RecordedRun, finders: Finders, is_naming: bool) -> None:
        self._run = run
        self._then, self._now = finders.pair(is_naming)
        self._by_digest: dict[bytes, list[Recorded]] | None = None
        self._with_secrets: dict[frozenset[Any], dict[bytes, list[Recorded]]] = {}
        self._values: dict[int, list[Token]] = {}
        # Which value of the recorded run stands for which of this one, as far as matches told.
        self._means: dict[Token, Token] = {}
        self._meant: dict[Token, Token] = {}

    def masked_now(self, value: Any) -> Any:
        """A value of this run with masks."""
        return Masked(self._now, value).tree

    def find(
        self, method: str, url: str, request: Any, asked: set[int]
    ) -> tuple[Recorded | None, str | None]:
        """The recorded request that says the same, and how their values differ. Of several the one whose
        values agree with the earlier matches, else the first.
        """
        if self._by_digest is None:
            self._by_digest = self._made()
        masked = Masked(self._now, [method, path_of(url), request])
        says = comparison.canonical(masked.tree)
        for place in places_of(url):
            alike = self._by_digest.get(digest(place + says), [])
            alike[:] = [exchange for exchange in alike if exchange.seq not in asked]
            if alike:
                break
        else:
            return None, None
        found = next(
            (
                exchange
                for exchange in alike[:_MAX_LOOKED_AT]
                if self._agrees(self._values[exchange.seq], masked.values)
            ),
            alike[0],
        )
        pairs = self._pairs(self._values[found.seq], masked.values)
        self._means.update(pairs)
        self._meant.update((now, then) for then, now in pairs)
        return found, _told(pairs)

    def _agrees(self, then: list[Token], now: list[Token]) -> bool:
        return all(
            self._means.get(one, other) == other and self._meant.get(other, one) == one
            for one, other in zip(then, now)
        )

    def _pairs(self, then: list[Token], now: list[Token]) -> list[tuple[Token, Token]]:
        """The values that differ, each pair once, in their order."""
        return list(dict.fromkeys(pair for pair in zip(then, now) if pair[0] != pair[1]))

    def find_with_secrets(
        self, method: str, url: str, request: Any, asked: set[int]
    ) -> Recorded | None:
        """The recorded request that says the same but where secrets were removed from it."""
        if not self._with_secrets:
            return None
        now = dict(leaves(Masked(self._now, [method, path_of(url), request]).tree))
        for places, by_digest in self._with_secrets.items():
            if not places <= now.keys():
                continue
            for exchange in by_digest.get(_digest_without(now, places), ()):
                if exchange.seq in asked or place_of(
                    exchange.url, exchange.is_of_model
                ) not in places_of(url):
                    continue
                then = dict(leaves(Masked(self._then, _what(exchange)).tree))
                if all(fits(then[place], now[place]) for place in places):
                    return exchange
        return None

    def _made(self) -> dict[bytes, list[Recorded]]:
        by_digest: dict[bytes, list[Recorded]] = {}
        for exchange in self._run.exchanges:
            masked = Masked(self._then, _what(exchange))
            self._values[exchange.seq] = masked.values
            place = place_of(exchange.url, exchange.is_of_model)
            says = comparison.canonical(masked.tree)
            by_digest.setdefault(digest(place + says), []).append(exchange)
            if any(token.group == "secret" for token in masked.values):
                then = dict(leaves(masked.tree))
                places = frozenset(
                    place
                    for place, leaf in then.items()
                    if isinstance(leaf, str) and SECRET in leaf
                )
                alike = self._with_secrets.setdefault(places, {})
                alike.setdefault(_digest_without(then, places), []).append(exchange)
        return by_digest


def _told(pairs: list[tuple[Token, Token]]) -> str:
    if not pairs:
        return "the same JSON, in a string that spells it otherwise"
    told = [f"{then.group} {then.value} is now {now.value}" for then, now in pairs[:_MAX_TOLD]]
    more = len(pairs) - _MAX_TOLD
    return ", ".join(told) + (f", and {more} more" if more > 0 else "")


def _what(exchange: Recorded) -> list[Any]:
    return [exchange.method, path_of(exchange.url), exchange.request]


def _digest_without(found: dict[Any, Any], places: frozenset[Any]) -> bytes:
    rest = sorted((repr(place), repr(leaf)) for place, leaf in found.items() if place not in places)
    return digest(repr(rest).encode("utf-8", "replace"))
