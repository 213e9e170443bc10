"""Picks who keeps the contract of `_native.pyi`: the native module, else the pure one.

The environment variable AGENTTRACE_BACKEND forces one: `native` or `pure`.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import TYPE_CHECKING

from agenttrace.errors import AgentTraceError


def _pick() -> ModuleType:
    wanted = os.environ.get("AGENTTRACE_BACKEND") or None
    if wanted not in (None, "native", "pure"):
        raise AgentTraceError(f"AGENTTRACE_BACKEND is native or pure, not {wanted!r}")
    if wanted != "pure":
        try:
            from agenttrace import _native

            return _native
        except ImportError as error:
            if wanted == "native":
                raise AgentTraceError(
                    "AGENTTRACE_BACKEND is native, and the native module is not installed"
                ) from error
    from agenttrace import _pure

    return _pure


if TYPE_CHECKING:
    from agenttrace._native import *  # noqa: F403 - its names are the contract
else:
    _picked = _pick()
    __all__ = (
        _picked.__all__
    )  # both have the stub's names, no more and no less: a test compares them
    globals().update({name: getattr(_picked, name) for name in __all__})
