"""Memory is bounded by the limit on a line, not by the stream."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from tests.contract.conftest import MODULES
from tests.contract.making import kinds, line, passed

# Peak memory of a stream of one long line, with an LF or without, against that of the interpreter with the backend.
MEASURE = """
import importlib, resource, sys
backend = importlib.import_module(sys.argv[1])
mebibytes, last = int(sys.argv[2]), sys.argv[3].encode()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
scanner = backend.Scanner(judge="trace", max_line_bytes=1 << 20)
before = peak()
chunk = b"x" * (1 << 20)
for _ in range(mebibytes):
    scanner.feed(chunk)
scanner.feed(last)
scanner.finish()
print(scanner.take_findings()[0][0], scanner.report()[3], peak() - before)
"""


@pytest.mark.parametrize(("last", "found"), [("\n", "malformed"), ("x", "torn_line")])
def test_a_line_of_a_gigabyte_needs_no_memory(backend: ModuleType, last: str, found: str) -> None:
    """It is one malformed line, or one without an LF; dropped as it streams by."""
    arguments = [sys.executable, "-c", MEASURE, MODULES[backend.BACKEND], "1024", last]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60)
    kind, size, grown_kib = done.stdout.split()
    assert (kind, int(size)) == (found, (1 << 30) + 1)
    assert int(grown_kib) < 16 * 1024


@pytest.mark.parametrize("chunk", [1, 50, 10_000])
def test_a_long_line_hides_no_other(backend: ModuleType, chunk: int) -> None:
    """Those before and behind are judged and handed on."""
    stream = line(0) + line(1, data=b'{"a":"%b"}' % (b"x" * 400)) + line(2)
    scanner = backend.Scanner(max_line_bytes=300)
    pieces = [stream[at : at + chunk] for at in range(0, len(stream), chunk)]
    assert b"".join(map(scanner.feed, pieces)) == line(0) + line(2)
    assert [found[3:5] for found in scanner.take_findings()] == [(2, len(line(0)))]


def test_a_long_line_without_lf_is_torn(backend: ModuleType) -> None:
    """One finding: it is the last line, whatever it holds."""
    assert kinds(backend, b"x" * 500, judge="lines", max_line_bytes=100) == [("torn_line", 1)]


def test_the_limit_by_default_is_64_mib(backend: ModuleType) -> None:
    """A line of a megabyte is nothing special."""
    assert backend.MAX_LINE_BYTES == 64 << 20
    raw = backend.seal(line(0, data=b"{}")[:-24] + b'{"a":"%b"}}' % (b"x" * 1_000_000))
    assert passed(backend, raw) == raw
