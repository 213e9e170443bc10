"""subprocess: what it starts gets the hooks and is told of. asyncio's own loops start processes through it too."""

import os

from .. import processes
from . import replacing


def install(module, link, mode):
    """Hooks Popen; returns a function that undoes it."""
    undo = replacing.replaced(module.Popen, {"_execute_child": _executing})
    # Whoever waits (wait, poll, asyncio's watchers) sets it in the end.
    module.Popen.returncode = property(_returncode, _set_returncode)

    def undo_all():
        del module.Popen.returncode
        undo()

    return undo_all


def _returncode(self):
    return self.__dict__.get("returncode")


def _set_returncode(self, code):
    self.__dict__["returncode"] = code
    if code is not None and getattr(self, "pid", None) is not None:
        processes.ended(self.pid, code)


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
        before = (start.argv, start.file, preexec_fn, close_fds, pass_fds, cwd, start.env)
        with processes.Telling():
            result = original(self, *before, startupinfo, creationflags, shell, *rest)
        # Here the child runs, and its pipes are this object's stdin, stdout and stderr in a moment.
        processes.began(start.told, self.pid, cwd, start.unreached)
        return result

    return execute


def _prepared(args, executable, cwd, env, shell):
    """The Start whose argv and file are Popen's args and executable; these stay as they were where they can."""
    argv = [args] if isinstance(args, (str, bytes, os.PathLike)) else list(args)
    if shell or not argv:
        start = processes.prepared(executable or "/bin/sh", ["/bin/sh", "-c", *argv], env)
        start.argv, start.file = args, executable
        return start
    start = processes.prepared(executable or argv[0], argv, env, True, cwd)
    if start.argv is argv:
        start.argv, start.file = args, executable
    elif executable is None and start.argv[0] == start.file:
        start.file = None
    return start
