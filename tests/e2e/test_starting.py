"""Every way to start Python: its model call is in the trace, once, or it is told that it could not be seen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import Ended, ModelServer, clean_bench, of_kind
from .starting import ways

WAYS = ways.all_ways()


def _filled(text: str, words: dict[str, str]) -> str:
    for name, value in words.items():
        text = text.replace("{" + name + "}", value)
    return text


def _lacks(way: ways.Way, words: dict[str, str]) -> str | None:
    for need in way.needs:
        if need not in words and shutil.which(need) is None:
            return need
    return None


class Stage:
    """One folder and one model server, in which all ways were recorded, two at a time."""

    def __init__(self, folder: Path, python: str, server: ModelServer) -> None:
        self.bench = clean_bench(folder)
        ways.lay_out(folder, python, server.port)
        self.bench.environment["PATH"] = os.pathsep.join(
            [str(Path(python).parent), os.environ["PATH"]]
        )
        self.words = {
            "py": python,
            "here": str(folder),
            "uv": str(Path(python).parent / "uv"),
            "code": (folder / "agent.py").read_text(encoding="utf-8"),
        }
        for version in ("3.7", "3.8", "3.9", "3.10", "3.12", "3.13"):
            found = ways.python_of(version)
            if found is not None:
                self.words["python" + version] = found
        with ThreadPoolExecutor(2) as pool:
            self.ended = dict(zip([way.name for way in WAYS], pool.map(self._record, WAYS)))

    def _record(self, way: ways.Way) -> Ended | str:
        missing = _lacks(way, self.words)
        if missing is not None:
            return missing
        command = [_filled(part, self.words) for part in _parts(way.command)]
        env = {name: _filled(value, self.words) for name, value in way.env.items()}
        stdin = (self.bench.folder / "agent.py").open() if way.stdin else subprocess.DEVNULL
        ended = subprocess.run(
            [sys.executable, "-m", "agenttrace", "record", "-o", self.trace(way), "--", *command],
            cwd=self.bench.folder,
            env={**self.bench.environment, **env},
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if way.stdin:
            stdin.close()
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def trace(self, way: ways.Way) -> str:
        """The name of its trace."""
        return "".join(c if c.isalnum() else "-" for c in way.name) + f"-{WAYS.index(way)}.jsonl"

    def events(self, way: ways.Way) -> list[dict]:
        """What was recorded of it."""
        text = (self.bench.folder / self.trace(way)).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


def test_the_table_in_the_document_is_this_one():
    """docs/starting-python.md shows these ways and these results."""
    text = (ways.HERE.parents[2] / "docs" / "starting-python.md").read_text(encoding="utf-8")
    assert text.endswith("\n" + ways.table()), f"it should end with:\n{ways.table()}"


def _parts(command: str) -> list[str]:
    return [part.replace("\0", "|") for part in command.replace("\\|", "\0").split("|")]


@pytest.fixture(scope="module")
def stage(tmp_path_factory, sdk_python):
    """All ways, recorded."""
    with ModelServer() as server:
        yield Stage(tmp_path_factory.mktemp("starting"), sdk_python, server)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_its_call_is_recorded_once_or_told(stage, way):
    """One exchange, whole, and no gap; or a gap that says why there is none."""
    ended = stage.ended[way.name]
    if isinstance(ended, str):
        pytest.skip(f"{ended} is not on this machine")
    assert ended.status == 0, ended.stderr
    events = stage.events(way)
    gaps = [event["data"]["reason"] for event in of_kind(events, "gap")]
    calls = of_kind(events, "llm_request")
    if way.is_recorded:
        assert (len(calls), gaps) == (1, [])
        (answer,) = of_kind(events, "llm_response")
        assert answer["data"]["complete"] is True
    else:
        assert calls == []
        assert len(gaps) == 1
        assert way.told in gaps[0]
        assert way.told in ended.stderr


def test_a_python_that_starts_loads_hardly_anything_for_us(tmp_path):
    """Of the library only what is compiled in and the sockets in C; of ours no more than a dozen files."""
    bench = clean_bench(tmp_path)
    show = [sys.executable, "-c", "import sys; print(*sys.modules)"]
    bare = subprocess.run(show, env=bench.environment, capture_output=True, text=True, check=True)
    hooked = bench.run("record", "-q", "-o", "t.jsonl", "--", *show)
    more = set(hooked.stdout.split()) - set(bare.stdout.split())
    ours = {name for name in more if name.startswith("_agenttrace_capture")}
    assert ours
    assert len(ours) <= 14, sorted(ours)
    assert more - ours <= {"sitecustomize", "_socket", "_operator", "atexit", "gc"}
