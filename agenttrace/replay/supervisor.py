"""The front of `replay -- CMD`: runs the command with recorded answers in place of the world, and judges the run."""

from __future__ import annotations

import json
import os

from agenttrace.command import process
from agenttrace.command.socket_folder import socket_folder
from agenttrace.gateway.process import Gateway, wait_for_end
from agenttrace.replay import project, recorded
from agenttrace.replay.matching import Loosened, Matcher, redactor_of
from agenttrace.replay.options import ReplayOptions
from agenttrace.replay.report import report_lines, to_dict
from agenttrace.replay.responder import Responder
from agenttrace.telling import tell
from agenttrace.trace_folder import resolve

DIVERGED = 123
NOT_COMPARABLE = 125


def replay(options: ReplayOptions) -> int:
    """Runs the command against the trace. The command's status if all was as recorded, else 123 (or -N: signal N).

    ReplayError or OSError if the trace can't be used, before the command has started.
    """
    run = recorded.load(resolve(options.trace))
    unfit = process.unfit(options.command)
    if unfit is not None:
        return NOT_COMPARABLE if options.check else unfit
    gateway = Gateway(os.environ, "replay")
    allowed = project.loosened()
    loosened = Loosened((*options.ignore, *allowed.ignore), allowed.masks)
    matcher = Matcher(run, redactor_of(run), loosened)
    closed = process.hold_standard_descriptors()
    with socket_folder("responder") as sockets:
        environment = dict(os.environ)
        environment.update(process.hooked_environment(environment, sockets.path, "replay"))
        environment.update(gateway.plan.variables)
        # The gateway and the command first: a process that has threads should not fork.
        pid, gone = gateway.fork(sockets.path)
        gateway.left_to_others()
        responder = Responder(matcher, sockets.listener, options.speed)
        returncode = process.run(options.command, environment, None, {}, responder.start, closed)
        gateway.end()
        wait_for_end(pid, gone)
    return _judge(options, run, matcher, returncode)


def _judge(
    options: ReplayOptions, run: recorded.RecordedRun, matcher: Matcher, returncode: int
) -> int:
    facts = to_dict(run, matcher, returncode)
    if options.format == "jsonl":
        tell(json.dumps(facts))
    elif not options.quiet or facts["verdict"] != "same":
        tell("\n".join(report_lines(run, matcher, facts)))
    if facts["verdict"] != "same":
        return DIVERGED
    return 0 if options.check else returncode
