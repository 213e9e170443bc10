"""In a replay: a process that stands in for a recorded one.

It is a real one, a shell that waits to be told to end: signals, groups, `wait`, watchers of event loops meet what they
expect. What goes through its pipes is played by the responder, which gets their other ends.
"""

import json
import os

from . import answer, context, live

SHELL = "/bin/sh"


def ask(link, argv, cwd, is_shown):
    """What stands in for the process that would be started so; None where the replay has gone live, and it runs for
    real. is_shown: whether what it prints goes elsewhere than to this process. OSError where starting it failed.
    answer.Diverged if it was not recorded.
    """
    span = context.current_span.get()
    head = {"op": "spawn", "argv": argv, "cwd": cwd, "is_shown": is_shown, "span": span and span[0]}
    try:
        head, _ = link.ask(head)
    except (OSError, json.JSONDecodeError) as error:
        raise answer.Diverged("the replay can't be reached: %s" % error) from None
    if head["op"] == "live":
        live.begin()
        return None
    if head["op"] == "failed":
        number = head["errno"]
        raise OSError(number, os.strerror(number), head["filename"])
    if head["op"] != "stand_in":
        raise answer.Diverged(head["message"])
    return StandIn(link, head)


class StandIn:
    """argv: what is started instead. code: how it will end: its exit status, -N for signal N, None if nobody saw it."""

    def __init__(self, link, head):
        self._link = link
        self._number = head["number"]
        self.code = head["code"]
        self.argv = [SHELL, "-c", _script(self.code, head["outlived"])]

    def play(self, **streams):
        """Hands its ends of these pipes (descriptors, -1: it has none) to the responder. The descriptors that are to be
        its input and its output: on the one it is told to end, on the other it says that it is there.
        """
        streams = {name: fd for name, fd in streams.items() if fd != -1}
        (control, told), (there, tells) = os.pipe(), os.pipe()
        try:
            head = {"op": "play", "number": self._number, "streams": list(streams)}
            self._link.hand(head, [told, there, *streams.values()])
        except OSError as error:
            os.close(control)
            os.close(tells)
            raise answer.Diverged("the replay can't be reached: %s" % error) from None
        finally:
            os.close(told)
            os.close(there)
        return control, tells


def _script(code, outlived):
    """The shell's words. outlived: signals that the recorded process did not die of."""
    words = []
    if code is None or code >= 0:
        words += ["trap 'exit %d' %d" % (code or 0, number) for number in outlived]
        end = "exit %d" % (code or 0)
    else:
        end = "ulimit -c 0; kill -%d $$; exit 1" % -code
    return "; ".join([*words, "echo", "read -r go", end])
