"""uvloop: starts processes, and passes their pipes, in C, past subprocess and the functions of `os`; here they get the
hooks and are told of, as the child's protocol and its transport see them.
"""

import signal

from .. import processes
from ..faults import told
from . import replacing


def install(module, link, mode):
    """Hooks its loop; returns a function that undoes it."""
    hooks = {"subprocess_exec": _executing, "subprocess_shell": _in_shell}
    return replacing.replaced(module.Loop, hooks)


def _executing(original):
    async def execute(self, protocol_factory, program, *args, **named):
        argv, cwd = [program, *args], named.get("cwd")
        start = processes.prepared(
            named.get("executable") or program, argv, named.get("env"), True, cwd
        )
        if start.argv is not argv:
            named["executable"] = start.file
        return await _started(original, self, start, protocol_factory, start.argv, named)

    return execute


def _in_shell(original):
    async def execute(self, protocol_factory, command, **named):
        start = processes.prepared("/bin/sh", ["/bin/sh", "-c", command], named.get("env"))
        return await _started(original, self, start, protocol_factory, [command], named)

    return execute


async def _started(original, loop, start, protocol_factory, arguments, named):
    processes.ran(start)
    if start.env is not None:
        named["env"] = start.env
    child = _Child(start, named.get("cwd"))
    try:
        transport, protocol = await original(
            loop, lambda: child.watched(protocol_factory()), *arguments, **named
        )
    except OSError as error:
        processes.failed(start, named.get("cwd"), error)
        raise
    return child.transport or transport, protocol


class _Child:
    """One child, and what its protocol is told of it. transport: as the agent gets it, once it has begun."""

    def __init__(self, start, cwd):
        self._start = start
        self._cwd = cwd
        self._pid = None
        self._streams = {}  # by the child's descriptor
        self.transport = None

    def watched(self, protocol):
        """The protocol itself, its methods told of before they are called."""
        self._watch(protocol)
        return protocol

    @told
    def _watch(self, protocol):
        made = protocol.connection_made
        protocol.connection_made = lambda transport: made(self._began(transport) or transport)
        for name, tell in (
            ("pipe_data_received", self._passed),
            ("pipe_connection_lost", self._lost),
            ("process_exited", self._exited),
        ):
            setattr(protocol, name, _telling(tell, getattr(protocol, name)))

    @told
    def _began(self, transport):
        self._pid = transport.get_pid()
        start = self._start
        processes.began(start.told, self._pid, self._cwd, start.unreached, start.is_python)
        pipes = (transport.get_pipe_transport(fd) for fd in range(3))
        for fd, pipe in enumerate(pipes):
            stream = processes.stream(self._pid, fd) if pipe is not None else None
            if stream is not None:
                self._streams[fd] = stream
        self.transport = _Transport(transport, self._pid, self._streams.get(0))
        return self.transport

    @told
    def _passed(self, fd, data):
        if data and fd in self._streams:
            self._streams[fd].passed(data)

    @told
    def _lost(self, fd, error):
        if fd in self._streams:
            self._streams[fd].passed(b"")

    @told
    def _exited(self):
        processes.ended(self._pid, self.transport.get_returncode())


def _telling(tell, method):
    def telling(*arguments):
        tell(*arguments)
        return method(*arguments)

    return telling


class _Transport:
    """A child's transport; the one of its standard input tells of what is written. Signals are told of."""

    def __init__(self, inner, pid, stdin):
        self._inner = inner
        self._pid = pid
        self._stdin = stdin and _Input(inner.get_pipe_transport(0), stdin)

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def get_pipe_transport(self, fd):
        if fd == 0 and self._stdin is not None:
            return self._stdin
        return self._inner.get_pipe_transport(fd)

    def send_signal(self, number):
        processes.signaled(self._pid, number)
        return self._inner.send_signal(number)

    def terminate(self):
        processes.signaled(self._pid, signal.SIGTERM)
        return self._inner.terminate()

    def kill(self):
        processes.signaled(self._pid, signal.SIGKILL)
        return self._inner.kill()


class _Input:
    """The transport of a child's standard input: what is written is told of before it goes out, and so is its end."""

    def __init__(self, inner, stream):
        self._inner = inner
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def write(self, data):
        if data:
            self._stream.passed(data)
        return self._inner.write(data)

    def writelines(self, pieces):
        pieces = list(pieces)
        for piece in pieces:
            if piece:
                self._stream.passed(piece)
        return self._inner.writelines(pieces)

    def write_eof(self):
        self._stream.passed(b"")
        return self._inner.write_eof()

    def close(self):
        self._stream.passed(b"")
        return self._inner.close()

    def abort(self):
        self._stream.passed(b"")
        return self._inner.abort()
