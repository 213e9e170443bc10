"""The processes that this one starts: each gets what the hooks need, and is told of.

The functions of `os` are hooked here, once and for good; `subprocess`, `multiprocessing` and `uvloop`, which start
processes in C, by hooks of their own that call `prepared` and `began`. A Python that finds the hooks by itself starts
as it would; only its environment is completed. Not told of: the resource tracker of multiprocessing, and what a
process becomes by os.exec*.
"""

import os
import sys
from _thread import _local as Local

from . import environment
from .faults import told
from .unhooked import monotonic_ns, time_ns

_link = None  # who is told; None in a replay that is not recorded
_replay = None  # in a replay: who is asked, and told of what runs
_is_serving = False  # in a replay: whether recorded processes are stood in for
_children = {}  # pid -> (id, monotonic time of its start), as long as its end was not seen
_starting = Local()  # .argv: what os.spawn* of this thread is about to fork for


class Start:
    """How a process is really started. file, argv, env: as the caller gave them, or changed for the hooks.

    env: None where the caller gave none; then the child inherits what `environment.keep` has completed. told: the
    command as the caller gave it, in strings. is_python: whether the hooks get into it. unreached: why they can't get
    into a Python, None if they can.
    """

    def __init__(self, file, argv, env):
        self.file = file
        self.argv = argv
        self.env = env
        self.told = []
        self.is_python = False
        self.unreached = None


@told
def _prepare(start, search_path, cwd):
    if start.env is None:
        environment.keep()
    else:
        start.env = environment.for_child(start.env)
    from . import python_command

    argv = start.told = [os.fsdecode(argument) for argument in start.argv]
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
    start.unreached = seen.unreached
    start.is_python = seen.is_python and seen.unreached is None
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
    elif _replay is not None:
        _spell(start)
    return start


@told
def _spell(start):
    start.told = [os.fsdecode(argument) for argument in start.argv]


class Telling:
    """While it is entered, its user tells of the process that this thread starts; the functions of `os` don't."""

    def __enter__(self):
        _starting.is_told = True

    def __exit__(self, *exc_info):
        _starting.is_told = False


@told
def began(argv, pid, cwd=None, unreached=None, is_hooked=False, is_fork=False):
    """A child runs, with this pid (None: not known): told of. Its span, for what else is told of it."""
    if _link is None or any("multiprocessing.resource_tracker" in word for word in argv):
        return None
    from . import context

    span = context.current_span.get()
    span_id = context.new_span_id()
    if pid is not None:
        _children[pid] = (span_id, monotonic_ns())
    _link.send(
        {
            "op": "process",
            "id": span_id,
            "parent": span and span[0],
            "ts": time_ns(),
            "argv": argv,
            "cwd": _folder(cwd),
            "pid": pid,
            "fork": is_fork,
            "hooked": is_hooked,
            "unreached": unreached,
        }
    )
    return span_id


def failed(start, cwd, error):
    """A child could not be started: told of. error: an OSError."""
    span_id = began(start.told, None, cwd)
    if span_id is not None:
        _tell_failed(span_id, error)


@told
def _tell_failed(span_id, error):
    filename = None if error.filename is None else os.fsdecode(error.filename)
    why = {"type": type(error).__name__, "message": error.strerror or str(error)}
    why.update(errno=error.errno, filename=filename)
    _link.send({"op": "exit", "id": span_id, "ts": time_ns(), "error": why, "duration": 0})


def watched(pid, file, name):
    """What stands for this file object: the parent's end of a pipe of this child. name: "stdin" and so on."""
    child = _children.get(pid)
    if child is None:
        return file
    from . import pipes

    return pipes.watched(file, _link, child[0], name)


@told
def stream(pid, fd):
    """Who is told of what passes the pipe at this descriptor of a child; None where nobody is."""
    child = _children.get(pid)
    if child is None:
        return None
    from . import pipes

    return pipes.Stream(_link, child[0], ("stdin", "stdout", "stderr")[fd])


@told
def ended(pid, code):
    """This process has learned how a child ended, perhaps again. code: its exit status, or -N for signal N."""
    child = _children.pop(pid, None)
    if child is not None:
        _tell_end(child, code)


def _tell_end(child, code):
    span_id, began_ns = child
    duration = monotonic_ns() - began_ns
    head = {"op": "exit", "id": span_id, "ts": time_ns(), "code": code, "duration": duration}
    _link.send(head)


def _folder(cwd):
    """Where a child starts."""
    try:
        here = os.getcwd()
    except OSError:  # the folder is gone
        here = ""
    return os.path.join(here, os.fsdecode(cwd or "")).rstrip("/") or "/"


def is_telling():
    """Whether children that run are told of."""
    return _link is not None


def stand_in(start, cwd, is_shown):
    """In a replay: what is started in place of this child (a `standing_in.StandIn`); None where it runs itself.

    A Python that the hooks get into is the agent's own code, and runs. What is_shown says, and what may be raised:
    see `standing_in.ask`.
    """
    if _replay is None or (start.is_python and _is_serving):
        return None
    if not _is_serving:
        ran(start)
        return None
    from . import standing_in

    return standing_in.ask(_replay, start.told, _folder(cwd), is_shown)


@told
def ran(start):
    """In a replay: this program is started for real."""
    if _replay is not None and not (start.is_python and _is_serving):
        _replay.send({"op": "ran", "argv": start.told})


def install(link, mode, without=()):
    """Hooks the functions of `os` that start a program, a copy of this one, or learn how it ended. without: with
    "children" among it, a replay lets them run.
    """
    global _link, _replay, _is_serving
    if mode == "record":
        _link = link
    else:
        _replay = link
        if environment.is_retold():
            _link = link
        _is_serving = "children" not in without
    hooks = {"execv": _execv, "execve": _execve, "posix_spawn": _posix_spawn}
    hooks.update(posix_spawnp=_posix_spawnp, system=_system)
    if _link is not None:
        hooks.update(fork=_fork, forkpty=_forkpty, _spawnvef=_spawnvef)
        hooks.update(waitpid=_wait, wait=_wait, wait3=_wait, wait4=_wait)
        hooks.update(kill=_kill, killpg=_kill)
        os.register_at_fork(after_in_child=_children.clear)
    for name, hook in hooks.items():
        if hasattr(os, name):
            setattr(os, name, _hooked(getattr(os, name), hook))


def serve(link):
    """As `install` in a replay, for what `subprocess` starts in a process that no replay started. Returns a function
    that undoes it.
    """
    global _replay, _is_serving
    before = _replay, _is_serving
    _replay, _is_serving = link, True

    def undo():
        global _replay, _is_serving
        _replay, _is_serving = before

    return undo


def _hooked(original, hook):
    # As functools.wraps would make it; that takes longer to load than all the rest of us.
    def hooked(*arguments, **named):
        return hook(original, *arguments, **named)

    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(hooked, name, getattr(original, name, None))
    hooked.__wrapped__ = original
    return hooked


# os.execl, execvp, … and os.spawn* end in these two, with each folder of PATH in turn.


def _execv(original, path, argv):
    start = prepared(path, argv, None)
    ran(start)
    return original(start.file, start.argv)


def _execve(original, path, argv, env):
    start = Start(path, argv, env) if isinstance(path, int) else prepared(path, argv, env)
    ran(start)
    return original(start.file, start.argv, start.env)


def _posix_spawn(original, path, argv, env, is_searching=False, **named):
    start = prepared(path, argv, env, is_searching)
    if not getattr(_starting, "is_told", False):
        ran(start)
    pid = original(start.file, start.argv, start.env, **named)
    if not getattr(_starting, "is_told", False):
        began(start.told, pid, None, start.unreached, start.is_python)
    return pid


def _posix_spawnp(original, path, argv, env, **named):
    return _posix_spawn(original, path, argv, env, True, **named)


def _system(original, command):
    environment.keep()
    began_ns = monotonic_ns()
    start = Start(None, ["sh", "-c", command], None)
    start.told = ["sh", "-c", os.fsdecode(command)]
    instead = stand_in(start, None, True)
    if instead is not None:  # its status is all that there is
        code = instead.code or 0
        return code << 8 if code >= 0 else -code
    span_id = began(start.told, None)
    status = original(command)
    if span_id is not None:
        _told_end((span_id, began_ns), code_of(status))
    return status


_told_end = told(_tell_end)


def _fork(original):
    pid = original()
    if pid:
        _forked(pid)
    return pid


def _forkpty(original):
    pid, terminal = original()
    if pid:
        _forked(pid)
    return pid, terminal


def _forked(pid):
    argv = getattr(_starting, "argv", None)
    if argv is None:
        own = getattr(sys, "orig_argv", None) or getattr(sys, "argv", [])
        began([str(word) for word in own], pid, is_fork=True)
    else:
        began(argv, pid)


def _spawnvef(original, mode, file, args, *rest):
    try:
        _starting.argv = [os.fsdecode(argument) for argument in args]
    except TypeError:  # the original will complain
        _starting.argv = None
    try:
        return original(mode, file, args, *rest)
    finally:
        _starting.argv = None


def _wait(original, *arguments):
    result = original(*arguments)
    if result[0]:
        ended(result[0], code_of(result[1]))
    return result


def _kill(original, pid, number):
    signaled(pid, number)
    return original(pid, number)


@told
def signaled(pid, number):
    """A signal is about to be sent to a child, or to its group."""
    child = _children.get(abs(pid))
    if child is not None and number:
        _link.send({"op": "signal", "id": child[0], "ts": time_ns(), "number": int(number)})


def code_of(status):
    """A wait status as an exit status, or -N for signal N."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
