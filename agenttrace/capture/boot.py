"""Puts the hooks in: on what is imported already, and on what will be."""

import os
import sys

from . import channel, environment, processes

# Which hook serves a module of this name, once it is loaded.
HTTP = {
    "socket": "sockets",
    "httpx": "httpx_family",
    "httpx2": "httpx_family",
    "httpcore": "httpcore_family",
    "httpcore2": "httpcore_family",
    "http.client": "http_client",
    "urllib3.connectionpool": "urllib3_pool",
    "urllib3.http2.connection": "urllib3_http2",
    "aiohttp": "aiohttp_client",
    "websockets.sync.client": "websockets_client",
    "websockets.asyncio.client": "websockets_client",
    "websockets.legacy.client": "websockets_client",
}
PROCESSES = {
    "subprocess": "subprocess_popen",
    "multiprocessing.util": "multiprocessing_spawning",
    "uvloop": "uvloop_processes",
}
ENTROPY = {
    "os": "chance",
    "time": "clock",
    "random": "chance",
    "datetime": "clock",
    "uuid": "chance",
    "_time_machine": "clock",
}
# Which hook is out while a module of this name is loaded.
GIVES_WAY = {"_time_machine": "clock"}

_started = False
_installed = []  # the Hooks of this process, in the order in which they went in


def start():
    """Hooks this process for good, if a recorder or a replay started it."""
    global _started
    link = channel.current()
    if not _started and link is not None:
        _started = True
        environment.remember()
        environment.restore()
        mode = os.environ.get("AGENTTRACE_MODE", "record")
        without = os.environ.get("AGENTTRACE_WITHOUT", "").split(",")
        processes.install(link, mode, without)
        hooks = dict(PROCESSES)
        if mode == "replay":
            hooks["socket"] = HTTP["socket"]
        if "entropy" not in without:
            hooks.update(ENTROPY)
            if mode == "replay":
                from . import draws_again

                draws_again.begin(link)
        if "http" not in without:
            hooks.update(HTTP)
        Hooks(link, mode, hooks).install()
        if mode == "record":
            link.greet()


class Hooks:
    """The hooks of one process, and the finder that hooks a module when it has loaded.

    link: a Channel, or what has its `send` and `ask`. mode: "record" or "replay". hooks: which serves
    which module. As a context manager they go out again.
    """

    def __init__(self, link, mode, hooks=HTTP):
        self._link = link
        self._mode = mode
        self._hooks = hooks
        self._hooked = set()
        self._undo = []
        self._is_finding = False
        self._is_over = False

    def install(self):
        """Hooks what is loaded, and what will be."""
        _installed.append(self)
        for name in self._hooks:
            if name in sys.modules:
                self.hook(name, sys.modules[name])
        sys.meta_path.insert(0, self)

    def remove(self):
        """Puts everything back as it was; where others went in later and are in still (of another thread or task), when
        they go: what they put back is what they found.
        """
        sys.meta_path.remove(self)
        self._is_over = True
        while _installed and _installed[-1]._is_over:
            undo = _installed.pop()._undo
            while undo:
                undo.pop()()

    def __enter__(self):
        self.install()
        return self

    def __exit__(self, *exc_info):
        self.remove()

    def hook(self, name, module):
        """Hooks one module; a library under two names once."""
        if id(module) in self._hooked:
            return
        self._hooked.add(id(module))
        try:
            hook = _hook_module(self._hooks[name])
            self._undo.append(hook.install(module, self._link, self._mode))
        except Exception as error:
            if sys.stderr is not None:  # an agent may have closed it
                sys.stderr.write("agenttrace: %s can't be recorded: %r\n" % (name, error))

    def find_spec(self, name, path=None, target=None):
        """Finds nothing itself: what the other finders find gets a loader that hooks afterwards."""
        if name not in self._hooks or self._is_finding:
            return None
        self._is_finding = True
        try:
            for finder in sys.meta_path:
                find = getattr(finder, "find_spec", None)
                spec = find(name, path, target) if find and finder is not self else None
                if spec is not None:
                    if spec.loader is not None:
                        spec.loader = _HookedLoader(spec.loader, self)
                    return spec
        finally:
            self._is_finding = False
        return None


def _hook_module(name):
    return __import__(__package__ + ".hooks." + name, fromlist=["install"])


class _HookedLoader:
    """The module's own loader; when it has loaded, the hook goes in."""

    def __init__(self, loader, hooks):
        self._loader = loader
        self._hooks = hooks

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        hook = _hook_module(GIVES_WAY[spec.name]) if spec.name in GIVES_WAY else None
        if hook is not None:
            hook.step_aside()
        return self._loader.create_module(spec)

    def exec_module(self, module):
        name = module.__name__
        module.__spec__.loader = module.__loader__ = self._loader
        try:
            self._loader.exec_module(module)
        finally:
            if name in GIVES_WAY:
                _hook_module(GIVES_WAY[name]).come_back()
        self._hooks.hook(name, module)
