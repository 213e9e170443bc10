"""All of this holds with the pure backend too."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from agenttrace import (
    _backend,
)
from tests.library.reading import ROOT

HERE = pathlib.Path(__file__).parent


@pytest.mark.skipif(_backend.BACKEND == "pure", reason="this is that backend")
def test_all_of_this_holds_with_the_pure_backend() -> None:
    """The same tests in a process where AGENTTRACE_BACKEND is pure."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(HERE)],
        env={**os.environ, "AGENTTRACE_BACKEND": "pure"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
