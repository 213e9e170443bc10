"""No tracebacks of a divergence: it is no fault of the program that meets it, and the front tells of it, once and last.

Threads, event loops and groups of exceptions show what nobody has caught, `SystemExit` alone excepted.
"""

import sys
import threading

_has_begun = False


def begin(kind):
    """From now on this process shows no tracebacks of exceptions of this kind, or of groups of nothing else."""
    global _has_begun
    if _has_begun:
        return
    _has_begun = True

    def is_hushed(error):
        inner = getattr(error, "exceptions", None)  # a group's, as far back as trio's own
        if isinstance(inner, (tuple, list)) and inner:
            return all(map(is_hushed, inner))
        return isinstance(error, kind)

    def unless_hushed(original):
        def hook(told):
            if not is_hushed(told.exc_value):
                original(told)

        return hook

    def at_the_top(original):
        def hook(exc_type, error, traceback):
            if not is_hushed(error):
                original(exc_type, error, traceback)

        return hook

    def keeps(record):
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        # What an event loop could not clean up any more.
        is_rest = error is None and str(record.msg).startswith("Task was destroyed")
        return not (is_rest or is_hushed(error) or is_hushed(getattr(error, "__context__", None)))

    threading.excepthook = unless_hushed(threading.excepthook)
    sys.unraisablehook = unless_hushed(sys.unraisablehook)
    sys.excepthook = at_the_top(sys.excepthook)
    if "logging" in sys.modules:
        sys.modules["logging"].getLogger("asyncio").addFilter(keeps)
