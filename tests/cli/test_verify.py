"""`agenttrace verify`: a report for each file, and a status that a script can trust."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest
import zstandard

from tests.cli.conftest import VECTORS

Run = Callable[..., Any]
Vector = Callable[[str], str]
WHOLE = (VECTORS / "whole.jsonl").read_bytes()
EXPECTED = json.loads((VECTORS / "expected.json").read_bytes())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_each_vector_gets_its_status(run: Run, vector: Vector, name: str) -> None:
    """Exit 0 only if intact; the report is one JSON line with the contract's members."""
    result = run("verify", vector(name))
    report = json.loads(result.out)
    assert report["status"] == EXPECTED[name]["status"]
    assert result.status == (0 if report["status"] == "intact" else 1)
    assert list(report) == [
        "file", "status", "traces", "events", "bytes", "sealed", "findings_total", "findings"
    ]  # fmt: skip
    assert report["findings_total"] == len(report["findings"])


def test_a_finding_says_what_and_where(run: Run, vector: Vector) -> None:
    """All members, expected and got among them."""
    report = json.loads(run("verify", vector("gone.jsonl")).out)
    gap = report["findings"][0]
    assert list(gap) == [
        "kind", "trace_id", "seq", "line", "offset", "expected", "got", "message"
    ]  # fmt: skip
    assert (gap["kind"], gap["line"], gap["seq"]) == ("sequence_gap", 6, 6)
    assert (gap["expected"], gap["got"]) == ("5", "6")


def test_text_is_a_line_a_file_and_a_line_a_finding(run: Run, vector: Vector) -> None:
    """As it looks on a terminal."""
    result = run("verify", "--format", "text", vector("whole.jsonl"), vector("flipped.jsonl"))
    lines = result.out.decode().splitlines()
    assert lines[0] == "whole.jsonl: intact (12 events, 1 trace, 4.4 kB)"
    assert lines[1] == "flipped.jsonl: corrupt (11 events, 1 trace, 4.4 kB)"
    assert lines[2].startswith("  line 5 (byte 1755): checksum_mismatch: ")


def test_colour_comes_only_where_it_is_asked_for(run: Run, vector: Vector) -> None:
    """--color always wins over NO_COLOR."""
    name = vector("whole.jsonl")
    assert b"\x1b" not in run("verify", "--format", "text", name).out
    always = run("verify", "--format", "text", "--color", "always", name, env={"NO_COLOR": "1"})
    assert b"\x1b[32mintact\x1b[0m" in always.out


def test_a_github_annotation_reads_as_the_finding_does(run: Run, vector: Vector) -> None:
    """In a message GitHub takes no escape of a colon back."""
    out = run("verify", "--format", "github", vector("no-end.jsonl")).out
    sentence = b"the trace has no trace_end: it was cut off"
    assert out == b"::error file=no-end.jsonl,title=no_end::%b\n" % sentence


def test_github_annotations_cannot_be_broken_out_of(run: Run, tmp_path: Path) -> None:
    """%, CR, LF, colon and comma are escaped in names."""
    (tmp_path / "a,b:c%\n.jsonl").write_bytes(b"noise\n")
    result = run("verify", "--format", "github", "a,b:c%\n.jsonl")
    assert result.status == 1
    lines = result.out.decode().splitlines()
    assert lines[0].startswith("::error file=a%2Cb%3Ac%25%0A.jsonl,line=1,title=malformed::")
    assert all(line.startswith("::error file=a%2Cb%3Ac%25%0A.jsonl") for line in lines)


def test_partial_waives_what_is_missing(run: Run) -> None:
    """But never damage."""
    lines = WHOLE.splitlines(keepends=True)
    assert run("verify", "--partial", stdin=b"".join(lines[3:7])).status == 0
    assert run("verify", "--partial", stdin=lines[3].replace(b"gpt-5", b"gpt-6")).status == 1


def test_unsealed_lines_are_allowed_on_demand(run: Run, vector: Vector) -> None:
    """Else they are findings."""
    name = vector("unsealed.jsonl")
    assert run("verify", name).status == 1
    assert run("verify", "--allow-unsealed", name).status == 0


def test_max_findings_bounds_what_is_shown_not_what_is_counted(run: Run) -> None:
    """And 0 shows none."""
    report = json.loads(run("verify", "--max-findings", "3", stdin=b"noise\n" * 10).out)
    assert (len(report["findings"]), report["findings_total"]) == (3, 10)
    text = run("verify", "--max-findings", "3", "--format", "text", stdin=b"noise\n" * 10)
    assert text.out.decode().splitlines()[-1] == "  … and 7 more"


def test_a_folder_is_walked_and_reports_stand_in_order(run: Run, tmp_path: Path) -> None:
    """Traces by their names, packed ones too, in sorted order; other files are left alone."""
    for name in ("b.jsonl", "a/z.jsonl.zst", "a/y.jsonl", "a/notes.txt"):
        path = tmp_path / "t" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zstandard.compress(WHOLE) if name.endswith("zst") else WHOLE)
    result = run("verify", "t")
    reports = [json.loads(line) for line in result.out.splitlines()]
    assert result.status == 0
    assert [report["file"] for report in reports] == ["t/b.jsonl", "t/a/y.jsonl", "t/a/z.jsonl.zst"]
    assert {report["status"] for report in reports} == {"intact"}


def test_what_cannot_be_read_is_told_and_the_others_are_judged(run: Run, vector: Vector) -> None:
    """Exit 2, one report."""
    result = run("verify", "missing.jsonl", vector("whole.jsonl"))
    assert result.status == 2
    assert result.err == "agenttrace: missing.jsonl: No such file or directory\n"
    assert json.loads(result.out)["file"] == "whole.jsonl"


def test_a_folder_without_traces_is_no_success(run: Run, tmp_path: Path) -> None:
    """A typo in a CI script must not pass."""
    (tmp_path / "empty").mkdir()
    assert run("verify", "empty").status == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_told(run: Run, vector: Vector, tmp_path: Path) -> None:
    """In the system's words."""
    os.chmod(tmp_path / vector("whole.jsonl"), 0)
    result = run("verify", "whole.jsonl")
    assert result == (2, b"", "agenttrace: whole.jsonl: Permission denied\n")


def test_a_terminal_may_not_be_steered_by_a_file_name(run: Run, tmp_path: Path) -> None:
    """In text and in JSON."""
    (tmp_path / "x\x1b[2J.jsonl").write_bytes(WHOLE)
    assert b"\x1b" not in run("verify", "--format", "text", "x\x1b[2J.jsonl").out
    assert json.loads(run("verify", "x\x1b[2J.jsonl").out)["file"] == "x\x1b[2J.jsonl"
