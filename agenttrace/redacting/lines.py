"""The lines of traces with the secrets taken out of them that lie in the text of several: pieces of streams."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any, Optional

from agenttrace import _backend
from agenttrace.encoding import bytes_value, value_bytes
from agenttrace.event import parse_json
from agenttrace.redacting.events import EventCleaner
from agenttrace.redacting.streams import Stream
from agenttrace.splicing import with_member

# What waits for the rest of a text that may be a secret, and the lines behind it.
MAX_WAITING_BYTES = 32 << 20
_MOST_STREAMS = 10_000

_CHUNKS = {
    "llm_response": "llm_chunk",
    "http_response": "http_chunk",
    "process_end": "process_chunk",
}
_MESSAGES = ("ws_send", "ws_receive")
_PIECES = frozenset((*_CHUNKS.values(), *_MESSAGES, "stdin", "stdout", "stderr"))

_Key = tuple[str, Optional[str], str, str]  # trace, span, kind, stream


class _Line:
    """A line that waits. Of a piece's line: its text, and what is to be replaced in it."""

    def __init__(self, line: bytes) -> None:
        self.line = line
        self.is_decided = True
        self.text = b""
        self._edits: list[tuple[int, int, bytes]] = []

    def replace(self, start: int, end: int, text: bytes) -> None:
        self._edits.append((start, end, text))

    def decided(self) -> None:
        self.is_decided = True

    def edited(self) -> tuple[bytes, int]:
        """(the line, unsealed where it was changed; how many secrets were taken out). Without text it is left out."""
        if not self._edits:
            return self.line, 0
        parts, copied, count = [], 0, 0
        for start, end, text in _merged(self._edits):
            parts += [self.text[copied:start], text]
            copied = end
            count += bool(text)
        text = b"".join([*parts, self.text[copied:]])
        if not text:
            return b"", count
        data_start, data_end = _backend.open_line(self.line)[7:9]
        try:
            data = _backend.compact_json(self.line[data_start:data_end])
        except ValueError:  # it can't be redacted, and is left out for that
            return self.line, 0
        data = with_member(data, "text", bytes_value(text))
        return self.line[:data_start] + data + b"}\n", count


def _merged(edits: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """By place; of those that overlap the first text that there is stands for all."""
    merged: list[tuple[int, int, bytes]] = []
    for start, end, text in sorted(edits, key=lambda edit: edit[:2]):
        if merged and start < merged[-1][1]:
            first = merged[-1]
            merged[-1] = (first[0], max(first[1], end), first[2] or text)
        else:
            merged.append((start, end, text))
    return merged


class StreamRedaction:
    """Good lines in, the same lines out, in their order; those that were changed are unsealed.

    A line whose text may go on with the rest of a secret waits for that, and the lines behind it wait too: 32 MiB of
    them at most, then the end of such a text is taken for a secret.
    """

    def __init__(self, cleaner: EventCleaner) -> None:
        self._cleaner = cleaner
        self._queue: deque[_Line] = deque()
        self._waiting_bytes = 0
        self._streams: OrderedDict[_Key, Stream] = OrderedDict()
        self._fresh: dict[_Key, Stream] = {}

    def feed(self, lines: bytes) -> bytes:
        """Whole lines in, whole lines out."""
        for line in lines.split(b"\n")[:-1]:
            self._take(line + b"\n")
        for stream in self._fresh.values():
            stream.settle()
        self._fresh.clear()
        if self._waiting_bytes > MAX_WAITING_BYTES:
            out = self._decided()
            if self._waiting_bytes > MAX_WAITING_BYTES:
                for stream in self._streams.values():
                    stream.settle(is_forced=True)
            return out + self._decided()
        return self._decided()

    def finish(self) -> bytes:
        """Nothing follows."""
        for key in list(self._streams):
            self._end(key)
        return self._decided()

    def _take(self, line: bytes) -> None:
        one = _Line(line)
        self._queue.append(one)
        self._waiting_bytes += len(line)
        _, trace_id, _, _, kind, span_id, _, start, end, _ = _backend.open_line(line)
        if kind in _PIECES:
            self._piece(one, (trace_id, span_id, kind), line[start:end])
        elif kind == "trace_end":
            for key in [key for key in self._streams if key[0] == trace_id]:
                self._end(key)
        elif kind in _CHUNKS:
            for stream in ("", "stdin", "stdout", "stderr"):
                self._end((trace_id, span_id, _CHUNKS[kind], stream))

    def _piece(self, one: _Line, whose: tuple[str, Optional[str], str], data: bytes) -> None:
        facts = _facts(data)
        name = facts.get("stream")
        key = (*whose, name if isinstance(name, str) else "")
        one.text = value_bytes(facts.get("text"))
        if not one.text:
            self._end(key)  # of a pipe, of typed input
            return
        stream = self._streams.get(key)
        if stream is None:
            is_messages = whose[2] in _MESSAGES
            stream = self._streams[key] = Stream(self._cleaner.redactor, is_messages=is_messages)
            if len(self._streams) > _MOST_STREAMS:
                self._end(next(iter(self._streams)))
        one.is_decided = False
        stream.add(one.text, one)
        self._streams.move_to_end(key)
        self._fresh[key] = stream

    def _end(self, key: _Key) -> None:
        self._fresh.pop(key, None)
        stream = self._streams.pop(key, None)
        if stream is not None:
            stream.settle(is_over=True)

    def _decided(self) -> bytes:
        out = []
        while self._queue and self._queue[0].is_decided:
            one = self._queue.popleft()
            self._waiting_bytes -= len(one.line)
            line, count = one.edited()
            out.append(line)
            if count:
                self._cleaner.count(_backend.open_line(one.line)[1], count)
        return b"".join(out)


def _facts(data: bytes) -> dict[str, Any]:
    """What the data of a piece say; nothing for what is no JSON, or not of this shape: it is no piece then."""
    try:
        facts = parse_json(data)
        value_bytes(facts.get("text"))
    except (ValueError, RecursionError, AttributeError):
        return {}
    return facts if isinstance(facts, dict) else {}
