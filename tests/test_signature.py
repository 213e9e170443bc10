"""Signatures: a trace that was changed and sealed again is caught, with the end recomputed too."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from agenttrace import Tracer, _backend, signature
from agenttrace.errors import AgentTraceError

if _backend.BACKEND == "pure":
    pytest.skip("signatures need the native module", allow_module_level=True)

# The example of RFC 8410, section 10; and a key of somebody else.
_PRIVATE = b"MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"
_PUBLIC = b"MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
_OTHER_PRIVATE = base64.b64encode(
    base64.b64decode(_PRIVATE)[:-32] + hashlib.sha256(b"other").digest()
)


def _pem(kind: str, text: bytes) -> str:
    return f"-----BEGIN {kind} KEY-----\n{text.decode()}\n-----END {kind} KEY-----\n"


PRIVATE, PUBLIC = _pem("PRIVATE", _PRIVATE), _pem("PUBLIC", _PUBLIC)
OTHER_PRIVATE = _pem("PRIVATE", _OTHER_PRIVATE)


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
    return [verdict.problem for verdict in signature.check(str(path), public_key)]


def test_a_signed_trace_is_good(signed):
    assert _problems(signed) == [None]


def test_the_signature_holds_the_sum_that_sha256sum_prints(signed):
    line = json.loads(Path(f"{signed}.sig").read_text())
    assert line["sha256"] == hashlib.sha256(signed.read_bytes()).hexdigest()
    assert (line["events"], line["bytes"]) == (4, signed.stat().st_size)
    assert Path(f"{signed}.sig").stat().st_mode & 0o777 == 0o600


def _forged(raw: bytes) -> bytes:
    """A word changed, every line sealed again, the end's chain recomputed: as good a forgery as can be made."""
    lines = [json.loads(line) for line in raw.replace(b'"two"', b'"too"').splitlines()]
    sealed, chain = [], 0
    for event in lines:
        event.pop("crc32c")
        if event["kind"] == "trace_end":
            event["data"]["chain"] = f"{chain:08x}"
        line = _backend.seal(json.dumps(event, separators=(",", ":")).encode())
        chain = _backend.crc32c(int(line[-11:-3], 16).to_bytes(4, "big"), chain)
        sealed.append(line)
    return b"".join(sealed)


def test_a_forgery_that_every_checksum_takes_for_good_is_caught(signed):
    forged = _forged(signed.read_bytes())
    scanner = _backend.Scanner(judge="trace")
    scanner.judge_only(forged)
    scanner.finish()
    assert scanner.report()[0] == "intact"
    signed.write_bytes(forged)
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
