"""What an agent's code, its C environment and its children find in the gateway's variables, on each Python there is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agenttrace.capture.environment import spelled

CAPTURE = Path(__file__).parents[1] / "agenttrace" / "capture"
GATEWAY = "http://127.0.0.1:4000/0123456789abcdef0123456789abcdef/openai/v1"

# In each Python: OPENAI_BASE_URL was the user's own, GROQ_BASE_URL was not set, MISTRAL is foreign to us.
LOAD = f"""
import os, subprocess, sys
capture = type(sys)("_agenttrace_capture")
capture.__path__ = [{str(CAPTURE)!r}]
sys.modules["_agenttrace_capture"] = capture
from _agenttrace_capture import environment
environment.restore()
NAMES = ("OPENAI_BASE_URL", "GROQ_BASE_URL", "FOREIGN")
SHOW = [sys.executable, "-S", "-c", "import os; print([os.environ.get(n) for n in %r])" % (NAMES,)]
def show():
    print([os.environ.get(n) for n in NAMES], flush=True)
"""


def _pythons() -> list[str]:
    found = [sys.executable]
    for minor in range(8, 15):
        versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        for python in (shutil.which(f"python3.{minor}"), *versions.glob(f"3.{minor}.*/bin/python")):
            if python is not None and _runs(str(python)):
                found.append(str(python))
                break
    return found


def _runs(python: str) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def _run(python: str, code: str) -> list:
    told = {"OPENAI_BASE_URL": [GATEWAY, "http://own/v1"], "GROQ_BASE_URL": [GATEWAY, None]}
    environment = {
        "PATH": os.environ["PATH"],
        "OPENAI_BASE_URL": GATEWAY,
        "GROQ_BASE_URL": GATEWAY,
        "FOREIGN": "f",
        "AGENTTRACE_GATEWAY": spelled(told),
    }
    done = subprocess.run(
        [python, "-c", LOAD + code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [eval(line) for line in done.stdout.splitlines()]


OWN = ["http://own/v1", None, "f"]
OURS = [GATEWAY, GATEWAY, "f"]

CASES = {
    "this process": ("show()", OWN),
    "Popen": ("subprocess.check_call(SHOW)", OURS),
    "system": ("os.system(\"'%s' '%s' '%s' \\\"%s\\\"\" % tuple(SHOW))", OURS),
    "execv": ("os.execv(SHOW[0], SHOW)", OURS),
    "execvp": ("os.execvp(SHOW[0], SHOW)", OURS),
    "spawnv": ("os.spawnv(os.P_WAIT, SHOW[0], SHOW)", OURS),
    "copied": (
        "subprocess.check_call(SHOW, env=environment.for_child(dict(os.environ)))",
        OURS,
    ),
    "cleared": (
        "subprocess.check_call(SHOW, env=environment.for_child({}))",
        [None, GATEWAY, None],
    ),
    "bytes": (
        "subprocess.check_call(SHOW, env=environment.for_child(dict(os.environb)))",
        OURS,
    ),
    "set by the program": (
        "subprocess.check_call(SHOW, env=environment.for_child(dict(os.environ, GROQ_BASE_URL='p')))",
        [GATEWAY, "p", "f"],
    ),
    "set for all": (
        "os.environ['GROQ_BASE_URL'] = 'p'; subprocess.check_call(SHOW)",
        [GATEWAY, "p", "f"],
    ),
    "taken out for all": (
        "del os.environ['OPENAI_BASE_URL']; subprocess.check_call(SHOW)",
        [None, GATEWAY, "f"],
    ),
    "restored again": ("environment.restore(); show()", OWN),
    "forked": (
        "pid = os.fork()\nif pid: os.waitpid(pid, 0)\nelse: show(); os._exit(0)",
        OWN,
    ),
}


@pytest.mark.parametrize("python", _pythons())
def test_the_code_sees_its_own_values_and_children_the_gateways(python: str) -> None:
    """In one process each: os.environ has the user's values; what inherits the C environment has ours."""
    found = {name: _run(python, code) for name, (code, _) in CASES.items()}
    assert found == {name: [expected] for name, (_, expected) in CASES.items()}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "A",
        "A b c d",
        "\n\nA",
    ],
)
def test_a_foreign_value_of_the_variable_changes_nothing(text: str) -> None:
    """A variable that others have set costs nothing and breaks nothing."""
    from agenttrace.capture import environment

    assert environment.substituted({"AGENTTRACE_GATEWAY": text}) == {}


@pytest.mark.parametrize("own", [None, "", "http://x/%20 y", "a\nb", "%0A"])
def test_any_value_comes_back_as_it_was(own: str | None) -> None:
    """Whatever a user's variable holds."""
    from agenttrace.capture import environment

    told = {"A": ("http://127.0.0.1:1/x", own), "B": ("127.0.0.1:1", None)}
    assert environment.substituted({"AGENTTRACE_GATEWAY": spelled(told)}) == told


def test_urls_of_the_gateway_are_known() -> None:
    """By scheme, host and port; what is no address, as a path of the proxy's certificates, is none."""
    from agenttrace.capture import environment

    told = {"A": (GATEWAY, None), "OLLAMA_HOST": ("http://127.0.0.1:4001/x", "127.0.0.1:11434")}
    told["SSL_CERT_FILE"] = ("/tmp/run/bundle.pem", None)
    prefixes = environment._origins(told)
    assert sorted(prefixes) == ["http://127.0.0.1:4000/", "http://127.0.0.1:4001/"]
