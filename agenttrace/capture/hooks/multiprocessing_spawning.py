"""multiprocessing: the Pythons of its methods `spawn` and `forkserver` get the hooks."""

import functools

from .. import processes


def install(module, link, mode):
    """Hooks what starts them; returns a function that undoes it."""
    original = module.spawnv_passfds

    @functools.wraps(original)
    def spawn(path, args, passfds):
        start = processes.prepared(path, args, None)
        processes.ran(start)
        pid = original(start.file, start.argv, passfds)
        processes.began(start.told, pid, None, start.unreached, start.is_python)
        return pid

    module.spawnv_passfds = spawn

    def undo():
        module.spawnv_passfds = original

    return undo
