"""Marked tests of a project: recorded, replayed without a server, failed with the difference; in their own pytest."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from agenttrace import TraceReader
from examples.model_server import ModelServer

ROOT = Path(__file__).parent.parent

TESTS = """
import asyncio, os
import httpx, pytest

URL = os.environ["MODEL_SERVER"] + "/v1/chat/completions"

def body(text):
    return {"model": "gpt-5", "messages": [{"role": "user", "content": text}]}

@pytest.mark.agenttrace
def test_sync():
    answer = httpx.post(URL, json=body(os.environ.get("WORD", "Bern")))
    assert answer.json()["choices"]

@pytest.mark.agenttrace("by-name.jsonl")
@pytest.mark.parametrize("city", ["Bern/../..", "Züri"])
def test_named(city):
    pass

class TestInClass:
    @pytest.mark.agenttrace
    @pytest.mark.parametrize("city", ["../..", "Bern"])
    def test_async(self, city):
        async def ask():
            async with httpx.AsyncClient() as client:
                return await asyncio.gather(*[client.post(URL, json=body(f"{city} {n}")) for n in range(3)])
        assert len(asyncio.run(ask())) == 3
"""


@dataclass
class Project:
    """A folder with tests, and how they ended."""

    folder: Path
    url: str = "http://127.0.0.1:9"

    def run(self, *options: str, **environment: str) -> tuple[int, str]:
        """(pytest's status, what it wrote)."""
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "agenttrace.pytest_plugin", *options],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "PYTHONPATH": str(ROOT),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "MODEL_SERVER": self.url,
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        return ended.returncode, ended.stdout + ended.stderr

    def traces(self) -> list[str]:
        """The traces that are there."""
        found = (path.relative_to(self.folder) for path in self.folder.rglob("*.jsonl*"))
        return sorted(map(str, found))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose tests ask a model."""
    (tmp_path / "test_cities.py").write_text(TESTS)
    return Project(tmp_path)


@pytest.fixture(scope="module")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same with its traces, for all tests of this file."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "test_cities.py").write_text(TESTS)
    with ModelServer() as server:
        made = Project(folder, server.url)
        status, said = made.run("--agenttrace=record", "-k", "not named", WORD="on 2026-01-01")
    assert status == 0, said
    return made


@pytest.fixture
def recorded(recorded_once: Project, tmp_path: Path) -> Project:
    """A copy of it, to be changed; the server is gone."""
    folder = tmp_path / "copy"
    shutil.copytree(recorded_once.folder, folder)
    return Project(folder, recorded_once.url)


def test_what_was_recorded_is_replayed_without_a_server(recorded: Project) -> None:
    """Sync and async; each test has a file of its own, in a folder of its own module, whatever its name."""
    traces = recorded.traces()
    assert len(traces) == 3
    assert all(path.startswith("traces/test_cities/") for path in traces)
    assert "traces/test_cities/test_sync.jsonl" in traces
    kinds = [event.kind for event in TraceReader(recorded.folder / traces[-1])]
    assert (kinds[0], kinds[-1]) == ("trace_start", "trace_end")
    status, said = recorded.run("-k", "not named", WORD="on 2026-12-31")
    assert status == 0, said
    assert recorded.traces() == traces


def test_a_changed_word_fails_and_shows_the_difference(recorded: Project) -> None:
    """By path, recorded against asked, and no traceback of ours."""
    status, said = recorded.run("-k", "sync and not async", WORD="Chur")
    assert status == 1
    assert '- "on 2026-01-01"' in said
    assert '+ "Chur"' in said
    assert ".messages[0].content" in said
    assert "pytest_plugin.py" not in said


def test_what_was_inexact_is_told_where_the_test_fails(recorded: Project) -> None:
    """For another reason than that."""
    test = recorded.folder / "test_cities.py"
    test.write_text(TESTS.replace('assert answer.json()["choices"]', "assert False"))
    status, said = recorded.run("-k", "sync and not async", WORD="on 2027-01-01")
    assert status == 1
    assert "date 2026-01-01 is now 2027-01-01" in said


def test_a_request_that_is_not_asked_any_more_fails(recorded: Project) -> None:
    """The trace is older than the code."""
    test = recorded.folder / "test_cities.py"
    test.write_text(TESTS.replace("range(3)", "range(2)").replace("== 3", "== 2"))
    status, said = recorded.run("-k", "async")
    assert status == 1
    assert "recorded but not asked" in said


def test_a_missing_trace_fails_and_says_what_to_do(project: Project) -> None:
    """It is never recorded by accident."""
    status, said = project.run("-k", "test_named and Bern")
    assert status == 1
    assert "by-name.jsonl: no such trace; pytest --agenttrace=record makes it" in said
    assert project.traces() == []


def test_off_leaves_the_tests_alone(project: Project) -> None:
    """They ask the server."""
    with ModelServer() as server:
        project.url = server.url
        status, said = project.run("--agenttrace=off", "-k", "test_sync")
        assert len(server.requests) == 1
    assert status == 0, said
    assert project.traces() == []


def test_refresh_records_anew_and_a_failure_keeps_the_old(recorded: Project) -> None:
    """The trace of a test that fails is not put in the place of a good one."""
    trace = recorded.folder / "traces/test_cities/test_sync.jsonl"
    before = trace.read_bytes()
    status, _ = recorded.run("--agenttrace=refresh", "-k", "sync and not async")
    assert status == 1  # there is no server
    assert trace.read_bytes() == before
    assert [path.name for path in trace.parent.iterdir() if path.name.startswith(".")] == []
    with ModelServer() as server:
        recorded.url = server.url
        assert recorded.run("--agenttrace=refresh", "-k", "sync and not async")[0] == 0
    assert trace.read_bytes() != before


def test_the_plugin_costs_nothing_where_no_test_is_marked(tmp_path: Path) -> None:
    """Nothing of ours but the plugin itself and the package's own file is loaded."""
    (tmp_path / "test_one.py").write_text(
        "import sys\n"
        "def test_one():\n"
        "    ours = {name for name in sys.modules if name.partition('.')[0] == 'agenttrace'}\n"
        "    assert ours == {'agenttrace', 'agenttrace.pytest_plugin'}\n"
    )
    status, said = Project(tmp_path).run()
    assert status == 0, said


def test_a_test_that_fails_by_what_followed_shows_the_difference_too(project: Project) -> None:
    """A divergence that the test swallowed, or met in a thread; the mark's path by its name."""
    (project.folder / "test_cities.py").write_text(
        TESTS
        + """
@pytest.mark.agenttrace(path="swallowed.jsonl")
def test_swallowed():
    try:
        said = httpx.post(URL, json=body(os.environ.get("WORD", "Bern"))).text
    except BaseException:
        said = ""
    assert said
"""
    )
    with ModelServer() as server:
        project.url = server.url
        status, said = project.run("--agenttrace=record", "-k", "swallowed")
    assert (status, project.traces()) == (0, ["swallowed.jsonl"]), said
    status, said = project.run("-k", "swallowed", WORD="Chur")
    assert (status, "assert ''" in said, '+ "Chur"' in said) == (1, True, True), said


def test_a_missing_trace_is_told_in_a_line(project: Project) -> None:
    """Without the exceptions behind it."""
    _, said = project.run("-k", "test_sync")
    assert "During handling" not in said
