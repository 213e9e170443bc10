"""No harm of the corpus passes either judge, both say the same of each case, and no check of theirs is idle.

Judges that leave one check out are judged too: each must let a case pass, or the corpus had no teeth.
"""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
import zstandard

from agenttrace._pure import words
from tests.contract.conftest import load
from tests.contract.corpus import Harm, fault, harms, trace_and_foreign

LINES, FOREIGN = trace_and_foreign()
HARMS = harms(LINES, FOREIGN)
GOOD = frozenset(LINES) | frozenset(FOREIGN)
# So many cases of a class; AGENTTRACE_CORPUS=all takes all of them (the pure judge needs minutes).
MOST = {"native": 2000, "pure": 40}


def _by_name(harm: Harm) -> str:
    return harm.name


@pytest.mark.parametrize("harm", HARMS, ids=_by_name)
def test_each_case_is_told_as_what_it_is(backend: ModuleType, harm: Harm) -> None:
    """The right verdict, and no line handed on that was not in the trace."""
    most = None if os.environ.get("AGENTTRACE_CORPUS") == "all" else MOST[backend.BACKEND]
    for number, stream in harm.sample(most):
        assert fault(backend, harm, stream, GOOD) is None, number


@pytest.mark.parametrize("harm", HARMS, ids=_by_name)
def test_both_judges_say_the_same(harm: Harm) -> None:
    """Same kind, trace, number, line, offset, expected and got; same lines handed on."""
    for number, stream in harm.sample(40):
        said = []
        for name in ("native", "pure"):
            scanner = load(name).Scanner(judge="trace", max_findings=1000)
            out = scanner.feed(stream) + scanner.finish()
            said.append((out, scanner.report(), [one[:7] for one in scanner.take_findings()]))
        assert said[0] == said[1], number


def _damaged_frame() -> bytes:
    """A packed trace, and an empty frame behind it whose checksum is not that of nothing."""
    packer = zstandard.ZstdCompressor(write_checksum=True)
    frame = packer.compress(b"")
    return packer.compress(b"".join(LINES)) + frame[:-1] + bytes([frame[-1] ^ 1])


@pytest.mark.parametrize("kind", sorted(words.FINDINGS))
def test_for_each_finding_there_is_a_case_that_only_it_tells(
    backend: ModuleType, kind: str
) -> None:
    """So that a judge without this check would take damage for a whole trace."""
    streams = [stream for harm in HARMS for _, stream in harm.sample(20)]
    for stream in [*streams, _damaged_frame()]:
        scanner = backend.Scanner(judge="trace", max_findings=1000)
        scanner.judge_only(stream)
        scanner.finish()
        if {finding[0] for finding in scanner.take_findings()} == {kind}:
            return
    pytest.fail(f"no case is told by {kind} alone")


class Mutant(NamedTuple):
    """A judge that leaves a check out: this in one of its files, replaced by that."""

    file: str
    this: str
    that: str


MUTANTS = {
    "seals are not compared": Mutant(
        "scanner", "line.stored_crc not in (None, computed)", "line.stored_crc is False"
    ),
    "half a seal is compared": Mutant(
        "scanner",
        "line.stored_crc not in (None, computed)",
        "line.stored_crc and line.stored_crc[:4] != computed[:4] and line.stored_crc[4:] != computed[4:]",
    ),
    "damaged lines are handed on": Mutant(
        "scanner",
        'computed)\n            return\n        self._note_trace',
        'computed)\n        self._note_trace',
    ),
    "seals are found in upper case": Mutant(
        "line", 'rb\',"crc32c":"([0-9a-f]{8})"\\}\')', 'rb\'(?i:,"crc32c":"([0-9a-f]{8})"\\})\')'
    ),
    "NUL passes": Mutant("line", '(b"\\0", words.NUL), ', ""),
    "CR passes": Mutant("line", '(b"\\r", words.CR), ', ""),
    "lines are stripped first": Mutant(
        "scanner", "line, promise = parse_line(body), None",
        'body = body.strip(b" \\r\\xef\\xbb\\xbf"); line, promise = parse_line(body), None',
    ),
    "blank lines are passed over": Mutant(
        "scanner", '    def _take_line(self, body: Optional[bytes], number: int, offset: int) -> None:\n',
        '    def _take_line(self, body, number, offset):\n        if not body: return\n',
    ),
    "runs of NUL are passed over": Mutant(
        "scanner", "line, promise = parse_line(body), None",
        'body = body.lstrip(b"\\0"); line, promise = parse_line(body), None',
    ),
    "what is no line is passed over": Mutant(
        "scanner", 'self._findings.add("malformed", number, offset, why=str(error))', "pass"
    ),
    "unsealed lines pass": Mutant(
        "judge", "line.stored_crc is None and not self._allow_unsealed", "False"
    ),
    "a torn tail passes": Mutant("scanner", "if is_cut or lines.has_tail:", "if is_cut:"),
    "a torn tail is a line": Mutant(
        "scanner", "if is_cut or lines.has_tail:",
        'if lines.has_tail: self._lines.push(b"\\n")\n        if is_cut:',
    ),
    "numbers may be missing": Mutant(
        "judge", "elif line.seq != following:", "elif line.seq < following:"
    ),
    "numbers may repeat": Mutant(
        "judge", "elif line.seq != following:", "elif line.seq > following:"
    ),
    "numbers are those of all traces": Mutant(
        "judge", "trace = self._traces.get(line.trace_id)",
        "trace = next(iter(self._traces.values()), None)",
    ),
    "the first line may be any": Mutant(
        "judge", 'if line.seq != 0 or line.kind != "trace_start":', "if False:"
    ),
    "the first line may have any number": Mutant("judge", "if line.seq != 0 or ", "if "),
    "lines behind the end pass": Mutant("judge", "elif trace.ended:", "elif False:"),
    "no end is needed": Mutant("judge", "if not trace.ended:", "if False:"),
    "an end needs no figures": Mutant(
        "scanner", "promise = end_promise(body, line)", "promise = None"
    ),
    "lines are not counted": Mutant("judge", "if events != counted_events:", "if False:"),
    "the count may be short": Mutant(
        "judge", "if events != counted_events:", "if int(events) > int(counted_events):"
    ),
    "the chain is not compared": Mutant("judge", "if chain != counted_chain:", "if False:"),
    "the chain is of stored seals": Mutant(
        "scanner", "return Checked(line, body, crc_of(body, line), promise)",
        "return Checked(line, body, int(line.stored_crc or '0', 16), promise)",
    ),
    "later versions are ours": Mutant(
        "judge", "if line.v != FORMAT_VERSION:\n            yield", "if False:\n            yield"
    ),
    "bases are not judged": Mutant("judge", "if kind is not None and is_clean:", "if False:"),
    "any base will do": Mutant(
        "judge", "if kind is not None and is_clean:", 'if kind == "missing_base" and is_clean:'
    ),
}  # fmt: skip

_FILES = ("line", "judge", "scanner")
_FOLDER = Path(words.__file__).parent


def _judge(monkeypatch: pytest.MonkeyPatch, mutant: Mutant | None) -> ModuleType:
    """The pure judge, its modules made anew, one of them changed."""
    for name in _FILES:
        source = (_FOLDER / f"{name}.py").read_text(encoding="utf-8")
        if mutant is not None and mutant.file == name:
            assert source.count(mutant.this) == 1, "the judge has changed: so must the mutant"
            source = source.replace(mutant.this, mutant.that)
        module = types.ModuleType(f"agenttrace._pure.{name}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(source, name, "exec"), vars(module))
    monkeypatch.setattr(module, "BACKEND", "mutant", raising=False)
    return module


def _faults(judge: ModuleType) -> dict[str, str]:
    """By the class of harm, the first thing that a judge does wrong."""
    found = {}
    for harm in HARMS:
        for _, stream in harm.sample(30):
            said = fault(judge, harm, stream, GOOD)
            if said is not None:
                found[harm.name] = said
                break
    return found


def test_the_judge_that_is_changed_below_is_right_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Or no fault of a mutant would mean anything."""
    assert _faults(_judge(monkeypatch, None)) == {}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_judge_without_a_check_is_caught(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """By one case of the corpus at least."""
    assert _faults(_judge(monkeypatch, MUTANTS[name])), name
