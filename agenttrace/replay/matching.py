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

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agenttrace import encoding
from agenttrace.errors import ReplayError
from agenttrace.event import parse_json
from agenttrace.intake import content
from agenttrace.redaction import GATEWAY_TOKEN, NoRedactor, OwnRedactor, Redactor, clean_url
from agenttrace.replay import comparison, json_path
from agenttrace.replay.edited import contradicts
from agenttrace.replay.masked_index import Finders, MaskedIndex
from agenttrace.replay.nearest import DivergenceFound, nearest
from agenttrace.replay.places import path_of, place_of, server_of
from agenttrace.replay.recorded import Recorded, RecordedRun
from agenttrace.replay.recorded_websockets import RecordedWebsocket
from agenttrace.replay.volatile import Owns, owns

SENDING, RECEIVING = "SEND", "RECEIVE"  # what is done over a websocket, in place of a method


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
        finders = Finders(self._own, loosened.masks)
        self._masked = [
            MaskedIndex(run, finders, is_naming=False),
            MaskedIndex(run, finders, is_naming=True),
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
        if server_of(found.url) != server_of(url):
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
        return self._told(
            nearest(
                candidates, method, url, path_of(url), request, lambda one: path_of(one.url), mask
            )
        )

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


def _keys(method: str, url: str, request: Any, is_of_model: bool) -> tuple[bytes, bytes]:
    """Of this very URL, and of wherever else it means the same."""
    body = comparison.canonical(request)
    elsewhere = f"{method} {path_of(url)} ".encode("utf-8", "replace") + place_of(url, is_of_model)
    return comparison.digest(
        f"{method} {url} ".encode("utf-8", "replace") + body
    ), comparison.digest(elsewhere + body)
