"""The names of `import agenttrace`, and the tree of its errors."""

from __future__ import annotations

import ast
import pathlib

import pytest

import agenttrace
from agenttrace import (
    AgentTraceError,
    ChecksumError,
    Divergence,
    ReplayError,
    TraceFormatError,
    TruncatedTraceError,
    UnsupportedVersionError,
)


def test_the_package_gives_its_public_names_and_no_others() -> None:
    """`__all__` is the contract; each of its names is there."""
    assert set(agenttrace.__all__) == {
        "AgentTraceError", "ChecksumError", "Divergence", "Event", "Finding", "ReplayError",
        "Replayer", "TraceFormatError", "TraceIndex", "TraceReader", "Tracer",
        "TruncatedTraceError", "UnsupportedVersionError",
    }  # fmt: skip
    assert all(getattr(agenttrace, name) for name in agenttrace.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Recorder'"):
        _ = agenttrace.Recorder


def test_a_type_checker_finds_the_names() -> None:
    """Checkers read `__all__` without running it: what is computed is not exported for `mypy --strict`."""
    assert agenttrace.__file__ is not None
    tree = ast.parse(pathlib.Path(agenttrace.__file__).read_text("utf-8"))
    (names,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    assert ast.literal_eval(names) == agenttrace.__all__ == sorted(agenttrace._HOME)


def test_errors_form_one_tree() -> None:
    """Everything of ours is an AgentTraceError; the branches are those of errors.py."""
    assert issubclass(TraceFormatError, AgentTraceError)
    for branch in (ChecksumError, TruncatedTraceError, UnsupportedVersionError):
        assert issubclass(branch, TraceFormatError)
    assert issubclass(ReplayError, AgentTraceError)
    assert issubclass(Divergence, ReplayError)
