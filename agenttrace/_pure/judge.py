"""Judges the traces of one stream: numbering, first and last, count and chain, bases.

Never sees a damaged line: those belong to no trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional

from agenttrace._pure import words
from agenttrace._pure.checksum import crc32c
from agenttrace._pure.line import FORMAT_VERSION, Line, data_of
from agenttrace._pure.requests import Shape, Window, judge_request

FindingTuple = tuple[
    str, Optional[str], Optional[int], Optional[int], Optional[int], Optional[str],
    Optional[str], str,
]  # fmt: skip

# A finding's kind, and what was expected and got.
_Found = tuple[str, Optional[object], Optional[object]]

# What `partial` waives: a part of a trace can't be blamed for what isn't in it.
WAIVED_IN_PARTS = frozenset(
    [
        "sequence_gap",
        "no_start",
        "no_end",
        "torn_line",
        "count_mismatch",
        "chain_mismatch",
        "missing_base",
    ]
)
_OF_CUT_OFF = frozenset({"no_end", "torn_line"})


class Findings:
    """All findings of a stream: all counted, so many kept; and the verdict they add up to."""

    def __init__(self, waived: frozenset[str], max_kept: int) -> None:
        self.total = 0
        self.is_empty_stream = False
        self._kinds: set[str] = set()
        self._waived = waived
        self._room = max(max_kept, 0)
        self._kept: list[FindingTuple] = []

    def add(
        self,
        kind: str,
        line: Optional[int],
        offset: Optional[int],
        of: Optional[Line] = None,
        expected: Optional[object] = None,
        got: Optional[object] = None,
        why: Optional[str] = None,
        trace_id: Optional[str] = None,
    ) -> bool:
        """One finding -> whether it is one: not if the mode waives its kind."""
        if kind in self._waived:
            return False
        self.total += 1
        self._kinds.add(kind)
        if self._room == 0:
            return True
        self._room -= 1
        self._kept.append(
            (
                kind,
                trace_id if of is None else of.trace_id,
                None if of is None else of.seq,
                line,
                offset,
                None if expected is None else str(expected),
                None if got is None else str(got),
                words.FINDINGS[kind] if why is None else why,
            )
        )
        return True

    def take(self) -> list[FindingTuple]:
        """Those kept since the last call."""
        kept, self._kept = self._kept, []
        return kept

    def copied(self) -> Findings:
        """The same counts and verdict, going on by themselves, with nothing to be taken."""
        other = Findings(self._waived, self._room)
        other.total, other.is_empty_stream = self.total, self.is_empty_stream
        other._kinds = set(self._kinds)
        return other

    def status(self) -> str:
        """intact, incomplete, unsupported or corrupt."""
        of_cut_off = _OF_CUT_OFF | {"no_start"} if self.is_empty_stream else _OF_CUT_OFF
        rest = self._kinds - of_cut_off
        if not self._kinds:
            return "intact"
        if not rest:
            return "incomplete"
        return "unsupported" if rest == {"unsupported_version"} else "corrupt"


class Checked(NamedTuple):
    """A line that is not damaged; `promise` is what a trace_end says of its trace."""

    line: Line
    body: bytes
    crc: int
    promise: Optional[tuple[str, str]]

    @property
    def data(self) -> bytes:
        """The bytes of `data` as they stand."""
        return data_of(self.body, self.line)


class _Trace:
    """What is known of one trace so far."""

    def __init__(self) -> None:
        self.highest = -1
        self.events = 0
        self.chain = 0
        self.ended = False
        self.requests: Window[Shape] = Window()

    def count(self, line: Line, crc: int) -> None:
        self.highest = max(self.highest, line.seq)
        self.events += 1
        self.chain = crc32c(crc.to_bytes(4, "big"), self.chain)
        self.ended = self.ended or line.kind == "trace_end"


class Judge:
    """The traces of one stream, each by itself."""

    def __init__(self, findings: Findings, allow_unsealed: bool) -> None:
        self._findings = findings
        self._allow_unsealed = allow_unsealed
        self._traces: dict[str, _Trace] = {}

    @property
    def traces(self) -> int:
        """How many traces were seen."""
        return len(self._traces)

    @property
    def all_ended(self) -> bool:
        """Whether every trace seen has its trace_end; False before the first line."""
        return bool(self._traces) and all(trace.ended for trace in self._traces.values())

    def take(self, checked: Checked, number: int, offset: int) -> None:
        """Judges one line that is not damaged, in its trace."""
        line = checked.line
        trace = self._traces.get(line.trace_id)
        is_first = trace is None
        if trace is None:
            trace = self._traces[line.trace_id] = _Trace()
        is_clean = True
        for kind, expected, got in self._in_frame(line, trace, is_first):
            if self._findings.add(kind, number, offset, line, expected, got):
                is_clean = False
                break
        if line.v == FORMAT_VERSION:
            self._look_inside(checked, trace, is_clean, number, offset)
        trace.count(line, checked.crc)

    def _in_frame(self, line: Line, trace: _Trace, is_first: bool) -> Iterator[_Found]:
        """What of this line holds without a look at its data, in the order of the format."""
        following = trace.highest + 1
        if line.v != FORMAT_VERSION:
            yield "unsupported_version", FORMAT_VERSION, line.v
            return
        if line.stored_crc is None and not self._allow_unsealed:
            yield "unsealed", None, None
        if is_first:
            if line.seq != 0 or line.kind != "trace_start":
                yield "no_start", None, None
        elif trace.ended:
            # Said of every line behind the end, also of one whose number repeats: it tells more.
            yield "after_end", None, None
        elif line.seq != following:
            kind = "sequence_gap" if line.seq > following else "sequence_repeat"
            yield kind, following, line.seq

    def _look_inside(
        self, checked: Checked, trace: _Trace, is_clean: bool, number: int, offset: int
    ) -> None:
        line = checked.line
        if line.kind == "llm_request":
            kind, shape = judge_request(checked.data, trace.requests)
            trace.requests.push(line.seq, f"{checked.crc:08x}", shape)
            if kind is not None and is_clean:
                self._findings.add(kind, number, offset, line)
        elif checked.promise is not None:
            events, chain = checked.promise
            counted_events, counted_chain = str(trace.events), f"{trace.chain:08x}"
            if events != counted_events:
                self._findings.add("count_mismatch", number, offset, line, events, counted_events)
            if chain != counted_chain:
                self._findings.add("chain_mismatch", number, offset, line, chain, counted_chain)

    def finish(self, findings: Findings) -> None:
        """The stream is over: tells `findings` which traces have no end."""
        for trace_id, trace in self._traces.items():
            if not trace.ended:
                findings.add("no_end", None, None, trace_id=trace_id)
