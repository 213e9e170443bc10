"""The front of `replay -- CMD`: runs the command with recorded answers in place of the world, and judges the run."""

from __future__ import annotations

import json
import os

from agenttrace.command import process, stdio
from agenttrace.command.socket_folder import socket_folder
from agenttrace.gateway.process import Gateway, wait_for_end
from agenttrace.replay import project, recorded
from agenttrace.replay.ending import Ending
from agenttrace.replay.matching import Loosened, Matcher, redactor_of
from agenttrace.replay.options import ReplayOptions
from agenttrace.replay.output import Output
from agenttrace.replay.report import OTHER_OUTPUT, report_lines, to_dict
from agenttrace.replay.responder import Desk, Responder
from agenttrace.replay.retold import Retold
from agenttrace.replay.stand_ins import StandIns
from agenttrace.replay.stillness import Watch
from agenttrace.telling import tell
from agenttrace.trace_folder import resolve

DIVERGED = 123
NOT_COMPARABLE = 125
_DRAIN_S = 0.5


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
    redactor = redactor_of(run)
    matcher = Matcher(run, redactor, loosened)
    closed = process.hold_standard_descriptors()
    retold = Retold(options.output, run, options.command, redactor) if options.output else None
    stand_ins = StandIns(run, redactor, matcher.report, loosened.masks)
    output = Output(run, redactor, loosened.masks)

    streams = stdio.Stdio(_Told(output, retold), {1: 1, 2: 2})
    with socket_folder("responder") as sockets:
        environment = dict(os.environ)
        without = [] if run.has_draws else ["entropy"]
        if options.runs_tools:
            without.append("children")
        environment.update(process.hooked_environment(environment, sockets.path, "replay", without))
        if run.hash_seed is not None:
            environment["PYTHONHASHSEED"] = run.hash_seed
        environment.update(gateway.plan.variables)
        # The gateway and the command first: a process that has threads should not fork.
        gateway_pid, gone = gateway.fork(sockets.path)
        gateway.left_to_others()
        ending = Ending()
        watch = Watch()
        desk = Desk(run, matcher, watch, options.speed, ending.begin, retold, stand_ins)
        responder = Responder(desk, sockets.listener, watch)

        def started(pid: int) -> None:
            ending.runs(pid)
            streams.start()
            responder.start()

        returncode = process.run(
            options.command, environment, streams, streams.child_fds, started, closed
        )
        ending.over()
        desk.close()
        streams.drain(_DRAIN_S)
        gateway.end()
        wait_for_end(gateway_pid, gone)
    if retold is not None:
        retold.end(returncode)
    return _judge(options, run, matcher, stand_ins, output, returncode)


class _Told:
    """What passes through the command's streams: what it wrote is compared. What it reads is today's."""

    def __init__(self, output: Output, retold: Retold | None) -> None:
        self._output = output
        self._retold = retold

    def passed(self, stream: str, fd: int, is_terminal: bool, data: bytes) -> None:
        """Bytes of a stream."""
        if stream == "stdin":
            return
        self._output.take(stream, fd, is_terminal, data)
        if self._retold is not None:
            self._retold.wrote(stream, fd, is_terminal, data)

    def typed(self, line: bytes) -> None:
        """A line that a person typed."""

    def unseen(self, reason: str) -> None:
        """What passes without being seen is no part of the comparison."""


def _judge(
    options: ReplayOptions,
    run: recorded.RecordedRun,
    matcher: Matcher,
    stand_ins: StandIns,
    output: Output,
    returncode: int,
) -> int:
    facts = to_dict(run, matcher, stand_ins, output, returncode)
    if options.format == "jsonl":
        tell(json.dumps(facts))
    elif not options.quiet or facts["verdict"] != "same":
        tell("\n".join(report_lines(run, matcher, facts)))
    if options.check:
        return 0 if facts["verdict"] == "same" else DIVERGED
    return returncode if set(facts["reasons"]) <= {OTHER_OUTPUT} else DIVERGED
