"""Loads the hooks into a Python that could not find them by itself, then runs what it was to run.

It stands on the command line before that: `python -I runner.py agent.py`, `python -E runner.py -m agent`. Valid on
every Python that may get it.
"""

import sys

_capture = sys.modules.get("_agenttrace_capture")
if _capture is None:
    _capture = sys.modules["_agenttrace_capture"] = type(sys)("_agenttrace_capture")
    _capture.__path__ = [__file__.rpartition("/")[0]]
from _agenttrace_capture import running  # noqa: E402 - found by the lines above

running.run()
