"""Both backends, one after the other, for every test of the contract."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

import pytest

MODULES = {"native": "agenttrace._native", "pure": "agenttrace._pure"}


def load(name: str) -> ModuleType:
    """One backend. A missing native module is a failure in CI, and told elsewhere."""
    try:
        return importlib.import_module(MODULES[name])
    except ImportError as error:
        if name == "native" and not os.environ.get("CI"):
            pytest.skip("the native module is not built here")
        pytest.fail(f"{MODULES[name]} can't be imported: {error}")


@pytest.fixture(params=list(MODULES))
def backend(request: pytest.FixtureRequest) -> ModuleType:
    """The backend under test."""
    return load(request.param)


@pytest.fixture
def native() -> ModuleType:
    """The native backend."""
    return load("native")


@pytest.fixture
def pure() -> ModuleType:
    """The pure backend."""
    return load("pure")
