"""The format's own examples, by both backends."""

from __future__ import annotations

import json
from types import ModuleType

import pytest

from tests.contract.making import VECTORS, bitwise_crc32c, kinds
from tests.contract.making import judged as judge

EXPECTED = json.loads((VECTORS / "expected.json").read_bytes())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_vector_has_its_status_and_its_findings(backend: ModuleType, name: str) -> None:
    """Every example file is judged as expected.json says."""
    stream = (VECTORS / name).read_bytes()
    status, _ = judge(backend, stream)
    found = kinds(backend, stream)
    assert status == EXPECTED[name]["status"]
    for kind, number in EXPECTED[name]["at_least"]:
        assert (kind, number) in found


def test_the_unsealed_vector_is_intact_where_that_is_allowed(backend: ModuleType) -> None:
    """A line without a seal counts in the chain, so nothing else is wrong."""
    stream = (VECTORS / "unsealed.jsonl").read_bytes()
    assert judge(backend, stream, allow_unsealed=True) == ("intact", [])


def test_the_shortened_vector_expands_to_its_request(backend: ModuleType) -> None:
    """The seventh line's request, expanded, is the one that was made by other means."""
    conversations = backend.Conversations()
    lines = (VECTORS / "whole.jsonl").read_bytes().splitlines(keepends=True)
    expanded = [conversations.expand(line) for line in lines]
    wanted = json.loads((VECTORS / "whole.seq6-expanded.json").read_bytes())
    opened = backend.open_line(expanded[6])
    data = json.loads(expanded[6][opened[7] : opened[8]])
    assert data["request"] == wanted
    assert "base" not in data
    assert expanded[:6] + expanded[7:] == lines[:6] + lines[7:]


def test_the_seals_of_the_vector_are_those_of_a_bitwise_checksum(backend: ModuleType) -> None:
    """An oracle that can't share a bug with the tables agrees with every seal."""
    for line in (VECTORS / "whole.jsonl").read_bytes().splitlines():
        assert int(backend.open_line(line)[9], 16) == bitwise_crc32c(line[:-21])
