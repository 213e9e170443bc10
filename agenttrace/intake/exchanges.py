"""HTTP exchanges as the hooks tell them, to events: model calls where a provider knows them, else `http_*`."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from agenttrace import encoding, layout, providers
from agenttrace.intake import content, mcp
from agenttrace.intake.conversations import Conversations
from agenttrace.intake.frame_cleaning import FrameCleaner
from agenttrace.intake.tools import ToolLedger
from agenttrace.prices import PriceTable, seller_of
from agenttrace.recording import Recording
from agenttrace.redaction import NOT_OF_REQUESTS, PieceCleaner


class OpenExchange:
    """One exchange from its request to its end. Times (`at_ns`) count from the request, on the
    agent's monotonic clock.
    """

    def __init__(
        self,
        recording: Recording,
        tools: ToolLedger,
        mcp_sessions: mcp.Sessions,
        conversations: Conversations,
        prices: PriceTable,
        head: dict[str, Any],
        body: bytes,
        span_id: str,
        parent_span_id: str | None,
    ) -> None:
        self._recording = recording
        self._tools = tools
        self._mcp_sessions = mcp_sessions
        self._conversations = conversations
        self._prices = prices
        self._url: str = head["url"]
        self._asked_model: str | None = None
        self._ts_ns: int = head["ts"]
        self._span = (span_id, parent_span_id)
        self.last_ns = 0  # when it was last heard of
        self._http: dict[str, Any] | None = None
        self._unpacker: content.Unpacker | None = None
        self._stream: (
            providers.EventStream | providers.JsonLines | providers.AmazonFrames | None
        ) = None
        self._body = BytesIO()  # hands out what it holds without a copy
        self._body_bytes = 0
        self._first_at_ns: int | None = None
        self._pieces: PieceCleaner | FrameCleaner = recording.pieces()
        self._has_told_http = False
        self._fold: providers.Fold | None = None
        self._provider: tuple[providers.Provider, str] | None = None
        self._mcp: mcp.Peer | None = (
            None  # if it asks for a tool, or a session's answers come on it
        )
        self._may_open_session = False
        self._write_request(head, body)

    # -- the request -------------------------------------------------------------------------

    def _write_request(self, head: dict[str, Any], body: bytes) -> None:
        method, url = head["method"], head["url"]
        members, value = content.body_members("request", self._recording.clean_form(body))
        if head.get("truncated"):
            members["truncated"] = head["truncated"]
        http = {
            "method": method,
            "url": self._recording.clean_url(url),
            "headers": self._recording.kept_headers(
                pair for pair in head["headers"] if pair[0].lower() not in NOT_OF_REQUESTS
            ),
        }
        self._provider = providers.recognise(method, url, value)
        if self._provider is None:
            self._kind = "http"
            self._write("http_request", {**http, **members}, self._ts_ns)
            self._may_open_session = method == "GET"
            session = self._mcp_sessions.posted_to(url)
            if session is not None:
                session.asked(value, self._ts_ns, self._span[0])
            elif mcp.is_call(value):
                self._mcp = mcp.Peer(self._tools, self._span[0])
                self._mcp.asked(value, self._ts_ns)
            return
        self._kind = "llm"
        provider, operation = self._provider
        asked = provider.asked(operation, value, url)
        self._asked_model = asked.model
        first = self._conversations.begun(
            self._span[0], asked, self._tools.asked_by(asked.tool_results)
        )
        if self._span[1] is None:  # what encloses it says more
            self._span = (self._span[0], first)
        self._tools.answered(asked.tool_results, self._ts_ns)
        facts = {
            "provider": provider.name,
            "operation": operation,
            "model": asked.model,
            "stream": asked.stream,
            **members,
            "http": http,
        }
        self._write("llm_request", facts, self._ts_ns)

    # -- the answer --------------------------------------------------------------------------

    def response(self, head: dict[str, Any]) -> None:
        """Status and headers are there."""
        headers = self._recording.kept_headers(head["headers"])
        self._unpacker = content.unpacker(headers.get("content-encoding", ""))
        if self._unpacker is not None:
            headers.pop("content-encoding", None)  # what the trace holds is unpacked
        else:
            packed = headers["content-encoding"]
            self._recording.gap(
                f"an answer packed as {packed!r} is kept packed", span_id=self._span[0]
            )
        self._http = {"status": head["status"], "headers": headers}
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type in providers.STREAMS:
            self._stream = providers.STREAMS[media_type]()
            if isinstance(self._stream, providers.AmazonFrames):
                self._pieces = FrameCleaner(self._recording.pieces)
            if self._provider is not None:
                provider, operation = self._provider
                self._fold = provider.fold(operation)

    def chunk(self, at_ns: int, data: bytes) -> None:
        """A piece of the body, as it travelled."""
        data = self._unpacked(data)
        if not data:
            return
        if self._stream is None:
            self._body_bytes += len(data)
            self._body.write(data[: content.MAX_BODY_BYTES + 1 - self._body.tell()])
            return
        if self._first_at_ns is None:
            self._first_at_ns = at_ns
        if self._fold is not None:
            for event, text in self._stream.feed(data):
                self._fold.feed(event, text)
        elif self._mcp is not None or self._may_open_session:
            self._read_mcp(self._stream.feed(data), at_ns)
        self._piece(self._pieces.feed(data), at_ns)

    def _read_mcp(self, events: list[tuple[str | None, str]], at_ns: int) -> None:
        for event, text in events:
            if self._may_open_session:
                # It is the first event, or this is another stream.
                self._may_open_session = False
                if event == "endpoint":
                    self._mcp = self._mcp_sessions.opened(self._url, text)
            elif self._mcp is not None:
                self._mcp.answered(mcp.read(text), self._ts_ns + at_ns)

    def _piece(self, data: bytes, at_ns: int) -> None:
        if not data:
            return
        facts: dict[str, Any] = {"text": encoding.bytes_value(data), "at_ns": at_ns}
        if not self._has_told_http:
            self._has_told_http = True
            facts["http"] = self._http
        self._write(self._kind + "_chunk", facts, self._ts_ns + at_ns)

    def _unpacked(self, data: bytes) -> bytes:
        if self._unpacker is None:
            return data
        try:
            return self._unpacker.decompress(data)
        except ValueError as error:
            self._recording.gap(f"an answer could not be unpacked: {error}", span_id=self._span[0])
            self._unpacker = None
            return data

    def end(self, at_ns: int, complete: bool, error: dict[str, Any] | None) -> None:
        """It is over. Every request gets its response, also where there was no answer."""
        self._piece(self._pieces.rest(), at_ns)
        body = self._body.getvalue()
        members, value = content.body_members("response", body)
        laid_out = layout.of(body, value) if "response" in members else None
        if laid_out is not None:
            members["layout"] = laid_out
        if self._body_bytes > self._body.tell():
            members["truncated"] = self._body_bytes
        facts: dict[str, Any] = {"complete": complete}
        if error is not None:
            facts["error"] = error
        if not self._has_told_http and self._http is not None:
            facts["http"] = self._http
        facts.update(members)
        answer = self._answer(value)
        if answer is not None:
            facts["complete"] = error is None and (complete or answer.complete)
            facts.update(_answer_facts(answer, facts))
            facts.update(self._cost(answer))
        if self._first_at_ns is not None:
            facts["ttft_ns"] = self._first_at_ns
        facts["duration_ns"] = at_ns
        self._write(self._kind + "_response", facts, self._ts_ns + at_ns)
        if self._mcp is not None:
            self._read_mcp(self._stream.close() if self._stream is not None else [], at_ns)
            self._mcp.answered(value, self._ts_ns + at_ns)
            self._mcp_sessions.closed(self._mcp)
        self._conversations.ended(self._span[0], answer, facts["complete"])
        if answer is not None:
            self._tools.called(answer.tool_calls, self._span[0], self._ts_ns + at_ns)

    def _answer(self, value: Any) -> providers.Answer | None:
        if self._fold is not None and self._stream is not None:
            for event, text in self._stream.close():
                self._fold.feed(event, text)
            return self._fold.answer()
        if self._provider is None or self._http is None or (value is None and not self._body_bytes):
            return None
        provider, operation = self._provider
        if value is None:
            value = self._body.getvalue().decode("utf-8", "replace")
        return provider.answer(operation, self._http["status"], value)

    def _cost(self, answer: providers.Answer) -> dict[str, Any]:
        """What it cost: by the model that answered, which says more than the one that was asked (an alias);
        on Bedrock by the latter, whose name says the region too.
        """
        if self._provider is None or answer.usage is None:
            return {}
        name = self._provider[0].name
        model = answer.model or self._asked_model
        if seller_of(name, self._url) == "bedrock":
            model = self._asked_model
        cost_usd = self._prices.cost_usd(name, self._url, model, answer.usage)
        return {} if cost_usd is None else {"cost_usd": encoding.decimal(cost_usd)}

    def _write(self, kind: str, facts: dict[str, Any], ts_ns: int) -> None:
        self._recording.write(kind, facts, self._span[0], self._span[1], ts_ns)


def _answer_facts(answer: providers.Answer, known: dict[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if answer.error is not None and "error" not in known:
        facts["error"] = answer.error
    for name in ("text", "reasoning"):
        if getattr(answer, name) is not None:
            facts[name] = getattr(answer, name)
    if answer.tool_calls:
        facts["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in answer.tool_calls
        ]
    for name in ("finish_reason", "model", "usage"):
        if getattr(answer, name) is not None:
            facts[name] = getattr(answer, name)
    return facts
