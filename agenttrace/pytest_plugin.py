"""Tests answered from recorded traces: `@pytest.mark.agenttrace`.

    @pytest.mark.agenttrace                     # traces/test_weather/test_answer.jsonl beside the test's file
    def test_answer(): ...

    @pytest.mark.agenttrace("bern.jsonl", ignore=[".metadata"], masks=["ticket-[0-9]+"])
    async def test_bern(): ...                  # a path is taken from the folder of the test's file

`pytest --agenttrace=record` records the traces that are missing, `refresh` all anew, `off` leaves the tests
alone; else the HTTP of a marked test is answered from its trace and no connection leaves. A request that was not
recorded, one that was and is not asked any more, and a refused connection fail the test. What a test's
fixtures do in their own phases is left alone.

pytest loads this file in every run, so it loads nothing of ours before a marked test is run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from agenttrace.replayer import Replayer

MODES = ("replay", "record", "refresh", "off")
_MAX_NAME_CHARS = 120
_MAX_DIFFERENCES = 10


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--agenttrace`."""
    parser.getgroup("agenttrace").addoption(
        "--agenttrace",
        choices=MODES,
        default="replay",
        help="tests marked `agenttrace`: replay their traces (default), record the missing, refresh all, or off",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The mark."""
    config.addinivalue_line(
        "markers",
        "agenttrace(path, ignore=[], masks=[]): answer this test's HTTP from a recorded trace",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """The test itself, without its fixtures' phases."""
    mark = item.get_closest_marker("agenttrace")
    mode = item.config.getoption("--agenttrace")
    if mark is None or mode == "off":
        return (yield)
    options = dict(mark.kwargs)
    path = trace_path(item, *mark.args or [options.pop("path", None)])
    if mode == "refresh" or (mode == "record" and not path.exists()):
        with _recorded(path, item.nodeid):
            return (yield)
    with _replayed(item, path, **options):
        return (yield)


def trace_path(item: pytest.Item, path: str | os.PathLike[str] | None = None) -> Path:
    """Where the trace of this test is: at this path from the folder of its file, else below `traces/` there."""
    if path is not None:
        return item.path.parent / path
    name = item.nodeid.partition("::")[2] or item.name
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip(".-")[:_MAX_NAME_CHARS]
    if safe != name:  # two names must not become one
        safe += "-" + hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return item.path.parent / "traces" / item.path.stem / f"{safe}.jsonl"


@contextlib.contextmanager
def _recorded(path: Path, name: str) -> Iterator[None]:
    """Records the block; the file is there, whole, only if it went well."""
    from agenttrace.tracer import Tracer

    path.parent.mkdir(parents=True, exist_ok=True)
    growing = path.with_name(f".{path.name}.{os.getpid()}")
    growing.unlink(missing_ok=True)
    try:
        with Tracer(growing, name=name, capture=True):
            yield
        growing.replace(path)
    finally:
        growing.unlink(missing_ok=True)


@contextlib.contextmanager
def _replayed(item: pytest.Item, path: Path, **loosened: Any) -> Iterator[None]:
    from agenttrace.errors import Divergence

    replay = _replayer(item, path, loosened)
    if isinstance(replay, str):
        pytest.fail(f"{path}: {replay}", pytrace=False)
    diverged = False
    try:
        with replay:
            yield
    except Divergence:
        diverged = True
    finally:
        told = [*replay.report.masked, *replay.report.reordered]
        # Where the test failed by what followed from it, or its framework took it (unittest), nothing else shows it.
        if replay.report.divergence is not None and not diverged:
            told.append(_difference(replay))
        if told:
            item.add_report_section("call", "agenttrace", "\n".join(map(_clean, told)))
    if diverged:
        pytest.fail(f"{path}: {_difference(replay)}", pytrace=False)
    _judge(path, replay)


def _replayer(item: pytest.Item, path: Path, loosened: dict[str, Any]) -> Replayer | str:
    """Why there is none, in words."""
    from agenttrace.errors import AgentTraceError
    from agenttrace.replay import project
    from agenttrace.replayer import Replayer

    try:
        allowed = project.loosened(item.config.rootpath)
        return Replayer(path, **loosened, loosened=allowed)
    except FileNotFoundError:
        return "no such trace; pytest --agenttrace=record makes it"
    except (AgentTraceError, ValueError, TypeError) as error:  # TypeError: no such option
        return str(error)


def _judge(path: Path, replay: Replayer) -> None:
    report = replay.report
    if report.refused:
        pytest.fail(f"{path}: refused: {_clean(', '.join(report.refused))}", pytrace=False)
    if report.unasked:
        numbers = ", ".join(map(str, report.unasked))
        pytest.fail(f"{path}: recorded but not asked: events {numbers}", pytrace=False)


def _difference(replay: Replayer) -> str:
    from agenttrace.replay.comparison import Difference

    found = replay.report.divergence
    assert found is not None
    lines = [f"{found['method']} {found['url']} was not recorded"]
    if found["differences"]:
        lines.append(f"event {found['nearest_seq']} is nearest:  - recorded  + asked")
    for one in found["differences"][:_MAX_DIFFERENCES]:
        lines += [f"  {line}" for line in Difference(**one).lines()]
    more = len(found["differences"]) - _MAX_DIFFERENCES
    return "\n".join(map(_clean, [*lines, *([f"  … and {more} more"] if more > 0 else [])]))


def _clean(text: str) -> str:
    from agenttrace.text_cleaning import clean

    return clean(text)
