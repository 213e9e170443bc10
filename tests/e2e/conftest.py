"""Real clients in an environment of their own, against the model server on loopback, through the installed command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AGENTS = Path(__file__).parent / "agents"
EXAMPLES = ROOT / "examples"

sys.path.insert(0, str(ROOT))
from examples.model_server import ModelServer  # noqa: E402
from tools.agent_environment import agent_python  # noqa: E402


@pytest.fixture(scope="session")
def sdk_python() -> str:
    """A Python that has the SDKs and nothing of ours."""
    return agent_python()


@pytest.fixture
def server():
    """A model server of this test's own."""
    with ModelServer() as running:
        yield running


@dataclass
class Ended:
    """How a command ended, and what it wrote."""

    status: int
    stdout: str
    stderr: str


@dataclass
class Bench:
    """A clean folder and environment to run the command in."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def serve_from(self, server: ModelServer) -> None:
        """Points the SDKs at this server."""
        self.environment.update(
            OPENAI_BASE_URL=f"{server.url}/v1",
            ANTHROPIC_BASE_URL=server.url,
            MODEL_SERVER=server.url,
        )

    def start(self, *arguments: object, **options) -> subprocess.Popen:
        """Starts `agenttrace ARGUMENTS`."""
        command = os.environ.get("AGENTTRACE_TEST_COMMAND")
        prefix = [command] if command else [sys.executable, "-m", "agenttrace"]
        options = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            **options,
        }
        return subprocess.Popen(
            [*prefix, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            text=True,
            **options,
        )

    def run(self, *arguments: object, **options) -> Ended:
        """Runs `agenttrace ARGUMENTS` to its end."""
        process = self.start(*arguments, **options)
        stdout, stderr = process.communicate(timeout=120)
        return Ended(process.returncode, stdout, stderr)

    def events(self, name: str = "t.jsonl") -> list[dict]:
        """The events of a trace, by plain JSON."""
        return [json.loads(line) for line in (self.folder / name).read_bytes().split(b"\n")[:-1]]

    def report(self, name: str = "t.jsonl", *options: str) -> dict:
        """What verify says of it."""
        return json.loads(self.run("verify", *options, name).stdout)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench of this test's own."""
    return clean_bench(tmp_path)


def clean_bench(folder: Path) -> Bench:
    """A folder, and an environment with nothing in it that the test didn't put there."""
    home = folder / "home"
    home.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "OPENAI_API_KEY": "sk-planted-openai-key-0123456789abcdef",
        "ANTHROPIC_API_KEY": "sk-ant-planted-anthropic-key-0123456789",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if "AGENTTRACE_BACKEND" in os.environ:
        environment["AGENTTRACE_BACKEND"] = os.environ["AGENTTRACE_BACKEND"]
    return Bench(folder, environment)


def of_kind(events: list[dict], *kinds: str) -> list[dict]:
    """The events of these kinds, in order."""
    return [event for event in events if event["kind"] in kinds]
