"""Puts the hooks in: on what is imported already, and on what will be."""

import os
import sys

from . import channel

# Which hook serves a module of this name, once it is loaded.
HOOKS = {"httpx": "httpx_family", "httpx2": "httpx_family"}

_started = False


def start(link=None, mode=None):
    """Hooks this process. link: a Channel, or what has its `send` and `ask`; without one, the recorder's that started us."""
    global _started
    link = link or channel.current()
    if _started or link is None:
        return
    _started = True
    mode = mode or os.environ.get("AGENTTRACE_MODE", "record")
    if mode == "replay":
        from .hooks import sockets

        sockets.refuse(link)
    finder = _AfterImport(link, mode)
    for name in HOOKS:
        if name in sys.modules:
            finder.install(name, sys.modules[name])
    sys.meta_path.insert(0, finder)


class _AfterImport:
    """A finder that finds nothing itself, but hooks a module when the one that was found has loaded."""

    def __init__(self, link, mode):
        self._link = link
        self._mode = mode
        self._hooked = set()
        self._finding = False

    def install(self, name, module):
        if id(module) in self._hooked:  # httpx2 can stand under httpx's name too
            return
        self._hooked.add(id(module))
        hook = __import__(__package__ + ".hooks." + HOOKS[name], fromlist=["install"])
        try:
            hook.install(module, self._link, self._mode)
        except Exception as error:
            sys.stderr.write("agenttrace: %s can't be recorded: %r\n" % (name, error))

    def find_spec(self, name, path=None, target=None):
        if name not in HOOKS or self._finding:
            return None
        self._finding = True
        try:
            for finder in sys.meta_path:
                find = getattr(finder, "find_spec", None)
                spec = find(name, path, target) if find and finder is not self else None
                if spec is not None:
                    if spec.loader is not None:
                        spec.loader = _HookedLoader(spec.loader, self)
                    return spec
        finally:
            self._finding = False
        return None


class _HookedLoader:
    """The module's own loader; when it has loaded, the hook goes in."""

    def __init__(self, loader, finder):
        self._loader = loader
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._finder.install(module.__name__, module)
