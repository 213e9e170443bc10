"""A Python that is given the hooks on its command line runs what it would have run, as it would have run it."""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from agenttrace.capture import python_command
from tests.e2e.starting.ways import python_of

SHOW = '''"""Doc."""
import __main__, os, sys
print(sys.argv, getattr(sys, "orig_argv", [0])[1:])
print([entry for entry in sys.path if "/lib/python" not in entry], len(sys.path))
print(sys.flags)
print(sorted(vars(__main__)), sys._getframe().f_code.co_filename)
print(__name__, __package__, globals().get("__file__"), globals().get("__cached__"), __doc__)
print(getattr(__spec__, "name", __spec__), str(__loader__))
print(sys.stdin.read())
def fail(): raise KeyError("x")
try:
    1 / 0
except ZeroDivisionError:
    fail()
'''

# What stands behind the options: in a folder with all of these.
COMMANDS = {
    "script": ["show.py", "x", "-c"],
    "dotted path": ["./show.py"],
    "link": ["sub/link.py"],
    "folder": ["pack", "1"],
    "archive": ["app.pyz", "z"],
    "module": ["-m", "show", "y"],
    "package": ["-m", "pack"],
    "text": ["-c", "import sys;print(sys.argv,sys.path[:1],sorted(globals()),__loader__);1/0", "q"],
    "joined text": ["-cprint(__name__, __doc__)"],
    "text that is no Python": ["-c", "def f(:"],
    "standard input": ["-", "w"],
    "standard input unnamed": [],
    "no such file": ["nofile.py"],
    "no such module": ["-m", "nomod"],
    "no Python": ["bad.py"],
    "status": ["-c", "import sys; sys.exit(7)"],
    "words as status": ["-c", "import sys; sys.exit('words')"],
    "interrupted": ["-c", "raise KeyboardInterrupt"],
    "own excepthook": [
        "-c",
        "import sys; sys.excepthook = lambda *a: print(a[0], a[2].tb_frame.f_code.co_filename);"
        "raise ValueError(3)",
    ],
    "source of a class": ["-c", "import __main__; print(__main__.__dict__ is globals())"],
}
OPTIONS = (["-I"], ["-E"], ["-SB", "-X", "dev"])
VERSIONS = ("3.8", "3.9", "3.13", "3.14")
PYTHONS = {
    "this one": sys.executable,
    **{version: found for version in VERSIONS if (found := python_of(version))},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What the commands name."""
    folder = tmp_path_factory.mktemp("runner")
    (folder / "show.py").write_text(SHOW)
    (folder / "bad.py").write_text("def f(:\n")
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").touch()
    (folder / "pack" / "__main__.py").write_text(SHOW)
    (folder / "sub").mkdir()
    (folder / "sub" / "link.py").symlink_to(folder / "show.py")
    with zipfile.ZipFile(folder / "app.pyz", "w") as archive:
        archive.writestr("__main__.py", SHOW)
    return folder


def _run(command: list[str], folder: Path, stdin: bytes) -> list[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        command, cwd=folder, env=environment, input=stdin, capture_output=True, check=False
    )
    text = f"{ended.returncode}\n{ended.stdout.decode()}{ended.stderr.decode()}"
    return re.sub("0x[0-9a-f]+", "0x…", text).splitlines()


@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_it_runs_as_without_the_runner(folder, python, options):
    """Arguments, path, flags, `__main__`, output, traceback and status are the same."""
    wrong = []
    for name, rest in COMMANDS.items():
        command = [python, *options, *rest]
        rewritten = python_command.started(python, command, {}).argv
        assert python_command.RUNNER in rewritten
        stdin = (folder / "show.py").read_bytes() if name.startswith("standard") else b"words"
        plain, hooked = _run(command, folder, stdin), _run(rewritten, folder, stdin)
        if plain != hooked:
            wrong += [name, *difflib.unified_diff(plain, hooked, lineterm="", n=0)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "arguments",
    [
        ["agent.py", "-I"],
        ["-s", "-O", "agent.py"],
        ["-c", "-I"],
        ["-X", "-I", "agent.py"],
        ["-m", "x", "-E"],
        ["--version"],
        ["-IV"],
        ["-Ih"],
        ["-W"],
        [],
    ],
)
def test_a_python_that_finds_the_hooks_is_left_as_it_is(arguments):
    """What looks like an option may be an argument, or a value."""
    command = [sys.executable, *arguments]
    assert python_command.started(sys.executable, command, {}).argv == command


@pytest.mark.parametrize(
    ("arguments", "rest"),
    [
        (["-Ic", "1"], ["-I", "@", "-c", "1"]),
        (["-Ic1"], ["-I", "@", "-c", "1"]),
        (["-IBm", "x", "-E"], ["-IB", "@", "-m", "x", "-E"]),
        (["-E", "-W", "error", "-Xdev", "a.py"], ["-E", "-W", "error", "-Xdev", "@", "a.py"]),
        (["-S", "-"], ["-S", "@", "-"]),
        (
            ["--check-hash-based-pycs", "never", "-S"],
            ["--check-hash-based-pycs", "never", "-S", "@"],
        ),
    ],
)
def test_the_runner_stands_behind_the_options(arguments, rest):
    """Taken apart as Python takes them apart."""
    started = python_command.started(sys.executable, ["python", *arguments], {})
    assert started.argv == ["python", *(python_command.RUNNER if r == "@" else r for r in rest)]


def test_a_rewritten_command_is_not_rewritten_again():
    """A recording inside a recording."""
    once = python_command.started(sys.executable, ["python", "-I", "a.py"], {}).argv
    assert python_command.started(sys.executable, once, {}).argv == once


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("python", True),
        ("python3.13t", True),
        ("pypy3", True),
        ("python3-config", False),
        ("pythonic", False),
        ("ipython", False),
    ],
)
def test_what_a_python_is_called(name, is_one):
    """By its name alone."""
    assert python_command.is_python_name(name) is is_one
