"""subprocess: what it starts gets the hooks. asyncio's own loops start their processes through it too."""

import os

from .. import processes
from . import replacing


def install(module, link, mode):
    """Hooks Popen; returns a function that undoes it."""
    return replacing.replaced(module.Popen, {"_execute_child": _executing})


def _executing(original):
    def execute(
        self,
        args,
        executable,
        preexec_fn,
        close_fds,
        pass_fds,
        cwd,
        env,
        startupinfo,
        creationflags,
        shell,
        *rest,
    ):
        start = _prepared(args, executable, cwd, env, shell)
        return original(
            self,
            start.argv,
            start.file,
            preexec_fn,
            close_fds,
            pass_fds,
            cwd,
            start.env,
            startupinfo,
            creationflags,
            shell,
            *rest,
        )

    return execute


def _prepared(args, executable, cwd, env, shell):
    """The Start whose argv and file are Popen's args and executable; these stay as they were where they can."""
    argv = [args] if isinstance(args, (str, bytes, os.PathLike)) else list(args)
    if shell or not argv:
        start = processes.prepared(executable or "/bin/sh", ["sh", "-c", *argv], env)
        start.argv, start.file = args, executable
        return start
    start = processes.prepared(executable or argv[0], argv, env, True, cwd)
    if start.argv is argv:
        start.argv, start.file = args, executable
    elif executable is None and start.argv[0] == start.file:
        start.file = None
    return start
