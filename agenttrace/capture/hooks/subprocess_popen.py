"""subprocess: what it starts gets the hooks and is told of. asyncio's own loops start processes through it too."""

import os
import stat

from .. import processes
from . import replacing

_STREAMS = ("stdin", "stdout", "stderr")


def install(module, link, mode):
    """Hooks Popen; returns a function that undoes it."""
    is_told = processes.is_telling()
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
        stand_in = processes.stand_in(start, cwd, _is_shown(self, rest))
        if stand_in is not None:
            options = (preexec_fn, close_fds, pass_fds, cwd, start.env, startupinfo, creationflags)
            return _start_instead(original, self, stand_in, options, rest)
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


# The first six of `rest` are the ends of pipes, -1 where there is none: the child's, then the parent's, of its input;
# the parent's, then the child's, of its output; the same of its errors.


def _is_shown(popen, rest):
    """Whether what the child writes to its standard output goes elsewhere than to this process."""
    return rest[2] == -1 and rest[3] != getattr(popen, "_devnull", None)


def _start_instead(original, popen, stand_in, options, rest):
    """Starts the stand-in, with pipes from and to the responder as its input and output."""
    own = [
        rest[0] if rest[1] != -1 or _is_socket(rest[0]) else -1,
        rest[3] if rest[2] != -1 else -1,
        rest[5] if rest[4] != -1 else -1,
    ]
    control, tells = stand_in.play(stdin=own[0], stdout=own[1], stderr=own[2])
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        argv, shell = stand_in.argv, stand_in.argv[0]
        ends = (control, -1, -1, tells, -1, nothing)
        with processes.Telling():
            return original(popen, argv, shell, *options, False, *ends, *rest[6:])
    finally:
        for fd in (control, tells, nothing):
            os.close(fd)
        # It was to close the child's ends; where it did not come to that, its caller does.
        if popen._closed_child_pipe_fds:
            for fd in {rest[0] if rest[1] != -1 else -1, own[1], own[2]} - {-1}:
                os.close(fd)


def _is_socket(fd):
    # asyncio's pipe to the input of a child may be one.
    return fd != -1 and stat.S_ISSOCK(os.fstat(fd).st_mode)


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
