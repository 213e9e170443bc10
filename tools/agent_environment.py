"""Makes the environment of the agents that are recorded in tests, demo and benchmarks, and prints its Python.

It has the real SDKs (pyproject's `e2e` group) and nothing of AgentTrace: that is the point. Made
once, kept in `.build`, as are others of pyproject's groups.
Standard library alone, on any Python that agents use.
"""

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]


def agent_python(*more_groups: str) -> str:
    """The path of that environment's Python; makes it at the first call. more_groups: beside `e2e`."""
    return environment_python("agents", "e2e", *more_groups)


def environment_python(name: str, *groups: str) -> str:
    """The path of the Python of an environment that has these groups and nothing else; makes it at the first call."""
    requirements = [one for group in groups for one in _group(group)]
    key = hashlib.sha256(repr((requirements, sys.version)).encode()).hexdigest()[:12]
    folder = ROOT / ".build" / f"{name}-{key}"
    ready = folder / "ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "-q", *requirements], check=True)
        ready.touch()
    return str(folder / "bin" / "python")


def _group(name: str) -> list:
    if sys.version_info >= (3, 11):
        import tomllib
    else:  # pip brings a copy with it
        from pip._vendor import tomli as tomllib
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return project["dependency-groups"][name]


if __name__ == "__main__":
    print(agent_python())
