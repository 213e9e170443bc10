"""Prints what pyproject.toml asks for: the package's dependencies and its `dev` group, one requirement a line."""

import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:  # pip brings a copy with it
    from pip._vendor import tomli as tomllib

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
print("\n".join([*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]))
