"""What came of a replay, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agenttrace.replay.covered import Covered
from agenttrace.replay.fork import Fork
from agenttrace.replay.given_input import GivenInput
from agenttrace.replay.matching import Matcher, missing_patterns
from agenttrace.replay.nearest import DivergenceFound
from agenttrace.replay.output import Output
from agenttrace.replay.recorded import RecordedRun
from agenttrace.replay.stand_ins import StandIns
from agenttrace.text_cleaning import clean_line

OTHER_OUTPUT = "the output differs"
_MAX_DIFFERENCES = 20
_MAX_LINE_CHARS = 200
_MAX_DRAWS = 5


@dataclass
class Outcome:
    """What came of one replay. fork: None where it could not go live."""

    run: RecordedRun
    matcher: Matcher
    stand_ins: StandIns
    output: Output
    given: GivenInput
    covered: Covered
    returncode: int
    fork: Fork | None = None

    @property
    def live(self) -> Fork | None:
        """The fork, if it went live."""
        return self.fork if self.fork is not None and self.fork.is_live else None

    def to_dict(self) -> dict[str, Any]:
        """The whole report as one JSON object. verdict: "same", "diverged" or, where it went live, "forked"."""
        run, report = self.run, self.matcher.report
        outputs = self.output.compared()
        processes = self._processes()
        reasons = [] if self.live else list(self._reasons(outputs, processes))
        return {
            "verdict": "forked" if self.live else "diverged" if reasons else "same",
            "reasons": reasons,
            "matched": report.matched,
            "recorded": self.matcher.recorded,
            "masked": report.masked,
            "reordered": report.reordered,
            "unasked": [exchange.seq for exchange in self.matcher.unasked()],
            "refused": report.refused,
            "processes": processes,
            "network": "own" if self.covered.has_own_network else "shared",
            "unreached": self.covered.unreached(self.matcher.redactor),
            "draws": run.draws.inexact,
            "input": self.given.inexact,
            "returncode": self.returncode,
            "recorded_returncode": run.returncode,
            "output": outputs,
            "missing_patterns": missing_patterns(run, self.matcher.redactor),
            "is_whole": not run.cut_off,
            "last_seq": run.last_seq,
            "other_traces": len(run.others),
            "findings": [finding.kind for finding in run.findings],
            "divergence": report.divergence.to_dict() if report.divergence else None,
            "fork": self.live.to_dict() if self.live else None,
        }

    def _processes(self) -> dict[str, Any]:
        stand_ins = self.stand_ins
        return {
            "served": stand_ins.served,
            "unstarted": [] if stand_ins.ran or self.live else stand_ins.unstarted(),
            "unshown": stand_ins.unshown,
            "ran": list(stand_ins.ran),
        }

    def _reasons(
        self, outputs: dict[str, dict[str, Any] | None], processes: dict[str, Any]
    ) -> Iterator[str]:
        report = self.matcher.report
        if report.diverged:
            yield "a request was not recorded"
        if report.refused:
            yield "a connection was refused"
        if self.matcher.unasked():
            yield "recorded requests were not asked"
        if processes["unstarted"]:
            yield "recorded processes were not started"
        if self.run.returncode is not None and self.returncode != self.run.returncode:
            yield "the command ended otherwise"
        if (outputs["stdout"] or {}).get("verdict") == "different":
            yield OTHER_OUTPUT


def report_lines(outcome: Outcome, facts: dict[str, Any]) -> list[str]:
    """For a person, on standard error."""
    served = _processes(facts["processes"]["served"])
    asked = "requests and messages" if outcome.matcher.has_messages else "requests"
    lines = [
        f"agenttrace: replay: {facts['matched']} of {facts['recorded']} recorded {asked} answered"
        + (f", {served} not run" if served else "")
    ]
    if not facts["is_whole"]:
        lines.append(
            f"agenttrace: replay: the trace is not whole ({', '.join(outcome.run.cut_off)}):"
            f" it was replayed as far as it is; its last event is {facts['last_seq']}"
        )
    if facts["other_traces"]:
        lines.append(
            f"agenttrace: replay: the first trace of the file was replayed, not the {facts['other_traces']} behind it"
        )
    lines += [
        f"agenttrace: replay: inexact: {reason}"
        for reason in facts["masked"] + facts["reordered"] + facts["input"]
    ]
    lines += _draw_lines(facts["draws"])
    lines += [
        f"agenttrace: replay: refused a connection to {address}" for address in facts["refused"]
    ]
    lines += _process_lines(facts["processes"])
    lines += _uncovered_lines(facts["unreached"], outcome.covered.is_open)
    divergence = outcome.matcher.report.divergence
    if divergence is not None:
        lines += _divergence_lines(divergence, outcome.live is not None)
        if facts["missing_patterns"]:
            lines.append(
                "agenttrace: replay: it was recorded with --redact: give replay the same, so that what it hid matches"
            )
    if outcome.live is not None:
        lines += _fork_lines(outcome.live)
        return [clean_line(line) for line in lines]
    if facts["unasked"]:
        numbers = ", ".join(str(seq) for seq in facts["unasked"][:10])
        lines.append(
            f"agenttrace: replay: recorded but not asked: {len(facts['unasked'])} (events {numbers})"
        )
    if "the command ended otherwise" in facts["reasons"] and divergence is None:
        lines.append(
            f"agenttrace: replay: the command ended with {facts['returncode']},"
            f" recorded was {facts['recorded_returncode']}"
        )
    if divergence is None:
        lines += _output_lines(facts["output"])
    return [clean_line(line) for line in lines]


def _divergence_lines(divergence: DivergenceFound, is_live: bool) -> list[str]:
    nearest = (
        "nothing like it was"
        if divergence.nearest_seq is None
        else f"event {divergence.nearest_seq} is nearest"
    )
    what = "went live" if is_live else "DIVERGED"
    lines = [
        f"agenttrace: replay: {what} at {divergence.method} {divergence.url}: not recorded, {nearest}"
    ]
    if divergence.differences:
        lines.append("  - recorded  + asked")
    for difference in divergence.differences[:_MAX_DIFFERENCES]:
        lines += [f"  {line}" for line in difference.lines()]
    more = len(divergence.differences) - _MAX_DIFFERENCES
    if more > 0:
        lines.append(f"  … and {more} more differences")
    return lines


def _fork_lines(fork: Fork) -> list[str]:
    what = [f"{fork.calls} live call{'' if fork.calls == 1 else 's'}"] if fork.calls else []
    what = [f"{one} to {', '.join(fork.hosts)}" for one in what]
    if fork.runs:
        what.append(f"{_processes(fork.runs)} run")
    lines = [f"agenttrace: replay: forked at event {fork.seq}: {', '.join(what)}"]
    lines += [f"agenttrace: replay: gap: {reason}" for reason in fork.retold.gaps]
    return [*lines, fork.retold.path]


def _draw_lines(draws: list[str]) -> list[str]:
    lines = [f"agenttrace: replay: inexact: {reason}" for reason in draws[:_MAX_DRAWS]]
    if len(draws) > _MAX_DRAWS:
        lines.append(f"agenttrace: replay: inexact: {len(draws) - _MAX_DRAWS} more of these")
    return lines


def _process_lines(processes: dict[str, Any]) -> list[str]:
    lines = [
        f"not run, what it may have printed is not known: {argv}" for argv in processes["unshown"]
    ]
    lines += [f"ran for real: {argv}" for argv in processes["ran"]]
    if processes["unstarted"]:
        numbers = ", ".join(map(str, processes["unstarted"][:10]))
        missing = _processes(len(processes["unstarted"]))
        lines.append(f"recorded but not started: {missing} (events {numbers})")
    return [f"agenttrace: replay: {line[:_MAX_LINE_CHARS]}" for line in lines]


def _uncovered_lines(unreached: list[str], is_open: bool) -> list[str]:
    lines = [f"not covered: {told}" for told in unreached]
    if is_open:
        lines.append(
            "not covered: connections of programs without hooks, which had this system's network"
        )
    return [f"agenttrace: replay: {line[:_MAX_LINE_CHARS]}" for line in lines]


def _processes(count: int) -> str:
    return f"{count} process{'es' if count > 1 else ''}" if count else ""


def _output_lines(outputs: dict[str, dict[str, Any] | None]) -> list[str]:
    lines = []
    for stream, found in outputs.items():
        if found is None or found["verdict"] == "same":
            continue
        what = "differs" if found["verdict"] == "different" else "inexact: volatile values differ"
        lines.append(f"agenttrace: replay: {stream}: {what}, first in line {found['line']}")
        for sign, text in (("-", found["recorded"]), ("+", found["written"])):
            if text is not None:
                lines.append(f"  {sign} {text[:_MAX_LINE_CHARS]}")
    return lines
