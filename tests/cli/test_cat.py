"""`agenttrace cat`: joins, leaves damage out, follows, converts, seals anew; its input stays."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

import pytest
import zstandard

from agenttrace import _backend
from agenttrace.cli import inputs, salvage
from agenttrace.cli.intake import Intake
from tests.cli.conftest import VECTORS, command, sealed

Run = Callable[..., Any]
Vector = Callable[[str], str]
WHOLE = (VECTORS / "whole.jsonl").read_bytes()


def verdict(run: Run, lines: bytes, *options: str) -> Any:
    """What verify says of these bytes."""
    return json.loads(run("verify", *options, stdin=lines).out)


def test_an_intact_trace_passes_byte_for_byte(run: Run, vector: Vector) -> None:
    """Seals included, nothing on standard error."""
    assert run("cat", vector("whole.jsonl")) == (0, WHOLE, "")


def test_standard_input_is_read_where_no_file_is_named(run: Run) -> None:
    """And where `-` is."""
    assert run("cat", stdin=WHOLE) == (0, WHOLE, "")
    assert run("cat", "-", stdin=WHOLE) == (0, WHOLE, "")


def test_files_are_joined_in_their_order(run: Run, vector: Vector) -> None:
    """As cat does."""
    two = (VECTORS / "two-traces.jsonl").read_bytes()
    result = run("cat", vector("whole.jsonl"), vector("two-traces.jsonl"))
    assert result == (0, WHOLE + two, "")


def test_empty_input_is_fine(run: Run) -> None:
    """Status 0, no output."""
    assert run("cat") == (0, b"", "")


def test_a_packed_trace_is_read_by_its_first_bytes(run: Run, tmp_path: Path) -> None:
    """Whatever its name."""
    (tmp_path / "packed").write_bytes(zstandard.ZstdCompressor().compress(WHOLE))
    assert run("cat", "packed") == (0, WHOLE, "")


def test_a_damaged_line_is_left_out_and_told_with_its_place(run: Run, vector: Vector) -> None:
    """FILE:LINE, the offset, status 1; the rest passes."""
    lines = (VECTORS / "flipped.jsonl").read_bytes().splitlines(keepends=True)
    result = run("cat", vector("flipped.jsonl"))
    assert (result.status, result.out) == (1, b"".join(lines[:4] + lines[5:]))
    offset = sum(map(len, lines[:4]))
    assert result.err.startswith("agenttrace: flipped.jsonl:5: ")
    assert result.err.endswith(f" (at byte {offset})\n")
    assert result.err.count("\n") == 1


def test_a_file_of_noise_is_told_of_up_to_a_sane_number(run: Run, tmp_path: Path) -> None:
    """A hundred lines, then a count."""
    (tmp_path / "noise").write_bytes(b"noise\n" * 250)
    result = run("cat", "noise")
    assert (result.status, result.out) == (1, b"")
    assert result.err.count("\n") == 101
    assert result.err.endswith("agenttrace: noise: … and 150 more\n")


def test_what_cannot_be_read_is_told_and_the_rest_goes_through(run: Run, vector: Vector) -> None:
    """Status 2, in the system's words."""
    result = run("cat", "missing.jsonl", vector("whole.jsonl"), ".")
    assert result == (
        2,
        WHOLE,
        "agenttrace: missing.jsonl: No such file or directory\nagenttrace: .: Is a directory\n",
    )


def test_the_newest_trace_is_at_last(run: Run, tmp_path: Path) -> None:
    """`@last` and `@2` name traces in the trace folder."""
    folder = tmp_path / "traces"
    folder.mkdir()
    (folder / "20261122T064000Z-00000000.jsonl").write_bytes(b"")
    (folder / "20261123T064000Z-00000000.jsonl").write_bytes(WHOLE)
    assert run("cat", "@last") == (0, WHOLE, "")
    assert run("cat", "@2") == (0, b"", "")
    (folder / "20261122T064000Z-00000000.jsonl").unlink()
    beyond = run("cat", "@3")
    assert beyond.status == 2
    assert f"@3: there is 1 trace in {folder}; record one first" in beyond.err


def test_no_crc_takes_the_seals_off_and_nothing_else(run: Run) -> None:
    """The same events, unsealed."""
    result = run("cat", "--no-crc", stdin=WHOLE)
    assert result.status == 0
    without = [line[:-21] + b"}" for line in WHOLE.splitlines()]
    assert result.out.splitlines() == without


def test_output_goes_to_a_new_file_only(run: Run, tmp_path: Path) -> None:
    """Private, and never over one that is there."""
    assert run("cat", "-o", "new.jsonl", stdin=WHOLE) == (0, b"", "")
    assert (tmp_path / "new.jsonl").read_bytes() == WHOLE
    assert (tmp_path / "new.jsonl").stat().st_mode & 0o777 == 0o600
    again = run("cat", "-o", "new.jsonl", stdin=WHOLE)
    assert again.status == 2
    assert "is there already" in again.err


@pytest.mark.parametrize("option", ["--seal", "--full", "--salvage"])
def test_sealing_anew_makes_a_new_intact_trace(run: Run, option: str) -> None:
    """New id, the old one as parent, base led after, an end that fits."""
    result = run("cat", option, stdin=WHOLE)
    assert result.status == 0
    assert verdict(run, result.out, "--deep")["status"] == "intact"
    start = json.loads(result.out.splitlines()[0])
    assert start["trace_id"] != "4bf92f3577b34da6a3ce929d0e0e4736"
    parent = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "why": "resealed"}
    assert start["data"]["parent"] == parent


def test_full_writes_whole_conversations(run: Run) -> None:
    """The request of the vector, expanded; no base is left."""
    result = run("cat", "--full", stdin=WHOLE)
    events = [json.loads(line) for line in result.out.splitlines()]
    expected = json.loads((VECTORS / "whole.seq6-expanded.json").read_bytes())
    assert events[6]["data"]["request"] == expected
    assert all("base" not in event["data"] for event in events)


def test_interleaved_traces_are_resealed_each_by_itself(run: Run) -> None:
    """Two in, two out, both intact."""
    result = run("cat", "--seal", stdin=(VECTORS / "two-traces.jsonl").read_bytes())
    said = verdict(run, result.out)
    assert (said["status"], said["traces"], said["events"]) == ("intact", 2, 14)


def edited(lines: bytes) -> bytes:
    """As an edit by jq leaves them: no seal, another text, white space."""
    events = [json.loads(line) for line in lines.splitlines()]
    for event in events:
        del event["crc32c"]
    events[1]["data"]["text"] = "edited"
    return b"".join(json.dumps(event, ensure_ascii=False).encode() + b"\n" for event in events)


def test_seal_makes_a_trace_of_edited_lines(run: Run) -> None:
    """What jq leaves, with white space, becomes intact."""
    result = run("cat", "--seal", stdin=edited(WHOLE))
    assert (result.status, result.err) == (0, "")
    assert verdict(run, result.out, "--deep")["status"] == "intact"
    assert json.loads(result.out.splitlines()[1])["data"] == {"text": "edited"}


def test_an_edit_that_kept_its_seal_is_damage(run: Run) -> None:
    """Left out and told; the new trace is whole without it."""
    result = run(
        "cat", "--seal", stdin=WHOLE.replace(b"What is the weather", b"What was the weather", 1)
    )
    assert result.status == 1
    assert result.err.startswith("agenttrace: -:2: ")
    assert verdict(run, result.out)["status"] == "intact"


def test_a_missing_end_is_not_made_up(run: Run) -> None:
    """Incomplete stays incomplete."""
    result = run("cat", "--seal", stdin=(VECTORS / "no-end.jsonl").read_bytes())
    assert verdict(run, result.out)["status"] == "incomplete"


def test_a_request_whose_base_is_gone_is_left_out(run: Run) -> None:
    """It can't be had in full; it is told."""
    lines = [line for line in WHOLE.splitlines(keepends=True) if b'"seq":2,"kind"' not in line]
    result = run("cat", "--seal", stdin=b"".join(lines))
    assert result.status == 1
    assert "seq 6" in result.err
    assert len(result.out.splitlines()) == 10


def test_salvage_saves_what_is_whole_in_a_welded_line(run: Run, vector: Vector) -> None:
    """And reports what was lost."""
    result = run("cat", "--salvage", vector("welded.jsonl"))
    assert result.status == 1
    assert len(result.out.splitlines()) == 11
    assert verdict(run, result.out)["status"] == "intact"
    assert "1 damaged line, 1 event saved from them, 50 bytes lost" in result.err
    assert "lacks seq 4" in result.err


def test_salvage_leaves_out_what_is_there_twice_and_keeps_what_came_late(run: Run) -> None:
    """Renumbered, a doubled event would pass for two."""
    result = run("cat", "--salvage", stdin=(VECTORS / "twice.jsonl").read_bytes())
    assert len(result.out.splitlines()) == 12
    assert "1 repeated event left out" in result.err
    late = run("cat", "--salvage", stdin=(VECTORS / "swapped.jsonl").read_bytes())
    assert len(late.out.splitlines()) == 12
    assert "lacks" not in late.err


def test_salvage_looks_into_a_torn_tail_and_lost_line_feeds(run: Run) -> None:
    """Two whole events on one line without an end are two events."""
    lines = WHOLE.splitlines()
    result = run("cat", "--salvage", stdin=b"\n".join(lines[:5]) + lines[5])
    assert result.status == 1
    assert [json.loads(line)["seq"] for line in result.out.splitlines()] == [0, 1, 2, 3, 4, 5]


def test_text_is_for_a_person(run: Run) -> None:
    """The whole output."""
    assert run("cat", "--to", "text", stdin=WHOLE).out.decode() == (
        "   +0.000s  trace  vector\n"
        "              4bf92f3577b34da6a3ce929d0e0e4736, 2026-11-22 06:40:00 UTC\n"
        "              $ python agent.py\n"
        "   +1.000s  user  What is the weather in Zürich?\n"
        "   +2.000s  system  You answer in one sentence.\n"
        "            user  What is the weather in Zürich? \\u2028 \\u0001 \\u007f "
        ',"crc32c":"00000000"}\n'
        "            → gpt-5  openai, chat\n"
        "   +3.000s  ← gpt-5  70 → 12 tokens\n"
        '              asks for forecast({"city": "Zürich"})\n'
        '   +4.000s  tool  forecast({"city": "Zürich"})\n'
        '   +5.000s  ⇒ forecast (1.5 ms)  {"temp_c":4}\n'
        "   +6.000s  → gpt-5  openai, chat, streamed\n"
        "   +9.000s  ← gpt-5  95 → 4 tokens\n"
        "            assistant  4 degrees.\n"
        "  +10.000s  a_kind_nobody_knows\n"
        "  +11.000s  end  ok, exit 0, 11.0 s, 2 LLM calls, 165 → 16 tokens, 1 tool call\n"
    )


def test_stable_text_holds_no_ids_and_no_times(run: Run) -> None:
    """The same run at another time under another id reads the same."""
    other = run("cat", "--seal", stdin=WHOLE).out.replace(b"parent", b"parent")
    lines = [json.loads(line) for line in other.splitlines()]
    for event in lines:
        event["ts"] = event["ts"].replace("2026", "2027")
        event["data"].pop("duration_ns", None)
        event["data"].pop("parent", None)
        del event["crc32c"]
    moved = b"".join(
        json.dumps(e, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for e in lines
    )
    one = run("cat", "--to", "text", "--stable", stdin=WHOLE)
    assert one.status == 0
    assert run("cat", "--to", "text", "--stable", stdin=moved).out == one.out


def test_runs_are_one_line_a_trace(run: Run) -> None:
    """Complete ones with their totals, incomplete ones with what is there."""
    result = run("cat", "--to", "runs", stdin=(VECTORS / "no-end.jsonl").read_bytes())
    (one,) = [json.loads(line) for line in result.out.splitlines()]
    assert (one["name"], one["status"], one["events"]) == ("vector", "incomplete", 11)
    assert (one["totals"]["llm_calls"], one["totals"]["output_tokens"]) == (2, 16)
    done = json.loads(run("cat", "--to", "runs", stdin=WHOLE).out)
    assert (done["status"], done["duration_ns"], done["events"]) == ("ok", 11_000_000_000, 12)


def test_hostile_text_cannot_steer_a_terminal(run: Run) -> None:
    """Titles, C1, overrides: shown, not obeyed, on pipes too."""
    hostile = {"text": "a\x1b]0;x\x07b\x9b2Jc\u202ed\x7f"}
    result = run("cat", "--to", "text", stdin=sealed(0, "user_input", hostile))
    assert b"a\\u001b]0;x\\u0007b\\u009b2Jc\\u202ed\\u007f" in result.out
    assert not {0x1B, 0x07, 0x7F} & set(result.out)


def test_hostile_names_are_cleaned_in_messages(run: Run) -> None:
    """A name is one line, without controls."""
    result = run("cat", "no\x1b[2J\nagenttrace: fine")
    assert result.err == "agenttrace: no\\u001b[2J\\nagenttrace: fine: No such file or directory\n"


def test_sealed_lines_that_are_not_json_do_no_harm(run: Run) -> None:
    """A seal says that bytes are as written, not that they are JSON."""
    from agenttrace import _backend

    bad = _backend.seal(
        sealed(0, "user_input", {"text": 1})[:-22].replace(b":1}", b":nope}") + b"}\n"
    )
    for options in (["--to", "text"], ["--to", "runs"], ["--seal"]):
        result = run("cat", *options, stdin=bad)
        assert "fault" not in result.err
        assert result.status in (0, 1)


@pytest.mark.parametrize("option", ["-f", "-F"])
def test_following_ends_with_the_trace(tmp_path: Path, env: dict[str, str], option: str) -> None:
    """What is written later comes through at once; the end of the trace is the end."""
    lines = WHOLE.splitlines(keepends=True)
    path = tmp_path / "live.jsonl"
    path.write_bytes(lines[0])
    with subprocess.Popen(
        [*command(), "cat", option, "live.jsonl"], stdout=subprocess.PIPE, cwd=tmp_path, env=env
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == lines[0]
        with path.open("ab") as file:
            file.write(b"".join(lines[1:5]) + lines[5][:40])
            file.flush()
            assert [process.stdout.readline() for _ in range(4)] == lines[1:5]
            file.write(lines[5][40:] + b"".join(lines[6:]))
        assert process.stdout.read() == b"".join(lines[5:])
        assert process.wait(10) == 0


def test_a_rotated_file_is_opened_again(tmp_path: Path, env: dict[str, str]) -> None:
    """-F goes on with the file that took the name."""
    path = tmp_path / "live.jsonl"
    path.write_bytes(sealed(0, "trace_start", {}))
    with subprocess.Popen(
        [*command(), "cat", "-F", "live.jsonl"], stdout=subprocess.PIPE, cwd=tmp_path, env=env
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == sealed(0, "trace_start", {})
        os.rename(path, tmp_path / "live.1.jsonl")
        path.write_bytes(WHOLE)
        assert process.stdout.read() == WHOLE
        assert process.wait(10) == 0


def test_what_comes_between_the_last_read_and_the_rotation_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer was faster: it wrote on and rotated while we looked."""
    lines = WHOLE.splitlines(keepends=True)
    path = tmp_path / "live.jsonl"
    path.write_bytes(lines[0])
    is_replaced = inputs.Source.is_replaced.fget
    assert is_replaced is not None

    def rotated_just_now(source: inputs.Source) -> bool:
        if not (tmp_path / "live.1.jsonl").exists():
            with path.open("ab") as file:
                file.write(b"".join(lines[1:5]))
            path.rename(tmp_path / "live.1.jsonl")
            path.write_bytes(b"".join(lines[5:]))
        return is_replaced(source)

    monkeypatch.setattr(inputs.Source, "is_replaced", property(rotated_just_now))
    intake = Intake([str(path)], lambda: _backend.Scanner(judge="lines"), quiet=True)
    assert b"".join(intake.followed(reopen=True)) == WHOLE


def test_following_a_file_that_is_cut_begins_anew(tmp_path: Path, env: dict[str, str]) -> None:
    """-f goes on with what is written then, as tail -f does."""
    path = tmp_path / "live.jsonl"
    path.write_bytes(sealed(0, "trace_start", {}))
    with subprocess.Popen(
        [*command(), "cat", "-f", "live.jsonl"], stdout=subprocess.PIPE, cwd=tmp_path, env=env
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == sealed(0, "trace_start", {})
        os.truncate(path, 0)
        time.sleep(0.5)
        with path.open("ab") as file:
            file.write(WHOLE)
        try:
            assert process.wait(10) == 0
        finally:
            process.kill()
        assert process.stdout.read() == WHOLE


def test_a_live_pipe_is_live(tmp_path: Path, env: dict[str, str]) -> None:
    """A line comes out before the next goes in."""
    with subprocess.Popen(
        [*command(), "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, env=env
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in WHOLE.splitlines(keepends=True)[:3]:
            process.stdin.write(line)
            process.stdin.flush()
            started = time.monotonic()
            assert process.stdout.readline() == line
            assert time.monotonic() - started < 5
        process.stdin.close()
        assert process.wait(10) == 0


def test_salvage_counts_all_of_a_line_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """One damaged line, and its bytes, in whatever pieces it comes."""
    monkeypatch.setattr(salvage._backend, "MAX_LINE_BYTES", 1000)
    scanner = salvage.SalvagingScanner()
    stream = b"x" * 4500 + b"\n"
    for start in range(0, len(stream), 300):
        scanner.feed(stream[start : start + 300])
    scanner.finish()
    assert (scanner.loss.damaged_lines, scanner.loss.lost_bytes) == (1, 4500)
