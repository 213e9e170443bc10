"""`agenttrace cat --redact`: a trace to be shared, made of one that is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest

from agenttrace import _backend
from tests.cli.conftest import VECTORS, sealed
from tests.secret_corpus import SHAPED

Run = Callable[..., Any]
KEY = SHAPED[0]
WHOLE = (VECTORS / "whole.jsonl").read_bytes()


def _trace() -> bytes:
    """A key in a prompt, one cut by the network, the user's own word."""
    lines = [
        sealed(0, "trace_start", {"name": "planted"}),
        sealed(1, "user_input", {"text": f"my key is {KEY}"}),
        sealed(2, "stdout", {"text": f"it is {KEY[:20]}", "fd": 1, "tty": False}),
        sealed(3, "stdout", {"text": f"{KEY[20:]} of ACME Incorporated", "fd": 1, "tty": False}),
    ]
    chain = 0
    for line in lines:
        chain = _backend.crc32c(bytes.fromhex(line[-11:-3].decode()), chain)
    end = {"status": "ok", "totals": {"redactions": 3}, "events": 4, "chain": f"{chain:08x}"}
    return b"".join([*lines, sealed(4, "trace_end", end)])


def _texts(out: bytes) -> list[str]:
    return [event["data"].get("text", "") for event in map(json.loads, out.splitlines())]


def test_a_trace_without_secrets_is_made_and_verifies(run: Run, tmp_path: Path) -> None:
    """The option takes no word behind it: that is the file. The input stays as it was."""
    (tmp_path / "t.jsonl").write_bytes(_trace())
    result = run("cat", "--redact", "t.jsonl", "-o", "new.jsonl")
    assert (result.status, result.out) == (0, b"")
    assert (
        result.err == "agenttrace: 2 secrets redacted; redaction has holes: look before you share\n"
    )
    assert (tmp_path / "t.jsonl").read_bytes() == _trace()
    shared = (tmp_path / "new.jsonl").read_bytes()
    assert _texts(shared)[1:-1] == [
        "my key is [redacted:openai-key]",
        "it is [redacted:openai-key]",
        " of ACME Incorporated",
    ]
    assert json.loads(run("verify", "--deep", "new.jsonl").out)["status"] == "intact"
    assert json.loads(shared.splitlines()[-1])["data"]["totals"] == {"redactions": 5}


def test_the_environments_secrets_and_ones_own_words(run: Run) -> None:
    """What matches `--redact=REGEX`, and values of secret-looking variables; also through a pipe, quietly."""
    words = ["--redact", "--redact=of AC", "--redact=my key"]
    result = run("cat", "-q", *words, "-", stdin=_trace(), env={"X_TOKEN": "Incorporated"})
    assert (result.status, result.err) == (0, "")
    assert _texts(result.out)[1:-1] == [
        "[redacted:redact-2] is [redacted:openai-key]",
        "it is [redacted:openai-key]",
        " [redacted:redact-1]ME [redacted:X_TOKEN]",
    ]
    again = run("cat", "--redact", stdin=result.out, env={"X_TOKEN": "not there"})
    assert again.err.startswith("agenttrace: no secret was found; ")
    assert _texts(again.out) == _texts(result.out)


@pytest.mark.parametrize("options", [["--full"], ["--seal"], ["--salvage"], ["--no-crc"], []])
def test_it_goes_with_what_else_cat_does(run: Run, options: list[str]) -> None:
    """And conversations are still led after."""
    result = run("cat", "--redact=Zürich", *options, stdin=WHOLE)
    assert result.status == 0
    assert "Zürich" not in result.out.decode()
    judged = run("verify", "--deep", "--allow-unsealed", stdin=result.out)
    assert json.loads(judged.out)["status"] == "intact"
    full = run("cat", "--full", "-", stdin=result.out).out
    asked = [
        event for event in map(json.loads, full.splitlines()) if event["kind"] == "llm_request"
    ]
    assert "[redacted:redact-1]" in json.dumps(asked[-1]["data"]["request"]["messages"][1])


def test_damage_is_left_out_and_the_rest_of_it_redacted(run: Run) -> None:
    """`--salvage` finds the events inside a welded line; none of them keeps the secret."""
    welded = _trace().replace(b"\n", b"", 3)
    result = run("cat", "--redact", "--salvage", stdin=welded)
    assert result.status == 1
    assert KEY not in result.out.decode()
    assert len(result.out.splitlines()) == 5
    assert json.loads(run("verify", stdin=result.out).out)["status"] == "intact"


def test_for_a_person_too(run: Run) -> None:
    """The text view of the redacted trace."""
    result = run("cat", "--redact", "--to", "text", stdin=_trace())
    assert "my key is [redacted:openai-key]" in result.out.decode()
    assert KEY[20:] not in result.out.decode()


def test_a_bad_expression_is_wrong_usage(run: Run) -> None:
    """With the engine's words."""
    if _backend.BACKEND == "pure":
        pytest.skip("literal strings only")
    result = run("cat", "--redact=(", stdin=WHOLE)
    assert (result.status, result.out) == (2, b"")
    assert "--redact" in result.err
