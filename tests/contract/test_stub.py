"""The stub, both modules and `_backend` offer the same names with the same parameters."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import agenttrace

STUB = ast.parse((Path(agenttrace.__file__).parent / "_native.pyi").read_text(encoding="utf-8"))
FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}
CONSTANTS = {
    node.target.id
    for node in STUB.body
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
}
NAMES = {*FUNCTIONS, *CLASSES, *CONSTANTS}
METHODS = [
    (owner, node)
    for owner, body in CLASSES.items()
    for node in body.body
    if isinstance(node, ast.FunctionDef)
]


def stated(node: ast.FunctionDef) -> list[tuple[str, bool, bool]]:
    """A stub's parameters: (name, by keyword only, has a default), without self."""
    arguments = node.args
    plain = len(arguments.args) - len(arguments.defaults)
    found = [(one.arg, False, i >= plain) for i, one in enumerate(arguments.args)]
    named = zip(arguments.kwonlyargs, arguments.kw_defaults)
    found += [(one.arg, True, default is not None) for one, default in named]
    return [one for one in found if one[0] != "self"]


def offered(function: object) -> list[tuple[str, bool, bool]]:
    """The same of a function or a class that is there."""
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    return [
        (one.name, one.kind is one.KEYWORD_ONLY, one.default is not one.empty)
        for one in parameters
        if one.name != "self"
    ]


def test_a_module_has_the_names_of_the_stub(backend: ModuleType) -> None:
    """All of them, and none more in the open."""
    public = {name for name in vars(backend) if not name.startswith("_")}
    if hasattr(backend, "__all__"):
        public = set(backend.__all__)
    assert public >= NAMES
    assert public <= NAMES | {"MAX_DEPTH"}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_has_the_parameters_of_the_stub(backend: ModuleType, name: str) -> None:
    """Names, order, which need a name, which have a default."""
    assert offered(getattr(backend, name)) == stated(FUNCTIONS[name])


@pytest.mark.parametrize(("owner", "node"), METHODS, ids=lambda one: getattr(one, "name", one))
def test_a_method_has_the_parameters_of_the_stub(
    backend: ModuleType, owner: str, node: ast.FunctionDef
) -> None:
    """Constructors and methods; what is a property there is one here."""
    kind = getattr(backend, owner)
    if node.name == "__init__":
        assert offered(kind) == stated(node)
    elif node.decorator_list:
        assert not callable(inspect.getattr_static(kind, node.name))
    else:
        assert offered(getattr(kind, node.name)) == stated(node)


def test_the_constants_are_those_of_the_format(backend: ModuleType) -> None:
    """Both modules say the same of the format, and their own name."""
    assert (backend.FORMAT_VERSION, backend.MAX_LINE_BYTES, backend.MAX_DEPTH) == (1, 1 << 26, 128)
    assert backend.BACKEND in ("native", "pure")


def choose(value: str | None) -> subprocess.CompletedProcess[str]:
    """What `_backend` picks in a fresh interpreter."""
    code = "import agenttrace._backend as b; print(b.BACKEND, *sorted(b.__all__))"
    environment = {k: v for k, v in os.environ.items() if k != "AGENTTRACE_BACKEND"}
    if value is not None:
        environment["AGENTTRACE_BACKEND"] = value
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )


def test_the_environment_forces_a_backend(backend: ModuleType) -> None:
    """And all names of the contract come from it."""
    name, *names = choose(backend.BACKEND).stdout.split()
    assert name == backend.BACKEND
    assert set(names) == NAMES | {"MAX_DEPTH"}


def test_another_word_for_a_backend_is_refused() -> None:
    """AgentTraceError, which says what may stand there."""
    done = choose("rust")
    assert done.returncode != 0
    assert "AgentTraceError: AGENTTRACE_BACKEND is native or pure, not 'rust'" in done.stderr


def test_native_is_taken_where_it_can_be(native: ModuleType) -> None:
    """Without a word from the environment."""
    assert choose(None).stdout.split()[0] == native.BACKEND


HIDDEN = """
import sys
sys.modules["agenttrace._native"] = None
import agenttrace._backend as b
print(b.BACKEND)
"""


def test_pure_is_taken_where_native_is_missing() -> None:
    """And a forced native says that it is not there."""
    environment = {k: v for k, v in os.environ.items() if k != "AGENTTRACE_BACKEND"}
    run = [sys.executable, "-c", HIDDEN]
    free = subprocess.run(run, capture_output=True, text=True, env=environment, check=False)
    assert free.stdout == "pure\n"
    environment["AGENTTRACE_BACKEND"] = "native"
    forced = subprocess.run(run, capture_output=True, text=True, env=environment, check=False)
    assert "AgentTraceError: AGENTTRACE_BACKEND is native, and" in forced.stderr
