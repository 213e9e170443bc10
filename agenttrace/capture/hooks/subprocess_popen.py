"""subprocess: what it starts gets the hooks and is told of. asyncio's own loops start processes through it too."""

import os

from .. import processes
from . import replacing

_STREAMS = ("stdin", "stdout", "stderr")


def install(module, link, mode):
    """Hooks Popen; returns a function that undoes it."""
    is_told = mode == "record"
    undo = replacing.replaced(module.Popen, {"_execute_child": _executing})
    # Whoever waits (wait, poll, asyncio's watchers) sets it in the end.
    module.Popen.returncode = property(_returncode, _set_returncode)
    if is_told:
        # asyncio may put a socket there.
        module.Popen.stdin = property(_stdin, _set_stdin)

    def undo_all():
        del module.Popen.returncode
        if is_told:
            del module.Popen.stdin
        undo()

    return undo_all


def _stdin(self):
    return self.__dict__.get("stdin")


def _set_stdin(self, file):
    if file is not None and getattr(self, "pid", None) is not None:
        file = processes.watched(self.pid, file, "stdin")
    self.__dict__["stdin"] = file


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
        try:
            with processes.Telling():
                result = original(self, *before, startupinfo, creationflags, shell, *rest)
        except OSError as error:
            processes.failed(start, cwd, error)
            raise
        if processes.began(start.told, self.pid, cwd, start.unreached, start.is_python):
            for name in _STREAMS:
                file = self.__dict__.get(name)
                if file is not None:
                    self.__dict__[name] = processes.watched(self.pid, file, name)
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
