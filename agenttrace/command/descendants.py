"""Looks after the Pythons among a command's descendants, on Linux: which of them the hooks may not have reached.

Hooked Pythons tell of themselves. The others are found in /proc, a few times a second, and told of with what can be
seen to keep the hooks out; who listens knows whether they did say hello after all.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from agenttrace.capture import environment as child_environment
from agenttrace.capture import python_command
from agenttrace.capture.channel import image_of

LOOK_EVERY_S = 0.1
# A Python without a visible reason has said hello by then, unless the hooks failed in it.
_SOON_S = 2.0
# Programs that tools run to ask an interpreter what it is; they do nothing that could be missed. This one is uv's.
_PROBES = ("from python.get_interpreter_info import main",)

Tell = Callable[[dict[str, Any]], None]


class DescendantWatch:
    """Watches from `start` to `stop`. tell: gets a `seen` frame's head for each Python that may be without hooks.
    begun: is given the number of the thread that watches.
    """

    def __init__(
        self, socket_path: str, tell: Tell, begun: Callable[[int], None] = lambda thread_id: None
    ) -> None:
        self._begun = begun
        self._socket_path = socket_path
        self._tell = tell
        self._known: set[int] = set()
        self._looks: dict[tuple[int, str], int] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, pid: int) -> None:
        """The command runs as this process."""
        if not os.path.exists(f"/proc/{pid}/stat"):
            return
        self._known.add(pid)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> list[int]:
        """No more is told. Those that were seen last, and may live on."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        return sorted(self._known)

    def _watch(self) -> None:
        self._begun(threading.get_native_id())
        while True:
            for pid in self._descendants():
                self._look_at(pid)
            if self._stopping.wait(LOOK_EVERY_S):
                return

    def _descendants(self) -> set[int]:
        """Those that live, with those whose parents are gone."""
        found: set[int] = set()
        waiting = list(self._known)
        while waiting:
            pid = waiting.pop()
            if pid in found or not os.path.exists(f"/proc/{pid}"):
                continue
            found.add(pid)
            waiting += _children(pid)
        self._known = found
        return found

    def _look_at(self, pid: int) -> None:
        image = image_of(pid)
        key = (pid, image)
        looks = self._looks[key] = self._looks.get(key, 0) + 1
        is_late = looks == int(_SOON_S / LOOK_EVERY_S)
        if not image or (looks > 1 and not is_late):
            return
        seen = _python_at(pid, self._socket_path)
        # Between the two it may have executed something else.
        if seen is None or image_of(pid) != image:
            return
        program, argv, why = seen
        if why is not None or is_late:
            head = {"op": "seen", "pid": pid, "image": image, "program": program}
            self._tell({**head, "argv": argv, "why": why})


def living(pids: Collection[int], variable: str) -> list[dict[str, Any]]:
    """`pid` and `argv` of those of these processes that live, and of all others that have this NAME=VALUE."""
    mark = os.fsencode(variable)
    found = []
    for pid in (int(name) for name in _listing("/proc") if name.isdigit()):
        try:
            folder = Path(f"/proc/{pid}")
            if pid not in pids and mark not in (folder / "environ").read_bytes().split(b"\0"):
                continue
            argv = _words((folder / "cmdline").read_bytes())
        except OSError:  # it has ended, or is not ours to look at
            continue
        if argv:  # one that has ended and is not waited for has none
            found.append({"pid": pid, "argv": argv})
    return found


def _listing(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # no Linux
        return []


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            text = Path(f"/proc/{pid}/task/{task}/children").read_text(encoding="ascii")
            found += map(int, text.split())
    except (OSError, ValueError):  # it has ended
        return found
    return found


def _python_at(pid: int, socket_path: str) -> tuple[str, list[str], str | None] | None:
    """(program, argv, why the hooks can't be in it) of a Python of ours that runs something; None for all else."""
    try:
        program = os.readlink(f"/proc/{pid}/exe")
        argv = _words(Path(f"/proc/{pid}/cmdline").read_bytes())
        pairs = (word.partition("=") for word in _words(Path(f"/proc/{pid}/environ").read_bytes()))
    except OSError:  # it has ended, or is not ours to look at
        return None
    if not python_command.is_python_name(os.path.basename(program)):
        return None
    environment = {name: value for name, _, value in pairs}
    if environment.get(child_environment.SOCKET, socket_path) != socket_path:
        return None  # another recording's
    seen = python_command.started(program, argv, {})
    if not seen.is_python or any(probe in word for probe in _PROBES for word in argv):
        return None
    return program, argv, _why_not(seen, argv, environment)


def _why_not(seen: Any, argv: list[str], environment: dict[str, str]) -> str | None:
    if seen.unreached is not None:
        return str(seen.unreached)
    if seen.argv != argv:  # it would have had to be started otherwise
        letters = python_command.options(argv[1:])
        return "started with -" + next(one for one in "IES" if one in letters.letters)
    if python_command.RUNNER in argv:
        return None
    if child_environment.SOCKET not in environment:
        return "its environment was cleared"
    paths = environment.get("PYTHONPATH", "").split(os.pathsep)
    return None if child_environment.BOOTSTRAP in paths else "PYTHONPATH was replaced"


def _words(data: bytes) -> list[str]:
    return [os.fsdecode(word) for word in data.split(b"\0")[:-1]]
