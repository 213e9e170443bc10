"""The house keeps its shape: who may import whom, what is documented, how long things get.

Reads the sources by `ast` and git's list of files; imports nothing of the package.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "agenttrace"

# Bottom first. A module imports from layers below its own, and within its own as long as no
# circle comes of it. A name stands for a module, or for a package with all that is in it; the
# longest name that fits decides. `agenttrace` is the package's own file: it holds the version,
# and loads the public names when they are asked for.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("agenttrace", "errors", "capture", "providers", "text_cleaning"),
    ("_pure", "_native", "telling"),
    ("_backend",),
    ("event", "redaction", "secret_shapes", "splicing"),
    (
        "encoding",
        "expanding",
        "line_store",
        "origin",
        "prices",
        "trace_folder",
        "tracer_context",
        "command",
        "gateway",
    ),
    ("layout",),
    ("reader", "trace_index", "reseal", "redacting", "recording", "expression", "signature"),
    ("intake",),
    ("trace_sink",),
    ("tracer",),
    ("recorder", "replay", "convert"),
    ("replayer",),
    ("tui",),
    ("cli",),
    ("__main__", "pytest_plugin"),
)

# Files over the limit, each with its reason. Empty is best.
LONG_FILES: dict[str, str] = {}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50


class Import(NamedTuple):
    """One import of one of our modules, as dotted names without the leading `agenttrace.`."""

    importer: str
    imported: str
    line: int
    is_for_types: bool


def _modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name or "agenttrace"] = path
    return found


MODULES = _modules()


def _for_types_only(tree: ast.Module) -> set[ast.AST]:
    inside: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for statement in node.body:
                inside.update(ast.walk(statement))
    return inside


def _absolute(module: str, path: Path, node: ast.ImportFrom) -> str:
    """The full name that a relative import means."""
    if not node.level:
        return node.module or ""
    package = ["agenttrace", *([] if module == "agenttrace" else module.split("."))]
    if path.name != "__init__.py":
        package.pop()
    package = package[: len(package) - node.level + 1]
    return ".".join([*package, *([node.module] if node.module else [])])


def _imported(module: str, path: Path, node: ast.AST) -> Iterator[str]:
    """Full names; of `from x import y` also `x.y`, as y may be a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(module, path, node)
        for alias in node.names:
            whole = f"{base}.{alias.name}"
            yield whole if whole.partition(".")[2] in MODULES else base


def _imports() -> list[Import]:
    found = []
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for_types = _for_types_only(tree)
        for node in ast.walk(tree):
            for name in _imported(module, path, node):
                head, _, rest = name.partition(".")
                if head == "agenttrace":
                    found.append(
                        Import(module, rest or "agenttrace", node.lineno, node in for_types)
                    )
    return found


IMPORTS = _imports()


def _room(module: str) -> str:
    """The name in LAYERS that a module belongs to."""
    names = [
        name
        for layer in LAYERS
        for name in layer
        if module == name or module.startswith(name + ".")
    ]
    assert names, f"{module} has no place in LAYERS: give it one"
    return max(names, key=len)


def _height(module: str) -> int:
    room = _room(module)
    return next(height for height, layer in enumerate(LAYERS) if room in layer)


def _told(found: list[Import]) -> str:
    return "\n".join(f"{one.importer}:{one.line} imports {one.imported}" for one in found)


def test_no_import_runs_upward() -> None:
    """A module imports only from its own layer and those below it."""
    upward = [
        one
        for one in IMPORTS
        if not one.is_for_types and _height(one.imported) > _height(one.importer)
    ]
    assert not upward, _told(upward)


def test_rooms_of_one_layer_do_not_import_each_other() -> None:
    """recorder, replay and convert stand beside each other; what they share belongs below them."""
    rooms = {"recorder", "replay", "convert"}
    sideways = {
        (one.importer, one.imported)
        for one in IMPORTS
        if {_room(one.importer), _room(one.imported)} <= rooms
        and _room(one.importer) != _room(one.imported)
    }
    assert sideways == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not even inside functions: what needs each other is one module, or lacks a third."""
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for one in IMPORTS:
        if not one.is_for_types and one.imported in graph and one.imported != one.importer:
            graph[one.importer].add(one.imported)
    # The package's own file is reached by every import; it imports nothing when it is loaded.
    graph["agenttrace"] = set()
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above[above.index(module) :], module])
        if module not in done:
            for imported in sorted(graph[module]):
                visit(imported, (*above, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("room", ["capture", "providers"])
def test_what_runs_in_the_agent_imports_the_standard_library_alone(room: str) -> None:
    """capture and providers import the standard library and themselves."""
    foreign = []
    for module, path in MODULES.items():
        if _room(module) != room:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in _imported(module, path, node):
                head = name.partition(".")[0]
                is_own = name.startswith(f"agenttrace.{room}") or head == "_agenttrace_capture"
                if not is_own and head not in sys.stdlib_module_names:
                    foreign.append(f"{path.relative_to(ROOT)}:{node.lineno} imports {name}")
    assert not foreign, "\n".join(foreign)


def test_capture_imports_itself_relatively() -> None:
    """In an agent it is loaded under another name, where there is no package `agenttrace`."""
    by_name = []
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names.append(node.module or "")
            if _room(module) == "capture" and any(n.startswith("agenttrace") for n in names):
                by_name.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not by_name, by_name


def test_nothing_below_imports_the_commands_or_the_screens() -> None:
    """Only __main__ loads cli, only cli loads tui; not even for types."""
    wrong = [
        one
        for one in IMPORTS
        if _room(one.imported) in ("cli", "tui")
        and _room(one.importer) != _room(one.imported)
        and (_room(one.importer), _room(one.imported)) not in (("__main__", "cli"), ("cli", "tui"))
    ]
    assert not wrong, _told(wrong)


def test_only_the_backend_imports_the_native_and_the_pure_module() -> None:
    """Everybody else asks `_backend`, so that the two can be exchanged."""
    wrong = [
        one
        for one in IMPORTS
        if one.imported.split(".")[0] in ("_native", "_pure")
        and _room(one.importer) not in ("_backend", "_pure")
    ]
    assert not wrong, _told(wrong)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_each_module_opens_with_a_sentence_on_its_job(module: str) -> None:
    """A docstring that begins with one sentence."""
    told = ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))
    assert told, f"{MODULES[module]} has no docstring"
    assert told.split("\n\n")[0].strip().endswith((".", ":")), told


def _tracked(*patterns: str) -> list[Path]:
    """Files under version control; all in the tree where there is none (a source archive)."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--", *patterns],
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git here")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_source_file_is_too_long() -> None:
    """At most 400 lines, but for the files in LONG_FILES."""
    long = {}
    for path in _tracked("*.py", "*.rs"):
        lines = path.read_bytes().count(b"\n")
        if lines > MAX_FILE_LINES:
            long[str(path.relative_to(ROOT))] = lines
    assert set(long) == set(LONG_FILES), long


def test_a_provider_is_a_file_of_under_200_lines() -> None:
    """A protocol more is one short file; what providers share, `base` with their interface, is none."""
    lengths = {
        path.name: path.read_bytes().count(b"\n")
        for path in (PACKAGE / "providers").glob("*.py")
        if path.name != "base.py"
    }
    assert {name: lines for name, lines in lengths.items() if lines >= 200} == {}


def test_no_function_is_too_long() -> None:
    """At most 50 lines, without docstring and signature (a command's is its table of options)."""
    long = []
    for path in _tracked("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                if lines > MAX_FUNCTION_LINES:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines}")
    assert not long, "\n".join(long)


def test_the_code_map_names_every_file_and_no_others() -> None:
    """ARCHITECTURE.md: what stands in the map is there, what is there stands in the map."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    code_map = text[text.index("## Code map") : text.index("### Beside them")]
    rows = "".join(row.split("|")[1] for row in code_map.splitlines() if row.startswith("| `"))
    told = re.findall(r"`([\w./-]+\.(?:py|pyi|rs|tcss))`", rows)
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "crates/agenttrace-core/src").rglob("*.rs")]
    paths = [f"/{path.relative_to(ROOT)}" for path in files if path.parent.name != "__pycache__"]
    missing = [
        path
        for path in paths
        if not path.endswith("/__init__.py") and not any(path.endswith("/" + name) for name in told)
    ]
    gone = [
        name
        for name in told
        if not list(ROOT.glob(f"agenttrace/**/{name}")) and not list(ROOT.glob(f"crates/**/{name}"))
    ]
    assert missing == []
    assert gone == []


# Built of parts, so that this file does not hold what it looks for.
_HOME_OF_SOMEBODY = re.compile(
    rb"/(?:" + rb"home|" + rb"Users)/[a-z][\w.-]*/|/(?:ro" + rb"ot|wo" + rb"rk)/\w|[A-Z]:\\Users\\"
)


def test_no_file_names_a_path_of_a_developers_machine() -> None:
    """Paths of somebody's machine tell of that machine and are wrong on every other."""
    wrong = []
    for path in _tracked():
        found = _HOME_OF_SOMEBODY.search(path.read_bytes())
        if found:
            wrong.append(f"{path.relative_to(ROOT)}: {found[0].decode('utf-8', 'replace')}")
    assert not wrong, "\n".join(wrong)
