"""uvloop: starts processes in C, past subprocess; here they get the hooks and are told of."""

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
        processes.ran(start)
        if start.argv is not argv:
            named["executable"] = start.file
        if start.env is not None:
            named["env"] = start.env
        transport, protocol = await original(self, protocol_factory, *start.argv, **named)
        _began(start, transport, protocol, cwd)
        return transport, protocol

    return execute


def _in_shell(original):
    async def execute(self, protocol_factory, command, **named):
        start = processes.prepared("/bin/sh", ["/bin/sh", "-c", command], named.get("env"))
        processes.ran(start)
        if start.env is not None:
            named["env"] = start.env
        transport, protocol = await original(self, protocol_factory, command, **named)
        _began(start, transport, protocol, named.get("cwd"))
        return transport, protocol

    return execute


@told
def _began(start, transport, protocol, cwd):
    pid = transport.get_pid()
    processes.began(start.told, pid, cwd, start.unreached, start.is_python)
    code = transport.get_returncode()
    if code is not None:
        processes.ended(pid, code)
        return
    process_exited = protocol.process_exited

    def exited():
        processes.ended(pid, transport.get_returncode())
        process_exited()

    protocol.process_exited = exited
