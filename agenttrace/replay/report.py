"""What came of a replay, for people and for machines."""

from __future__ import annotations

from typing import Any

from agenttrace.replay.matching import Matcher
from agenttrace.replay.recorded import RecordedRun
from agenttrace.text_cleaning import clean

_MAX_DIFFERENCES = 20


def to_dict(run: RecordedRun, matcher: Matcher, returncode: int) -> dict[str, Any]:
    """The whole report as one JSON object. verdict: "same" or "diverged"."""
    report = matcher.report
    unasked = [exchange.seq for exchange in matcher.unasked()]
    reasons = []
    if report.diverged:
        reasons.append("a request was not recorded")
    if report.refused:
        reasons.append("a connection was refused")
    if unasked:
        reasons.append("recorded requests were not asked")
    if run.returncode is not None and returncode != run.returncode:
        reasons.append("the command ended otherwise")
    return {
        "verdict": "diverged" if reasons else "same",
        "reasons": reasons,
        "matched": report.matched,
        "recorded": len(run.exchanges),
        "masked": report.masked,
        "unasked": unasked,
        "refused": report.refused,
        "returncode": returncode,
        "recorded_returncode": run.returncode,
        "findings": [finding.kind for finding in run.findings],
        "divergence": report.divergence.to_dict() if report.divergence else None,
    }


def report_lines(run: RecordedRun, matcher: Matcher, facts: dict[str, Any]) -> list[str]:
    """For a person, on standard error."""
    lines = [
        f"agenttrace: replay: {facts['matched']} of {facts['recorded']} recorded requests answered"
    ]
    if facts["findings"]:
        lines.append(
            f"agenttrace: replay: the trace is not whole ({', '.join(sorted(set(facts['findings'])))}):"
            " it was replayed as far as it is"
        )
    lines += [f"agenttrace: replay: inexact: {reason}" for reason in facts["masked"]]
    lines += [
        f"agenttrace: replay: refused a connection to {address}" for address in facts["refused"]
    ]
    divergence = matcher.report.divergence
    if divergence is not None:
        nearest = (
            "nothing like it was"
            if divergence.nearest_seq is None
            else f"event {divergence.nearest_seq} is nearest"
        )
        lines.append(
            f"agenttrace: replay: DIVERGED at {divergence.method} {divergence.url}: not recorded, {nearest}"
        )
        if divergence.differences:
            lines.append("  - recorded  + asked")
        for difference in divergence.differences[:_MAX_DIFFERENCES]:
            lines += [f"  {line}" for line in difference.lines()]
        more = len(divergence.differences) - _MAX_DIFFERENCES
        if more > 0:
            lines.append(f"  … and {more} more differences")
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
    return [clean(line) for line in lines]
