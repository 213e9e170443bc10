"""Faults of the hooks: never raised into the agent, told once on standard error, then counted."""

import sys

_faults = 0


def told(function):
    """A decorator for what must never raise into the agent: a fault of ours is told once on
    standard error, then counted.
    """

    def safely(*arguments, **named):
        global _faults
        try:
            return function(*arguments, **named)
        except Exception as error:
            _faults += 1
            if _faults == 1 and sys.stderr is not None:
                sys.stderr.write("agenttrace: recording failed in this process: %r\n" % (error,))
            return None

    return safely
