"""The processes that this one starts: each gets what the hooks need, whatever environment and options it is given.

The functions of `os` are hooked here, once and for good; `subprocess`, `multiprocessing` and `uvloop`, which start
processes in C, by hooks of their own that call `prepared`. A Python that finds the hooks by itself starts as it would;
only its environment is completed.
"""

import functools
import os

from . import environment
from .exchange import told


class Start:
    """How a process is really started. file, argv, env: as the caller gave them, or changed for the hooks.

    env: None where the caller gave none; then the child inherits what `environment.keep` has completed.
    """

    def __init__(self, file, argv, env):
        self.file = file
        self.argv = argv
        self.env = env
        self.seen = None  # python_command.Started


@told
def _prepare(start, search_path, cwd):
    if start.env is None:
        environment.keep()
    else:
        start.env = environment.for_child(start.env)
    from . import python_command

    argv = [os.fsdecode(argument) for argument in start.argv]
    if not argv:
        return
    texts = {
        os.fsdecode(name): os.fsdecode(value)
        for name, value in (os.environ if start.env is None else start.env).items()
    }
    if start.env is None:
        texts.update(environment.lacking(texts, environment.needed()))
    file = os.fsdecode(start.file)
    if search_path:
        file = python_command.resolved(file, texts.get("PATH", os.defpath))
    if cwd is not None:
        file = os.path.join(os.fsdecode(cwd), file)
    seen = python_command.started(file, argv, texts)
    start.seen = seen
    if seen.file != file or seen.argv != argv:
        start.argv = seen.argv
        if seen.file != file:
            start.file = seen.file


def prepared(file, argv, env, search_path=False, cwd=None):
    """The Start for a process that was to be started so; never raises.

    search_path: whether `file` is looked up in PATH. cwd: the folder it starts in, None for this one.
    """
    start = Start(file, argv, env)
    if environment.is_hooked():
        _prepare(start, search_path, cwd)
    return start


def install():
    """Hooks the functions of `os` that start a program."""
    os.execv = _hooked(os.execv, _execv)
    os.execve = _hooked(os.execve, _execve)
    os.system = _hooked(os.system, _system)
    for name in ("posix_spawn", "posix_spawnp"):
        if hasattr(os, name):
            is_searching = name.endswith("p")
            original = getattr(os, name)
            setattr(os, name, _hooked(original, functools.partial(_posix_spawn, is_searching)))


def _hooked(original, hook):
    @functools.wraps(original)
    def hooked(*arguments, **named):
        return hook(original, *arguments, **named)

    return hooked


# os.execl, execvp, … and os.spawn* end in these two, with each folder of PATH in turn.


def _execv(original, path, argv):
    start = prepared(path, argv, None)
    return original(start.file, start.argv)


def _execve(original, path, argv, env):
    start = prepared(path, argv, env) if not isinstance(path, int) else Start(path, argv, env)
    return original(start.file, start.argv, start.env)


def _posix_spawn(is_searching, original, path, argv, env, **named):
    start = prepared(path, argv, env, is_searching)
    return original(start.file, start.argv, start.env, **named)


def _system(original, command):
    environment.keep()
    return original(command)
