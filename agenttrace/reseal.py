"""Makes a new trace of lines that were edited, expanded or saved: new id, numbers, seals and end.

Knows nothing of files: good lines in, sealed lines out.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Callable, Optional

from agenttrace import _backend
from agenttrace.errors import TraceFormatError
from agenttrace.event import parse_json
from agenttrace.expanding import BuiltOnLost, Expander
from agenttrace.redacting.events import EventCleaner, has_its_base
from agenttrace.splicing import dump, end_of_value, member

_REACH = 64  # how many llm_requests back a base may lie
_BASE = re.compile(rb'\{"seq":\d+,"crc32c":"[0-9a-f]{8}"')
# Expanded lines are handed on at least so often: what 100 kB of short ones become may be a hundred times as much.
_PIECE_BYTES = 1 << 20
_SEAL_BYTES = len(b',"crc32c":"00000000"}\n')


def without_seals(lines: bytes) -> bytes:
    """The same lines, unsealed. A seal ends its line, so nothing else looks like one."""
    return _SEALS.sub(b"}\n", lines)


_SEALS = re.compile(rb',"crc32c":"[0-9a-f]{8}"\}\n')


class Resealer:
    """Takes the good lines of one or more traces, interleaved or not; hands back the new traces.

    full: conversations stand in full in the new trace, else `base` is led after the new numbers.
    was_edited: a base is found by its number alone, since an edit changed or dropped its seal.
    cleaner: what takes the secrets out of the data of each event.
    on_error: told (trace_id, seq, message) of each line that had to be left out, but for requests that go on with a
    lost one: those are counted in `built_on_lost`.
    """

    def __init__(
        self,
        *,
        full: bool = False,
        was_edited: bool = False,
        cleaner: Optional[EventCleaner] = None,
        on_error: Callable[[str, int, str], None],
    ) -> None:
        self._conversations = Expander(check_seal=not was_edited)
        self.built_on_lost = 0
        self._is_full = full
        self._cleaner = cleaner
        self._on_error = on_error
        self._traces: dict[str, _NewTrace] = {}

    def feed(self, lines: bytes) -> bytes:
        """Whole lines in, whole lines out."""
        return b"".join(self.pieces(lines))

    def pieces(self, lines: bytes) -> Iterator[bytes]:
        """As `feed`, about a megabyte at a time: what comes out may be much more than what went in."""
        made, size = [], 0
        for line in lines.split(b"\n")[:-1]:
            resealed = self._resealed(line)
            made.append(resealed)
            size += len(resealed)
            if size >= _PIECE_BYTES:
                yield b"".join(made)
                made, size = [], 0
        yield b"".join(made)

    def finish(self) -> bytes:
        """Nothing is held back: an end that was not there is not made up."""
        return b""

    def _resealed(self, line: bytes) -> bytes:
        line = _compact(line) + b"\n"
        frame = _backend.open_line(line)
        trace = self._traces.get(frame[1])
        if trace is None or (trace.has_ended and frame[4] == "trace_start"):
            # Another copy of the same trace, joined behind it, becomes a trace of its own.
            trace = self._traces[frame[1]] = _NewTrace(frame[1], self._cleaner)
        try:
            expanded = self._conversations.expand(line)
            return trace.add(frame, line, expanded, is_full=self._is_full)
        except BuiltOnLost:
            self.built_on_lost += 1
            return b""
        except (TraceFormatError, ValueError) as error:
            self._on_error(frame[1], frame[3], str(error))
            return b""


def _compact(line: bytes) -> bytes:
    # Sealed lines are compact by their seal; an edit may have brought white space.
    if line[-_SEAL_BYTES + 1 :].startswith(b',"crc32c":"'):
        return line
    return _backend.compact_json(line, _backend.MAX_DEPTH)


class _NewTrace:
    """The one new trace that an old one becomes: counts, chains, leads `base` after."""

    def __init__(self, old_trace_id: str, cleaner: Optional[EventCleaner]) -> None:
        self._old_trace_id = old_trace_id
        self._cleaner = cleaner
        self._trace_id = os.urandom(16).hex()
        self._seq = 0
        self._chain = 0
        self.has_ended = False
        self._requests: OrderedDict[int, tuple[int, bytes]] = OrderedDict()

    def add(self, frame: tuple[Any, ...], line: bytes, expanded: bytes, *, is_full: bool) -> bytes:
        """The line's successor. expanded: the event with its whole request; is_full: to be written so."""
        _, _, ts, old_seq, kind, span_id, parent_span_id, start, end, _ = frame
        if self.has_ended:
            raise TraceFormatError("the event stands behind its trace's trace_end and is left out")
        text, is_whole = line, False
        if expanded != line:
            is_whole = is_full
            if not is_whole and self._cleaner is not None:
                cleaned = self._cleaned(kind, line[start:end])
                is_whole = not has_its_base(line[start:end], cleaned)
            if is_whole:
                text = expanded
                start, end = _backend.open_line(text)[7:9]
        # An expanded request is long: nothing of it is copied without need, and it has no base to be led after.
        if self._cleaner is not None or not is_whole:
            data = self._cleaned(kind, text[start:end])
            text = data if is_whole else self._data(kind, data)
            start, end = 0, len(text)
        sealed = self._seal(ts, kind, span_id, parent_span_id, (text, start, end))
        if kind == "llm_request":
            self._keep(old_seq, sealed)
        self._seq += 1
        return sealed

    def _cleaned(self, kind: str, data: bytes) -> bytes:
        return (
            data if self._cleaner is None else self._cleaner.clean(self._old_trace_id, kind, data)
        )

    def _data(self, kind: str, data: bytes) -> bytes:
        if kind == "trace_start":
            facts = parse_json(data)
            if self._cleaner is not None:
                facts = self._cleaner.start(facts)
            parent = {"trace_id": self._old_trace_id, "why": "resealed"}
            return dump({**facts, "parent": parent})
        if kind == "trace_end":
            self.has_ended = True
            facts = parse_json(data)
            if self._cleaner is not None:
                facts = self._cleaner.end(self._old_trace_id, facts)
            closing = {"events": self._seq, "chain": f"{self._chain:08x}"}
            return dump({**_without(facts, closing), **closing})
        if kind == "llm_request":
            return self._with_new_base(data)
        return data

    def _with_new_base(self, data: bytes) -> bytes:
        place = member(data, "base") if b'"base":' in data else None
        if place is None:
            return data
        old = _BASE.match(data, place)
        base = parse_json(data[place : end_of_value(data, place)])
        if old is None or base["seq"] not in self._requests:
            raise TraceFormatError("the request's base is not in the new trace")
        seq, seal = self._requests[base["seq"]]
        return data[:place] + b'{"seq":%d,"crc32c":"%s"' % (seq, seal) + data[old.end() :]

    def _keep(self, old_seq: int, sealed: bytes) -> None:
        self._requests.pop(old_seq, None)
        self._requests[old_seq] = (self._seq, sealed[-11:-3])
        if len(self._requests) > _REACH:
            self._requests.popitem(last=False)

    def _seal(
        self,
        ts: str,
        kind: str,
        span_id: Optional[str],
        parent_span_id: Optional[str],
        data: tuple[bytes, int, int],
    ) -> bytes:
        spans = f',"span_id":"{span_id}"' if span_id else ""
        spans += f',"parent_span_id":"{parent_span_id}"' if parent_span_id else ""
        head = (
            f'{{"v":1,"trace_id":"{self._trace_id}","ts":"{ts}","seq":{self._seq},"kind":"{kind}"'
            f'{spans},"data":'
        )
        sealed = _backend.seal_event(head.encode("ascii"), *data)
        if len(sealed) > _backend.MAX_LINE_BYTES:
            raise TraceFormatError("the event would be longer than a line may be")
        self._chain = _backend.crc32c(bytes.fromhex(sealed[-11:-3].decode("ascii")), self._chain)
        return sealed


def _without(members: dict[str, Any], names: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name not in names}
