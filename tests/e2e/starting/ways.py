"""The ways, each as a command for `agenttrace record`, and the folder in which they work."""

from __future__ import annotations

import os
import shutil
import subprocess
import venv
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent


@dataclass
class Way:
    """command: words in which {py} is the agents' Python, {here} the folder, {python3.8} that Python. told: what is
    said where the call is not recorded. needs: programs without which the way is left out.
    """

    name: str
    command: str
    told: str = ""
    env: dict[str, str] = field(default_factory=dict)
    stdin: bool = False
    needs: tuple[str, ...] = ()

    @property
    def is_recorded(self) -> bool:
        return not self.told


def _child(name: str, told: str = "", **named) -> Way:
    return Way(name, f"{{py}}|{{here}}/children.py|{name}", told, **named)


def _direct() -> list[Way]:
    return [
        Way("script", "{py}|agent.py"),
        Way("relative script from elsewhere", "sh|-c|cd / && exec {py} {here}/agent.py"),
        Way("-m", "{py}|-m|agent_module"),
        Way("-c", "{py}|-c|{code}"),
        Way("standard input", "{py}|-", stdin=True),
        Way("folder", "{py}|folder"),
        Way("zip archive", "{py}|agent.pyz"),
        Way("shebang", "{here}/tool"),
        Way("shebang through env", "{here}/tool-env"),
        Way("console script", "{here}/bin/agent-tool"),
        Way("pytest", "{py}|-m|pytest|-q|-p|no:cacheprovider|-p|no:time_machine|test_agent.py"),
        Way("uv run", "{uv}|run|--no-project|--offline|--python|{py}|agent.py"),
        Way("nohup", "nohup|{py}|agent.py"),
        Way("setsid", "setsid|-w|{py}|agent.py"),
        Way("shell", "sh|-c|{py} agent.py"),
        Way("env", "env|A=1|{py}|agent.py"),
        Way("xargs", "sh|-c|echo agent.py \\| xargs {py}"),
    ]


def _options() -> list[Way]:
    plain = ["-s", "-O", "-B", "-u", "-X dev", "-X utf8", "-W error"]
    ways = [
        Way(f"python {option}", "|".join(["{py}", *option.split(), "agent.py"])) for option in plain
    ]
    return [
        *ways,
        Way("python -I", "{py}|-I|agent.py"),
        Way("python -I -c", "{py}|-I|-c|{code}"),
        Way("python -I -", "{py}|-I|-", stdin=True),
        Way("python -I, a folder", "{py}|-I|folder"),
        Way("python -I, a zip archive", "{py}|-I|agent.pyz"),
        Way("python -E", "{py}|-E|agent.py"),
        Way("python -E -m", "{py}|-E|-m|agent_module"),
        Way("python -S", "{py}|-S|agent.py"),
        Way("python -ISB", "{py}|-ISB|agent.py"),
        Way("sh -c 'python -I …; …'", "sh|-c|{py} -I {here}/slow.py; true", "started with -I"),
        Way(
            "sh -c 'env -i python …; …'",
            "sh|-c|env -i {py} {here}/slow.py; true",
            "its environment was cleared",
        ),
        Way(
            "Python 3.7",
            "{python3.7}|slow.py",
            "it is older than Python 3.8",
            needs=("python3.7",),
        ),
        Way("shebang with -I", "{here}/tool-isolated"),
        Way("shebang with env -S and -E", "{here}/tool-env-split"),
        Way("env -i", "env|-i|{py}|agent.py"),
        Way("env -i python -I", "env|-i|{py}|-I|agent.py"),
        Way("env -u PYTHONPATH", "env|-u|PYTHONPATH|{py}|agent.py"),
        Way("env PYTHONPATH=…", "env|PYTHONPATH={here}|{py}|agent.py"),
    ]


def _surroundings() -> list[Way]:
    site = "{here}/custom"
    ways = [
        Way("own sitecustomize", "{py}|agent.py", env={"PYTHONPATH": site}),
        Way("own PYTHONPATH", "{py}|-m|agent_module", env={"PYTHONPATH": "{here}"}),
        Way("usercustomize", "{py}|agent.py", env={"PYTHONUSERBASE": "{here}/user"}),
        Way("PYTHONNOUSERSITE", "{py}|agent.py", env={"PYTHONNOUSERSITE": "1"}),
        Way("PYTHONSAFEPATH", "{py}|agent.py", env={"PYTHONSAFEPATH": "1"}),
        Way("PYTHONDEVMODE", "{py}|agent.py", env={"PYTHONDEVMODE": "1"}),
        Way("other virtual environment", "{here}/venv/bin/python|agent.py"),
        Way("virtual environment, -I", "{here}/venv/bin/python|-I|agent.py"),
        Way("python by another name", "{here}/bin/interpreter|-I|agent.py"),
        Way("system python", "/usr/bin/python3|agent.py", needs=("/usr/bin/python3",)),
        Way("system python -I", "/usr/bin/python3|-I|agent.py", needs=("/usr/bin/python3",)),
    ]
    for version in ("3.8", "3.9", "3.10", "3.12", "3.13"):
        for option in ("", "-I|"):
            title = f"Python {version}{' -I' if option else ''}"
            command = f"{{python{version}}}|{option}agent.py"
            ways.append(Way(title, command, needs=(f"python{version}",)))
    return ways


def _children() -> list[Way]:
    source = (HERE / "children.py").read_text(encoding="utf-8")
    names = [
        line.strip().split('"')[1]
        for line in source[source.index("WAYS = {") :].splitlines()
        if line.startswith('    "')
    ]
    told = {"subprocess shell -I": "started with -I", "subprocess shell -S": "started with -S"}
    return [_child(name, told.get(name, "")) for name in names]


def all_ways() -> list[Way]:
    """Every way, in the order of the table."""
    return [*_direct(), *_options(), *_surroundings(), *_children()]


def table() -> str:
    """The ways as a table in Markdown: what is recorded, what is told instead."""
    rows = ["| | way | its model call |", "|---|---|---|"]
    groups = {
        "the command": _direct(),
        "its options": _options(),
        "around it": _surroundings(),
        "a child": _children(),
    }
    for group, ways in groups.items():
        for way in ways:
            result = "recorded" if way.is_recorded else f"not seen; told: *{way.told}*"
            rows.append(f"| {group} | {way.name} | {result} |")
            group = ""
    return "\n".join(rows) + "\n"


def lay_out(folder: Path, python: str, port: int) -> None:
    """Puts what the ways start into the folder. python: of the agents."""
    for name in ("children.py", "agent_module.py", "mcp_server.py"):
        shutil.copy(HERE / name, folder / name)
    (folder / "port").write_text(str(port), encoding="ascii")
    code = (HERE / "agent_module.py").read_text(encoding="utf-8").split('"""')[3]
    agent = code.replace("PORT", str(port))
    (folder / "agent.py").write_text(agent, encoding="utf-8")
    (folder / "slow.py").write_text("import time; time.sleep(0.5)\n" + agent, encoding="utf-8")
    (folder / "folder").mkdir()
    (folder / "folder" / "__main__.py").write_text(agent, encoding="utf-8")
    with zipfile.ZipFile(folder / "agent.pyz", "w") as archive:
        archive.writestr("__main__.py", agent)
    (folder / "test_agent.py").write_text(
        "import agent_module\n\n\ndef test_call():\n    agent_module.call()\n", encoding="utf-8"
    )
    (folder / "bin").mkdir()
    scripts = {
        "tool": f"#!{python}",
        "tool-env": "#!/usr/bin/env python",
        "tool-isolated": f"#!{python} -I",
        "tool-env-split": f"#!/usr/bin/env -S {python} -E",
        "bin/agent-tool": f"#!{python}",
    }
    for name, first in scripts.items():
        script = folder / name
        script.write_text(f"{first}\n{agent}", encoding="utf-8")
        script.chmod(0o755)
    (folder / "bin" / "interpreter").symlink_to(python)
    for place in ("custom", "user"):
        (folder / place).mkdir()
    (folder / "custom" / "sitecustomize.py").write_text(
        "import os; open(os.path.join(os.path.dirname(__file__), 'ran'), 'w').close()\n",
        encoding="utf-8",
    )
    venv.create(folder / "venv", with_pip=False, symlinks=True)


def python_of(version: str) -> str | None:
    """A Python of this version that runs, or None."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for found in (shutil.which(f"python{version}"), *versions.glob(f"{version}.*/bin/python")):
        if found and not subprocess.run([found, "-c", ""], capture_output=True).returncode:
            return str(found)
    return None
