"""Makes the folder of the Node agents that are recorded in tests, with the real SDKs in it, and prints its path.

Made once from tests/e2e/node (a package.json and its lock file), kept in `.build`. Standard library alone.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "tests" / "e2e" / "node"


def node_folder() -> Path:
    """The folder, with the agents copied into it: Node looks for packages from a script's own place upward.
    FileNotFoundError where there is no npm.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise FileNotFoundError("node and npm are needed for the Node agents")
    lock = (SOURCE / "package-lock.json").read_bytes()
    folder = ROOT / ".build" / f"node-{hashlib.sha256(lock).hexdigest()[:12]}"
    ready = folder / "ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, folder)
        install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(install, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        ready.touch()
    for agent in SOURCE.glob("*.mjs"):
        shutil.copy(agent, folder)
    return folder


if __name__ == "__main__":
    print(node_folder())
