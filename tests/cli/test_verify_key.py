"""`agenttrace verify --key`: whether traces are those that were signed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any, Callable

import pytest

from agenttrace import _backend
from tests.forging import OTHER_PRIVATE, PRIVATE, PUBLIC, forged

Run = Callable[..., Any]
needs_native = pytest.mark.skipif(_backend.BACKEND == "pure", reason="needs the native module")


@pytest.fixture(params=["openssl", "fixed"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """key.pem, pub.pem and other.pem, made by OpenSSL, and those that need none."""
    (tmp_path / "other.pem").write_text(OTHER_PRIVATE)
    if request.param == "fixed":
        (tmp_path / "key.pem").write_text(PRIVATE)
        (tmp_path / "pub.pem").write_text(PUBLIC)
        return tmp_path
    if not shutil.which("openssl"):
        pytest.skip("no openssl here")
    for command in (
        ["genpkey", "-algorithm", "ed25519", "-out", "key.pem"],
        ["pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem"],
    ):
        subprocess.run(["openssl", *command], cwd=tmp_path, check=True, timeout=20)
    return tmp_path


@pytest.fixture
def signed(run: Run, keys: Path) -> Path:
    """t.jsonl, recorded and signed by `record --sign`."""
    done = run("record", "--sign", "key.pem", "-o", "t.jsonl", "--", "echo", "two")
    assert done.status == 0, done.err
    return keys / "t.jsonl"


def _findings(result: Any) -> list[str]:
    return [finding["kind"] for finding in json.loads(result.out)["findings"]]


@needs_native
def test_what_record_signed_is_good(run: Run, signed: Path) -> None:
    """Exit 0, no findings, no word."""
    result = run("verify", "--key", "pub.pem", "t.jsonl")
    assert (result.status, result.err) == (0, "")
    assert json.loads(result.out)["status"] == "intact"


@needs_native
def test_a_forgery_that_every_checksum_takes_for_good_is_caught(run: Run, signed: Path) -> None:
    """The end recomputed too: without the key it is intact, with it corrupt."""
    signed.write_bytes(forged(signed.read_bytes(), b'"two\\n"', b'"too\\n"'))
    assert run("verify", "t.jsonl").status == 0
    result = run("verify", "--key", "pub.pem", "t.jsonl")
    report = json.loads(result.out)
    assert (result.status, report["status"], report["findings_total"]) == (1, "corrupt", 1)
    (finding,) = report["findings"]
    assert finding["kind"] == "bad_signature"
    assert finding["trace_id"] == json.loads(signed.read_bytes().splitlines()[0])["trace_id"]
    assert (finding["line"], finding["offset"], finding["seq"]) == (None, None, None)
    assert finding["message"] == "the lines are not those that were signed"


@needs_native
def test_the_reports_for_people_say_it_too(run: Run, signed: Path) -> None:
    """Text names the trace; GitHub gets an annotation of the file."""
    Path(f"{signed}.sig").unlink()
    trace_id = json.loads(signed.read_bytes().splitlines()[0])["trace_id"]
    text = run("verify", "--format", "text", "--key", "pub.pem", "t.jsonl")
    assert text.status == 1
    assert text.out.decode().splitlines()[1:] == [
        f"  trace {trace_id}: no_signature: the trace is not signed"
    ]
    github = run("verify", "--format", "github", "--key", "pub.pem", "t.jsonl")
    assert github.out == b"::error file=t.jsonl,title=no_signature::the trace is not signed\n"


@needs_native
def test_another_key_and_no_room_for_findings(run: Run, signed: Path) -> None:
    """What is not shown is counted all the same."""
    Path(f"{signed}.sig").unlink()
    signed.unlink()
    run("record", "--sign", "other.pem", "-o", "t.jsonl", "--", "true")
    assert _findings(run("verify", "--key", "pub.pem", "t.jsonl")) == ["bad_signature"]
    none_shown = run("verify", "--key", "pub.pem", "--max-findings", "0", "t.jsonl")
    report = json.loads(none_shown.out)
    assert (none_shown.status, report["findings_total"], report["findings"]) == (1, 1, [])
    assert report["status"] == "corrupt"


@needs_native
def test_a_trace_that_was_added_or_taken_away_is_told(run: Run, signed: Path) -> None:
    """Each trace of a file counts, also the one that is gone."""
    raw = signed.read_bytes()
    run("record", "--append", "-o", "t.jsonl", "--", "true")
    assert _findings(run("verify", "--key", "pub.pem", "t.jsonl")) == ["no_signature"]
    signed.write_bytes(signed.read_bytes()[len(raw) :])
    result = run("verify", "--key", "pub.pem", "t.jsonl")
    assert _findings(result) == ["no_signature", "bad_signature"]
    assert b"the trace was signed, and is not in the file" in result.out


@needs_native
def test_a_folder_is_walked_and_signatures_are_no_traces(run: Run, signed: Path) -> None:
    """One report: t.jsonl.sig is not judged as a trace."""
    folder = signed.parent / "folder"
    folder.mkdir()
    for name in ("t.jsonl", "t.jsonl.sig"):
        (folder / name).write_bytes((signed.parent / name).read_bytes())
    result = run("verify", "--key", "pub.pem", "folder")
    assert (result.status, len(result.out.splitlines())) == (0, 1)


@needs_native
def test_a_trace_that_can_be_read_only_once_is_judged_and_summed_up_in_one_reading(
    run: Run, signed: Path
) -> None:
    """A pipe with a name: its signature stands beside it, and its lines are not read twice."""
    pipe = signed.parent / "p"
    os.mkfifo(pipe)
    Path(f"{pipe}.sig").write_bytes(Path(f"{signed}.sig").read_bytes())
    feeding = threading.Thread(target=lambda: pipe.write_bytes(signed.read_bytes()), daemon=True)
    feeding.start()
    assert run("verify", "--key", "pub.pem", "p").status == 0
    feeding.join(20)


@needs_native
@pytest.mark.parametrize("raw", [b"x" * (1 << 24) + b"\n\n", b"[" * 4000 + b"\n"])
def test_a_signature_file_that_is_none_is_no_way_to_harm_us(
    run: Run, signed: Path, raw: bytes
) -> None:
    """Too long: one line, exit 2. Too deep: no signature."""
    Path(f"{signed}.sig").write_bytes(raw)
    result = run("verify", "--key", "pub.pem", "t.jsonl")
    if len(raw) > 1 << 20:
        assert result == (2, b"", "agenttrace: t.jsonl.sig: longer than 16 MiB\n")
    else:
        assert _findings(result) == ["no_signature"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--partial", "t.jsonl"], "--key can't be used with --partial"),
        (["-"], "--key needs FILEs: the signature of a trace is kept beside it"),
        ([], "--key needs FILEs"),
    ],
)
def test_wrong_usage_is_told(run: Run, arguments: list[str], message: str) -> None:
    """Exit 2, before anything is read."""
    result = run("verify", "--key", "pub.pem", *arguments)
    assert (result.status, result.out) == (2, b"")
    assert message in result.err


@needs_native
def test_a_key_that_is_none_is_told(run: Run, tmp_path: Path) -> None:
    """A missing file, a private key, noise."""
    (tmp_path / "key.pem").write_text(PRIVATE)
    result = run("verify", "--key", "key.pem", "t.jsonl")
    assert result.status == 2
    assert result.err.startswith("agenttrace: key.pem: no Ed25519 public key")
    result = run("verify", "--key", "missing.pem", "t.jsonl")
    assert result == (2, b"", "agenttrace: missing.pem: No such file or directory\n")


def test_without_the_native_module_it_says_so(run: Run, tmp_path: Path) -> None:
    """And never that a trace is good."""
    (tmp_path / "pub.pem").write_text(PUBLIC)
    result = run("verify", "--key", "pub.pem", "x.jsonl", env={"AGENTTRACE_BACKEND": "pure"})
    expected = "agenttrace: signatures need the native module, which is not installed\n"
    assert result == (2, b"", expected)
