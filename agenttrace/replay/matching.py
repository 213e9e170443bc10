"""Which recorded answer a request gets: by what it says, not by its turn.

The ladder, each step below the first told in the report:

1. the same request, to the letter of its JSON;
2. the same at another server: what a model is asked is asked of whichever serves it, and servers of this
   machine are here today and there tomorrow; any other request means the server that it names;
3. the same but for volatile values (`volatile.py`), then also but for the names of user and machine;
4. the same but for what stands where a secret was removed from the recorded one;
5. else it has diverged.

There is no step that takes the conversation's next answer for a request that says something else: an
old answer to new words is what a replay must never give. Who wants that names the place with `--ignore`.

The same request twice gets its two answers in the order in which they were recorded. A lookup costs the
same however long the trace is.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from agenttrace import encoding
from agenttrace.errors import ReplayError
from agenttrace.event import parse_json
from agenttrace.intake import content
from agenttrace.redaction import GATEWAY_TOKEN, NoRedactor, OwnRedactor, Redactor, clean_url
from agenttrace.replay import comparison, json_path
from agenttrace.replay.edited import contradicts
from agenttrace.replay.masking import SECRET, Masked, fits, leaves
from agenttrace.replay.nearest import DivergenceFound, nearest
from agenttrace.replay.recorded import Recorded, RecordedRun
from agenttrace.replay.recorded_websockets import RecordedWebsocket
from agenttrace.replay.volatile import Finder, Owns, Token, owns

SENDING, RECEIVING = "SEND", "RECEIVE"  # what is done over a websocket, in place of a method
_MAX_LOOKED_AT = 64  # of recorded requests that are alike but for volatile values
_MAX_TOLD = 5
_LOOPBACK = re.compile(r"(?:127\.\d+\.\d+\.\d+|0\.0\.0\.0|localhost|\[::1?\])(?::\d*)?\Z")


class Loosened(NamedTuple):
    """What the user lets differ. ignore: JSON paths; masks: regular expressions."""

    ignore: tuple[json_path.Path, ...] = ()
    masks: tuple[str, ...] = ()


@dataclass
class MatchReport:
    """What came of a replay's requests. masked: how each request that was not matched to the letter differed;
    reordered: what was answered in another order than recorded.
    """

    matched: int = 0
    masked: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    divergence: DivergenceFound | None = None
    diverged: int = 0


def redactor_of(
    run: RecordedRun,
    patterns: Sequence[str] = (),
    keep_env: Sequence[str] = (),
    token: str | None = None,
) -> Redactor | NoRedactor:
    """Redacts what is asked as the run was when it was recorded: by this process's environment, save the variables
    keep_env, and by these patterns of the user's. ReplayError for patterns where nothing was redacted: what they match
    would match nothing recorded. token: the gateway's, if there is one.
    """
    if run.start and not run.start.get("redaction"):
        if patterns:
            raise ReplayError("was recorded without redaction: leave --redact out")
        return NoRedactor() if token is None else OwnRedactor(token)
    ours = {} if token is None else {GATEWAY_TOKEN: token}
    return Redactor({**os.environ, **ours}, keep_env, patterns)  # also where the start is lost


def missing_patterns(run: RecordedRun, redactor: Redactor | NoRedactor) -> list[str]:
    """The names of the patterns that hid secrets when it was recorded, and that this redactor does not have."""
    return [name for name in run.patterns if name not in redactor.rules]


class Matcher:
    """Hands out the recorded answers of one run."""

    def __init__(
        self,
        run: RecordedRun,
        redactor: Redactor | NoRedactor | None = None,
        loosened: Loosened | None = None,
        own: Owns | None = None,
    ) -> None:
        """own: of the recorded run and the one that asks; left out: that one is this process."""
        loosened = loosened or Loosened()
        self._run = run
        self._loosened, self._own = loosened, own or owns(run.start)
        self.redactor = redactor or NoRedactor()
        self._ignore = loosened.ignore
        self._exact: dict[bytes, deque[Recorded]] = {}
        self._elsewhere: dict[bytes, deque[Recorded]] = {}
        self.asked: set[int] = set()
        self.report = MatchReport()
        for exchange in run.exchanges:
            exchange.request = json_path.without(exchange.request, self._ignore)
            exact, elsewhere = _keys(
                exchange.method, exchange.url, exchange.request, exchange.is_of_model
            )
            self._exact.setdefault(exact, deque()).append(exchange)
            self._elsewhere.setdefault(elsewhere, deque()).append(exchange)
        finders = _Finders(self._own, loosened.masks)
        self._masked = [
            _MaskedIndex(run, finders, is_naming=False),
            _MaskedIndex(run, finders, is_naming=True),
        ]
        self._messages = {
            exchange.seq: self._messages_of(exchange.websocket)
            for exchange in run.exchanges
            if exchange.websocket is not None
        }

    def ask(self, method: str, url: str, body: bytes) -> Recorded | DivergenceFound:
        """The answer to this request, each recorded one once; or in what it differs from the nearest."""
        url = self._cleaned_url(url)
        request = json_path.without(self._read(body), self._ignore)
        found, told = self._found(method, url, request)
        if found is None:
            return self._diverge(method, url, request)
        if _server(found.url) != _server(url):
            told.append(f"asked at {url}, recorded at {found.url}")
        if self._run.is_resealed and contradicts(found):
            told.append(
                "its text says something else than the body or the pieces, which are what is answered"
            )
        if told:
            self.report.masked.append(f"event {found.seq}: {', '.join(told)}")
        self.asked.add(found.seq)
        self.report.matched += 1
        return found

    def unasked(self) -> list[Recorded]:
        """Recorded requests that were not asked, and messages of websockets that were not sent (so far)."""
        found = self.unasked_exchanges()
        for messages in self._messages.values():
            found += messages.unasked()
        return sorted(found, key=lambda one: one.seq)

    def cover(self, seq: int) -> None:
        """Nobody will ask for this exchange, nor send what was sent over it."""
        self.asked.add(seq)
        if seq in self._messages:
            messages = self._messages[seq]
            messages.asked.update(one.seq for one in messages.unasked())

    @property
    def recorded(self) -> int:
        """How many requests and messages there are."""
        return len(self._run.exchanges) + sum(one.recorded for one in self._messages.values())

    @property
    def has_messages(self) -> bool:
        """Whether there are websockets."""
        return bool(self._messages)

    def messages(self, seq: int) -> Matcher:
        """For what is sent over the websocket that this exchange opened: a message is asked like a request."""
        return self._messages[seq]

    def _messages_of(self, websocket: RecordedWebsocket) -> Matcher:
        sent = [
            Recorded(
                one.seq,
                SENDING,
                websocket.url,
                _read_message(b"".join(one.parts)),
                ts_ns=one.ts_ns,
            )
            for one in websocket.sent
        ]
        run = RecordedRun(exchanges=sent, start=self._run.start)
        made = _Messages(run, self.redactor, self._loosened, self._own)
        made.report = self.report
        return made

    def unasked_exchanges(self) -> list[Recorded]:
        """Of those the requests alone."""
        return [exchange for exchange in self._run.exchanges if exchange.seq not in self.asked]

    def miss(self, seq: int) -> DivergenceFound:
        """This recorded request was not asked, and all waits for what it would bring."""
        missing = next(one for one in self._run.exchanges if one.seq == seq)
        whole = list(comparison.differences({"message": missing.request}, {}))
        return self._told(DivergenceFound(RECEIVING, missing.url, seq, whole))

    def _found(self, method: str, url: str, request: Any) -> tuple[Recorded | None, list[str]]:
        """With what is told of how it was found."""
        for is_of_model in (False, True):
            exact, elsewhere = _keys(method, url, request, is_of_model)
            found = self._next(self._exact.get(exact)) or self._next(self._elsewhere.get(elsewhere))
            if found is not None:
                return found, []
        found, told = self._inexact(method, url, request)
        return found, [told] if told else []

    def _next(self, queue: deque[Recorded] | None) -> Recorded | None:
        while queue:
            exchange = queue.popleft()
            if exchange.seq not in self.asked:
                return exchange
        return None

    def _unread(self, method: str, url: str) -> Recorded | None:
        """A recorded request without a body that got no answer: its connection failed before its body was made."""
        queue = self._exact.get(_keys(method, url, b"", False)[0])
        if queue and queue[0].status is None and queue[0].error is not None:
            return self._next(queue)
        return None

    def _inexact(self, method: str, url: str, request: Any) -> tuple[Recorded | None, str | None]:
        found = self._unread(method, url)
        if found is not None:
            return found, "its connection failed before its body was made"
        for index in self._masked:
            found, told = index.find(method, url, request, self.asked)
            if found is not None:
                return found, told
        found = self._masked[0].find_with_secrets(method, url, request, self.asked)
        return found, "matched but for a secret that was removed from the recording"

    def _read(self, body: bytes) -> Any:
        """As it would have been recorded: redacted alike, so that what was redacted matches."""
        raw, value = content.read_json(body)
        if raw is None:
            return self.redactor.clean_text(self.redactor.clean_form(body))
        cleaned = self.redactor.clean(raw.text)
        return value if cleaned == raw.text else content.read_json(cleaned)[1]

    def _cleaned_url(self, url: str) -> str:
        return self.redactor.clean_text(clean_url(url).encode("utf-8", "replace")).decode("utf-8")

    def _diverge(self, method: str, url: str, request: Any) -> DivergenceFound:
        candidates = self.unasked_exchanges() or self._run.exchanges
        mask = self._masked[0].masked_now
        return self._told(nearest(candidates, method, url, _path(url), request, _path_of, mask))

    def _told(self, found: DivergenceFound) -> DivergenceFound:
        self.report.diverged += 1
        if self.report.divergence is None:
            self.report.divergence = found
        return found


class _Messages(Matcher):
    """Of one websocket: a message is recorded as a text, which may be JSON, not as JSON."""

    def _read(self, body: bytes) -> Any:
        data = encoding.encode({"text": encoding.bytes_value(body)})
        return _read_message(encoding.value_bytes(parse_json(self.redactor.clean(data))["text"]))

    def _cleaned_url(self, url: str) -> str:
        return url  # the opening's, as it was recorded


def _read_message(text: bytes) -> Any:
    raw, value = content.read_json(text)
    return text if raw is None else value


class _Finders(NamedTuple):
    own: Owns
    patterns: Sequence[str]

    def pair(self, is_naming: bool) -> tuple[Finder, Finder]:
        return (
            Finder(self.own.then, self.patterns, is_naming),
            Finder(self.own.now, self.patterns, is_naming),
        )


class _MaskedIndex:
    """The recorded requests by what they say without volatile values. Made when it is first needed."""

    def __init__(self, run: RecordedRun, finders: _Finders, is_naming: bool) -> None:
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
        masked = Masked(self._now, [method, _path(url), request])
        says = comparison.canonical(masked.tree)
        for place in _places(url):
            alike = self._by_digest.get(_digest(place + says), [])
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
        now = dict(leaves(Masked(self._now, [method, _path(url), request]).tree))
        for places, by_digest in self._with_secrets.items():
            if not places <= now.keys():
                continue
            for exchange in by_digest.get(_digest_without(now, places), ()):
                if exchange.seq in asked or _place(
                    exchange.url, exchange.is_of_model
                ) not in _places(url):
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
            place = _place(exchange.url, exchange.is_of_model)
            says = comparison.canonical(masked.tree)
            by_digest.setdefault(_digest(place + says), []).append(exchange)
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
    return [exchange.method, _path_of(exchange), exchange.request]


def _digest_without(found: dict[Any, Any], places: frozenset[Any]) -> bytes:
    rest = sorted((repr(place), repr(leaf)) for place, leaf in found.items() if place not in places)
    return _digest(repr(rest).encode("utf-8", "replace"))


def _keys(method: str, url: str, request: Any, is_of_model: bool) -> tuple[bytes, bytes]:
    """Of this very URL, and of wherever else it means the same."""
    body = comparison.canonical(request)
    elsewhere = f"{method} {_path(url)} ".encode("utf-8", "replace") + _place(url, is_of_model)
    return _digest(f"{method} {url} ".encode("utf-8", "replace") + body), _digest(elsewhere + body)


def _place(url: str, is_of_model: bool) -> bytes:
    """What of its server a request means."""
    if is_of_model:
        return b"a model "
    server = _server(url)
    return b"here " if _LOOPBACK.match(server) else f"{server} ".encode("utf-8", "replace")


def _places(url: str) -> tuple[bytes, ...]:
    """Where what is asked there may have been recorded."""
    return _place(url, is_of_model=False), _place(url, is_of_model=True)


def _server(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return url


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()


def _path_of(exchange: Recorded) -> str:
    return _path(exchange.url)


def _path(url: str) -> str:
    """Path and query, what is asked of whichever server; the whole of a URL that is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return f"{parts.path}?{parts.query}"
