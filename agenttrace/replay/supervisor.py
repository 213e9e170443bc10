"""The front of `replay -- CMD`: runs the command with recorded answers in place of the world, and judges the run."""

from __future__ import annotations

import importlib.util
import json
import os

from agenttrace.command import process, stdio
from agenttrace.command.socket_folder import socket_folder
from agenttrace.errors import ReplayError
from agenttrace.gateway.process import NEEDED_BY_PROXY, Gateway, wait_for_end
from agenttrace.redaction import NoRedactor, Redactor
from agenttrace.replay import project, recorded
from agenttrace.replay.covered import Covered
from agenttrace.replay.ending import Ending
from agenttrace.replay.fork import Fork
from agenttrace.replay.given_input import GivenInput
from agenttrace.replay.matching import Loosened, Matcher, missing_patterns, redactor_of
from agenttrace.replay.options import ReplayOptions
from agenttrace.replay.output import Output
from agenttrace.replay.report import OTHER_OUTPUT, Outcome, report_lines
from agenttrace.replay.responder import Desk, Responder
from agenttrace.replay.retold import Retold
from agenttrace.replay.stand_ins import StandIns
from agenttrace.replay.stillness import Watch
from agenttrace.replay.volatile import owns
from agenttrace.telling import tell
from agenttrace.trace_folder import resolve

DIVERGED = 123
NOT_COMPARABLE = 125
_DRAIN_S = 0.5


def replay(options: ReplayOptions) -> int:
    """Runs the command against the trace. The command's status if all was as recorded or it went live, else 123 (or
    -N: signal N).

    ReplayError or OSError if the trace can't be used, before the command has started.
    """
    run = _loaded(options)
    unfit = process.unfit(options.command)
    if unfit is not None:
        return NOT_COMPARABLE if options.check else unfit
    covered = Covered(options)
    gateway = Gateway(os.environ, "replay")
    loosened = _loosened(options)
    redactor = _redactor(options, run, gateway.plan.token)
    own = owns(run.start, options.command)
    matcher = Matcher(run, redactor, loosened, own)
    closed = process.hold_standard_descriptors()
    retold, fork = _retold(options, run, redactor)
    stand_ins = StandIns(run, redactor, matcher.report, loosened.masks, own)
    output = Output(run, redactor, loosened.masks, own)
    watch = Watch()
    given = GivenInput(run, watch)
    if given.is_there:
        given.put_in_place()
        closed = tuple(fd for fd in closed if fd)
    streams = stdio.Stdio(_Told(output, given, retold), {1: 1, 2: 2}, given.terminals)
    with socket_folder("responder") as sockets:
        environment = _environment(run, sockets.path, options.runs_tools, retold is not None)
        environment.update(_gateways_variables(gateway, run, sockets.folder))
        gateway_pid, gone = _forked(gateway, sockets.path)
        ending = Ending(sockets.path)
        desk = Desk(run, matcher, watch, options.speed, ending.begin, retold, stand_ins, fork)
        responder = Responder(desk, sockets.listener, watch)

        def started(pid: int) -> None:
            ending.runs(pid)
            streams.start()
            responder.start()
            given.start()
            covered.start(pid, environment, watch)

        returncode = process.run(
            options.command, environment, streams, streams.child_fds, started, closed
        )
        covered.stop()
        given.over()
        ending.over()
        desk.close()
        streams.drain(_DRAIN_S)
        gateway.end()
        wait_for_end(gateway_pid, gone)
        if retold is not None:
            responder.drain(_DRAIN_S)
            retold.end(returncode)
    outcome = Outcome(run, matcher, stand_ins, output, given, covered, returncode, fork)
    return _judge(options, outcome)


def _redactor(
    options: ReplayOptions, run: recorded.RecordedRun, token: str
) -> Redactor | NoRedactor:
    """ReplayError where the replay's own trace would show what the recorded one hides."""
    try:
        redactor = redactor_of(run, options.redact, options.keep_env, token)
    except ReplayError as error:
        raise ReplayError(f"{options.trace}: {error}") from None
    is_written = options.output is not None or options.is_forking
    if is_written and missing_patterns(run, redactor):
        raise ReplayError(
            f"{options.trace}: was recorded with --redact, and what that hid this replay's own trace would show:"
            " give replay the same"
        )
    return redactor


def _loosened(options: ReplayOptions) -> Loosened:
    allowed = project.loosened()
    return Loosened((*options.ignore, *allowed.ignore), allowed.masks)


def _forked(gateway: Gateway, socket_path: str) -> tuple[int, int]:
    """The gateway and the command come first: a process that has threads should not fork."""
    forked = gateway.fork(socket_path)
    gateway.left_to_others()
    return forked


def _environment(
    run: recorded.RecordedRun, socket_path: str, runs_tools: bool, is_retold: bool
) -> dict[str, str]:
    environment = dict(os.environ)
    without = [] if run.has_draws else ["entropy"]
    if runs_tools:
        without.append("children")
    environment.update(
        process.hooked_environment(environment, socket_path, "replay", without, is_retold)
    )
    if run.hash_seed is not None:
        environment["PYTHONHASHSEED"] = run.hash_seed
    return environment


def _gateways_variables(gateway: Gateway, run: recorded.RecordedRun, folder: str) -> dict[str, str]:
    if run.has_proxy:
        gateway.stand_proxy(folder)
    return gateway.plan.variables


def _loaded(options: ReplayOptions) -> recorded.RecordedRun:
    run = recorded.load(resolve(options.trace))
    if run.has_proxy and importlib.util.find_spec("cryptography") is None:
        raise ReplayError(f"{options.trace}: was recorded with --proxy; {NEEDED_BY_PROXY}")
    if options.from_seq is not None:
        run.cut(options.from_seq)
    return run


def _retold(
    options: ReplayOptions, run: recorded.RecordedRun, redactor: Redactor | NoRedactor
) -> tuple[Retold | None, Fork | None]:
    if options.is_forking:
        retold = Retold(options.output, run, options.command, redactor, may_fork=True)
        return retold, Fork(run, retold, options.from_seq)
    if options.output is not None:
        return Retold(options.output, run, options.command, redactor), None
    return None, None


class _Told:
    """What passes through the command's streams: what it wrote is compared."""

    def __init__(self, output: Output, given: GivenInput, retold: Retold | None) -> None:
        self._output = output
        self._given = given
        self._retold = retold

    def passed(self, stream: str, fd: int, is_terminal: bool, data: bytes) -> None:
        """Bytes of a stream."""
        if stream != "stdin":
            self._output.take(stream, fd, is_terminal, data)
            self._given.wrote(len(data))
        if self._retold is not None:
            self._retold.passed(stream, fd, is_terminal, data)

    def typed(self, line: bytes) -> None:
        """A line that was typed."""
        if self._retold is not None:
            self._retold.typed(line)

    def unseen(self, reason: str) -> None:
        """Something passes without being seen."""
        if self._retold is not None:
            self._retold.gap(reason)


def _judge(options: ReplayOptions, outcome: Outcome) -> int:
    facts = outcome.to_dict()
    if options.format == "jsonl":
        tell(json.dumps(facts))
    elif not options.quiet or facts["verdict"] != "same" or not facts["is_whole"]:
        tell("\n".join(report_lines(outcome, facts)))
    if options.check:
        return 0 if facts["verdict"] == "same" else DIVERGED
    returncode = outcome.returncode
    return returncode if set(facts["reasons"]) <= {OTHER_OUTPUT} else DIVERGED
