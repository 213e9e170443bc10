"""Signatures: a trace that was changed and sealed again is caught, with the end recomputed too."""

from __future__ import annotations

import hashlib
import json
import resource
from pathlib import Path

import pytest

from agenttrace import Tracer, _backend, signature
from agenttrace.errors import AgentTraceError
from tests.forging import OTHER_PRIVATE, PRIVATE, PUBLIC, forged

if _backend.BACKEND == "pure":
    pytest.skip("signatures need the native module", allow_module_level=True)


def _traced(path: Path, *messages: str) -> str:
    with Tracer(path) as tracer:
        for message in messages:
            tracer.log(message)
        return str(tracer.trace_id)


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """A trace and its signature."""
    path = tmp_path / "t.jsonl"
    signature.sign(str(path), _traced(path, "one", "two"), PRIVATE)
    return path


def _problems(path: Path, public_key: str = PUBLIC) -> list[str | None]:
    contents, scanner = signature.Contents(), _backend.Scanner()
    contents.add(scanner.feed(path.read_bytes()) + scanner.finish())
    return [verdict.problem for verdict in signature.check(str(path), contents, public_key)]


def test_a_signed_trace_is_good(signed):
    assert _problems(signed) == [None]


def test_the_signature_holds_the_sum_that_sha256sum_prints(signed):
    line = json.loads(Path(f"{signed}.sig").read_text())
    assert line["sha256"] == hashlib.sha256(signed.read_bytes()).hexdigest()
    assert (line["events"], line["bytes"]) == (4, signed.stat().st_size)
    assert Path(f"{signed}.sig").stat().st_mode & 0o777 == 0o600


def test_a_forgery_that_every_checksum_takes_for_good_is_caught(signed):
    raw = forged(signed.read_bytes(), b'"two"', b'"too"')
    scanner = _backend.Scanner(judge="trace")
    scanner.judge_only(raw)
    scanner.finish()
    assert scanner.report()[0] == "intact"
    signed.write_bytes(raw)
    assert _problems(signed) == ["bad_signature"]


@pytest.mark.parametrize("change", [b"", b"\n", b"{}\n"], ids=["cut", "blank", "line"])
def test_what_is_cut_is_caught_and_what_is_no_event_is_left_to_the_judge(signed, change):
    raw = signed.read_bytes()
    signed.write_bytes(raw[:-20] + change)
    assert _problems(signed) == ["bad_signature"]
    signed.write_bytes(raw + change)
    assert _problems(signed) == [None]


def test_another_key_is_not_this_one(signed):
    Path(f"{signed}.sig").unlink()
    trace_id = json.loads(signed.read_bytes().splitlines()[0])["trace_id"]
    signature.sign(str(signed), trace_id, OTHER_PRIVATE)
    assert _problems(signed) == ["bad_signature"]


def test_without_a_signature_it_is_said(signed):
    Path(f"{signed}.sig").unlink()
    assert _problems(signed) == ["no_signature"]


@pytest.mark.parametrize("raw", [b"", b"\n", b"no json\n", b"[]\n", b'{"trace_id":1}\n', b"\xff\n"])
def test_what_is_no_signature_signs_nothing(signed, raw):
    Path(f"{signed}.sig").write_bytes(raw)
    assert "no_signature" in _problems(signed)


def test_each_member_that_is_signed_counts(signed):
    path = Path(f"{signed}.sig")
    line = json.loads(path.read_text())
    others = [("events", "4"), ("events", 5), ("bytes", 1), ("sha256", "0" * 64), ("signature", "")]
    for name, other in others:
        path.write_text(json.dumps({**line, name: other}))
        assert _problems(signed) == ["bad_signature"], name


def test_each_trace_of_a_file_has_its_own(signed):
    second = _traced(signed, "three")
    assert _problems(signed) == [None, "no_signature"]
    signature.sign(str(signed), second, PRIVATE)
    assert _problems(signed) == [None, None]
    lines = signed.read_bytes().splitlines(keepends=True)
    signed.write_bytes(b"".join(lines[i] for i in (0, 4, 1, 5, 6, 2, 3)))  # joined by time
    assert _problems(signed) == [None, None]
    signed.write_bytes(b"".join(lines[:4]))
    assert _problems(signed) == [None, "bad_signature"]


def test_a_packed_trace_is_signed_as_it_is_unpacked(tmp_path):
    path = tmp_path / "t.jsonl.zst"
    signature.sign(str(path), _traced(path, "one"), PRIVATE)
    assert _problems(path) == [None]


def test_keys_that_are_none_are_refused(tmp_path):
    path = tmp_path / "key.pem"
    for text in (PUBLIC, "", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "\xff"):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(AgentTraceError, match="key.pem: no Ed25519 private key"):
            signature.read_private_key(str(path))
    path.write_text(PRIVATE)
    assert signature.read_private_key(str(path)) == PRIVATE
    with pytest.raises(AgentTraceError, match="no Ed25519 public key"):
        signature.read_public_key(str(path))


def test_a_link_in_place_of_the_signature_is_not_followed(signed):
    Path(f"{signed}.sig").unlink()
    Path(f"{signed}.sig").symlink_to(signed)
    before = signed.read_bytes()
    with pytest.raises(OSError, match="symbolic"):
        signature.sign(str(signed), json.loads(before.splitlines()[0])["trace_id"], PRIVATE)
    assert signed.read_bytes() == before


def test_half_a_signature_is_none_and_is_told(tmp_path):
    """Where the disk is full in the middle of it; nothing of it is left to spoil the next one."""
    path = tmp_path / "t.jsonl"
    trace_id = _traced(path, "one")
    signature.sign(str(path), trace_id, PRIVATE)
    before = Path(f"{path}.sig").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
    try:
        with pytest.raises(OSError, match="No space left"):
            signature.sign(str(path), trace_id, PRIVATE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert Path(f"{path}.sig").read_bytes() == before
