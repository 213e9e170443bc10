"""Runs at the start of a Python that an agent is made of: loads the hooks, then the `sitecustomize`
that this one hides.

Valid on every Python that may find it, silent where it can't serve. Adds nothing to `sys.path`.
"""

import sys


class _Finder:
    """Knows where the hooks lie: that no folder is searched for them saves a tenth of their time."""

    def __init__(self, folder):
        self._folder = folder

    def find_spec(self, name, path=None, target=None):
        package, _, rest = name.partition(".")
        if package != "_agenttrace_capture":
            return None
        file = self._folder + "/" + rest.replace(".", "/") + ".py"
        spec = type(__spec__)(name, type(__loader__)(name, file), origin=file)
        spec.has_location = True
        return spec


def _load_hooks(here):
    if sys.version_info < (3, 8) or "_agenttrace_capture" in sys.modules:
        return
    capture = type(sys)("_agenttrace_capture")
    capture.__path__ = [here.rpartition("/")[0]]
    hooks = capture.hooks = type(sys)("_agenttrace_capture.hooks")
    hooks.__path__ = [capture.__path__[0] + "/hooks"]
    sys.modules.update({capture.__name__: capture, hooks.__name__: hooks})
    finder = _Finder(capture.__path__[0])
    sys.meta_path.insert(0, finder)
    try:
        from _agenttrace_capture import boot

        boot.start()
    finally:
        sys.meta_path.remove(finder)


def _load_hidden(here):
    # The environment's own sitecustomize, which ours stands before.
    for finder in sys.meta_path:
        if getattr(finder, "__name__", "") == "PathFinder":
            rest = [entry for entry in sys.path if entry.rstrip("/") != here]
            spec = finder.find_spec("sitecustomize", rest)
            if spec is not None and spec.loader is not None:
                module = type(sys)("sitecustomize")
                module.__spec__ = spec
                module.__file__ = spec.origin
                module.__loader__ = spec.loader
                sys.modules["sitecustomize"] = module
                spec.loader.exec_module(module)
            return


_here = __file__.rpartition("/")[0]
try:
    _load_hooks(_here)
except Exception as _error:  # the agent must start whatever happens to us; it is told once
    sys.stderr.write("agenttrace: the hooks could not be loaded: %r\n" % (_error,))
if sys.version_info >= (3, 4):
    _load_hidden(_here)
