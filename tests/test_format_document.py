"""FORMAT.md and the code say the same: its examples are what it says they are, its lists are whole."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from agenttrace import Event, _backend
from agenttrace.errors import TraceFormatError

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "FORMAT.md").read_text(encoding="utf-8")


class Example(NamedTuple):
    """A fenced block: what stands behind ```jsonl, and its lines."""

    says: str
    lines: list[bytes]


def _examples() -> list[Example]:
    found = re.findall(r"^```jsonl *(.*)\n((?:.*\n)*?)```$", DOCUMENT, re.MULTILINE)
    return [Example(says, text.encode().splitlines(keepends=True)) for says, text in found]


EXAMPLES = _examples()


def _kinds_of_findings(lines: list[bytes], judge: str) -> list[str]:
    scanner = _backend.Scanner(judge=judge)
    scanner.judge_only(b"".join(lines))
    scanner.finish()
    return [finding[0] for finding in scanner.take_findings()]


def test_the_document_has_examples_of_all_sorts() -> None:
    """A whole trace, good lines, unsealed ones, and bad ones marked with their finding."""
    assert {example.says.partition(" ")[0] for example in EXAMPLES} == {
        "", "trace", "unsealed", "bad",
    }  # fmt: skip


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.says in ("", "trace")])
def test_each_example_line_opens_and_its_seal_fits(example: Example) -> None:
    """What isn't marked otherwise is a good, sealed line whose data is JSON."""
    for line in example.lines:
        event = Event(line)
        assert event.crc32c is not None
        assert isinstance(event.data, dict)
        _backend.compact_json(line[:-1], _backend.MAX_DEPTH)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.says == "trace"])
def test_the_example_of_a_trace_is_intact(example: Example) -> None:
    """Numbers, count and chain agree."""
    assert _kinds_of_findings(example.lines, "trace") == []


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.says == "unsealed"])
def test_unsealed_examples_open_and_have_no_seal(example: Example) -> None:
    """They are events all the same."""
    for line in example.lines:
        assert Event(line).crc32c is None
        assert Event(line).data


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.says.startswith("bad")])
def test_bad_examples_are_bad_in_the_way_they_say(example: Example) -> None:
    """Each line has that finding, and no line opens."""
    finding = example.says.split()[1]
    assert _kinds_of_findings(example.lines, "lines") == [finding] * len(example.lines)
    for line in example.lines:
        with pytest.raises(TraceFormatError):
            _backend.open_line(line)


def test_the_example_of_a_conversation_expands() -> None:
    """What stands in `base` leads back to the whole conversation."""
    example = next(e for e in EXAMPLES if b'"base"' in b"".join(e.lines))
    conversations = _backend.Conversations()
    first, second = (Event(conversations.expand(line)).data for line in example.lines)
    assert "base" not in second
    assert second["request"]["messages"][:2] == first["request"]["messages"]
    assert len(second["request"]["messages"]) == 4


def test_the_check_value_is_the_one_of_the_checksum() -> None:
    """CRC-32C of 123456789."""
    assert f"`{_backend.crc32c(b'123456789'):08x}`" in DOCUMENT


def test_every_kind_of_finding_is_in_the_document() -> None:
    """As the core and the pure backend name them, and nothing else is in the table."""
    core = (ROOT / "crates/agenttrace-core/src/error.rs").read_text(encoding="utf-8")
    of_core = set(re.findall(r"=> \(\"([a-z_]+)\", \"", core))
    from agenttrace._pure import words

    section = DOCUMENT[DOCUMENT.index("## Findings") : DOCUMENT.index("## Files")]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    assert of_core == set(words.FINDINGS) == told


# Calls whose first argument is a kind: what the recorder and the tracer write.
_WRITERS = {"write", "_write", "event", "_begin"}
# Names that the code puts a kind together from: `http_request`, `llm_chunk`, …
_PUT_TOGETHER = {
    f"{what}_{part}" for what in ("llm", "http") for part in ("request", "chunk", "response")
}


def _kinds_in_the_code() -> set[str]:
    found = set(_PUT_TOGETHER)
    for path in (ROOT / "agenttrace").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                is_kind = isinstance(first, ast.Constant) and isinstance(first.value, str)
                if node.func.attr in _WRITERS and is_kind:
                    found.add(first.value)
            elif isinstance(node, ast.Compare) and _asks_for_kind(node.left):
                constants = [n for part in node.comparators for n in ast.walk(part)]
                found |= {n.value for n in constants if isinstance(n, ast.Constant)}
    return {kind for kind in found if isinstance(kind, str) and re.fullmatch("[a-z][a-z_]*", kind)}


def _asks_for_kind(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "kind"


def test_every_kind_of_event_in_the_code_is_in_the_document() -> None:
    """Whatever the code writes or asks for by its kind has a row in the table."""
    section = DOCUMENT[DOCUMENT.index("## Kinds of events") : DOCUMENT.index("## Conversations")]
    told = set(re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\|[^|]*\|", section, re.M))))
    of_findings = set(re.findall(r"`([a-z_]+)`", DOCUMENT[DOCUMENT.index("## Findings") :]))
    assert _kinds_in_the_code() - told - of_findings == set()
    assert {"llm_request", "tool_result", "gap", "trace_end"} <= told


def test_the_limits_in_the_document_are_those_of_the_code() -> None:
    """Version, depth, length of a line, reach and least size of what a conversation shares."""
    assert _backend.FORMAT_VERSION == 1
    assert f"at most {_backend.MAX_DEPTH} levels" in DOCUMENT
    assert f"at most {_backend.MAX_LINE_BYTES >> 20} MiB" in DOCUMENT
    from agenttrace._pure import conversation

    assert f"{conversation.LEAST_SHARED_BYTES} bytes or more" in DOCUMENT
    base = (ROOT / "agenttrace/_pure/requests.py").read_text(encoding="utf-8")
    assert "REACH = 64" in base
    assert "one of the 64 `llm_request` lines" in DOCUMENT
