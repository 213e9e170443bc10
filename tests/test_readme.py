"""README.md shows what happens: its sessions are run, in their order, and their output compared.

A fence marked `console run` holds commands behind `$ ` and what they write, on both streams; `…`
stands for anything, alone on a line for any lines. `console setup` comes first wherever it stands;
its port is exchanged for a free one. `python run` is run as a program.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
_PORT = "8765"


@dataclass
class Step:
    """One command of a session and what it should write."""

    command: str
    expected: list[str] = field(default_factory=list)
    status: int | None = None
    output: list[str] = field(default_factory=list)


def _fences(mark: str) -> list[str]:
    return re.findall(rf"^```{mark}\n((?:.*\n)*?)```$", README, re.MULTILINE)


def _steps(text: str) -> Iterator[Step]:
    step: Step | None = None
    for line in text.splitlines():
        if line.startswith("$ "):
            if step is not None:
                yield step
            step = Step(line[2:])
        else:
            assert step is not None, f"output before a command: {line}"
            step.expected.append(line)
    if step is not None:
        yield step


def _script(steps: list[Step], port: str) -> str:
    """One shell runs all; behind each command stands a mark with its number and status."""
    lines = ["exec 2>&1"]
    wait = f"until (: > /dev/tcp/127.0.0.1/{port}) 2>/dev/null && [ -s said ]; do sleep 0.05; done; cat said"
    for number, step in enumerate(steps):
        command = step.command.replace(_PORT, port)
        if command.endswith("&"):  # what it says must not come in the midst of another step
            lines += [f"{command[:-1]} >said 2>&1 &", wait]
        else:
            lines.append(command)
        lines.append(f"status=$?; printf '\\n@@ {number} %d\\n' $status; (exit $status)")
    lines.append("kill %1")
    return "\n".join(lines) + "\n"


def _free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def _folder(tmp_path: Path) -> dict[str, str]:
    """A clean folder with the examples, and an environment with `agenttrace` and `python`."""
    from tools.agent_environment import agent_python

    tools = tmp_path / "bin"
    tools.mkdir()
    for name, command in {
        "agenttrace": f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m agenttrace "$@"',
        "python": f'exec "{agent_python()}" "$@"',
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{command}\n")
        (tools / name).chmod(stat.S_IRWXU)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
    }


def _matches(expected: list[str], output: list[str]) -> bool:
    parts = []
    for line in expected:
        if line == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(map(re.escape, line.split("…"))) + r"\n")
    return re.fullmatch("".join(parts), "".join(line + "\n" for line in output)) is not None


def _run(steps: list[Step], port: str, folder: Path, environment: dict[str, str]) -> None:
    ended = subprocess.run(
        ["bash"],
        input=_script(steps, port),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )
    rest = ended.stdout.replace(port, _PORT)
    for number, step in enumerate(steps):
        output, mark, rest = re.split(rf"\n@@ {number} (\d+)\n", rest, maxsplit=1)
        step.output = output.split("\n") if output else []
        if step.output and step.output[-1] == "":
            step.output.pop()
        step.status = int(mark)


def test_the_sessions_go_as_they_are_shown(tmp_path: Path) -> None:
    """Every command of the README, in one shell, in order; jq is needed for those that use it."""
    if shutil.which("jq") is None:
        pytest.skip("the README pipes into jq, which is not installed")
    setup = [step for text in _fences("console setup") for step in _steps(text)]
    shown = [step for text in _fences("console run") for step in _steps(text)]
    assert len(shown) > 15
    environment = _folder(tmp_path)
    _run([*setup, *shown], _free_port(), tmp_path, environment)
    wrong = [
        f"$ {step.command}\n" + "\n".join(step.output)
        for step in shown
        if not _matches(step.expected, step.output)
    ]
    assert not wrong, "\n\n".join(wrong)


def test_the_library_example_runs(tmp_path: Path) -> None:
    """As it stands; its own assertions hold."""
    (program,) = _fences("python run")
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1].startswith("8 trace_end") or "trace_end" in ended.stdout


def test_every_session_is_run() -> None:
    """No example without a mark, save the commands of the build and files that are shown."""
    fences = set(re.findall(r"^```(.+)$", README, re.MULTILINE))
    assert fences <= {"console run", "console setup", "python run", "python", "sh", "toml"}


def test_the_links_lead_somewhere() -> None:
    """Files that the documents name are there, and so are the headings."""
    for name in ("README.md", "ARCHITECTURE.md", "FORMAT.md", "CONTRIBUTING.md", "SECURITY.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        headings = {
            re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        }
        for target in re.findall(r"\]\(([^)#]*(?:#[^)]*)?)\)", text):
            file, _, anchor = target.partition("#")
            if file.startswith("http"):
                continue
            assert not file or (ROOT / file).exists(), f"{name}: {target}"
            assert file or anchor in headings, f"{name}: {target}"
