"""uvloop: starts processes in C, past subprocess; they get the hooks here."""

from .. import processes
from . import replacing


def install(module, link, mode):
    """Hooks its loop; returns a function that undoes it."""
    hooks = {"subprocess_exec": _executing, "subprocess_shell": _in_shell}
    return replacing.replaced(module.Loop, hooks)


def _executing(original):
    def execute(self, protocol_factory, program, *args, **named):
        executable = named.get("executable")
        argv = [program, *args]
        start = processes.prepared(
            executable or program, argv, named.get("env"), True, named.get("cwd")
        )
        if start.argv is not argv:
            named["executable"] = start.file
        if start.env is not None:
            named["env"] = start.env
        return original(self, protocol_factory, *start.argv, **named)

    return execute


def _in_shell(original):
    def execute(self, protocol_factory, command, **named):
        start = processes.prepared("/bin/sh", ["sh", "-c", command], named.get("env"))
        if start.env is not None:
            named["env"] = start.env
        return original(self, protocol_factory, command, **named)

    return execute
