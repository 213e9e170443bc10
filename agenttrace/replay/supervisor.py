"""The front of `replay -- CMD`: runs the command with recorded answers in place of the world, and judges the run."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile

from agenttrace.recorder import child
from agenttrace.redaction import Redactor
from agenttrace.replay import recorded
from agenttrace.replay.matching import Matcher
from agenttrace.replay.options import ReplayOptions
from agenttrace.replay.report import report_lines, to_dict
from agenttrace.replay.responder import Responder
from agenttrace.trace_folder import resolve

DIVERGED = 123
NOT_COMPARABLE = 125


def replay(options: ReplayOptions) -> int:
    """Runs the command against the trace. The command's status if all was as recorded, else 123 (or -N: signal N).

    ReplayError or OSError if the trace can't be used, before the command has started.
    """
    run = recorded.load(resolve(options.trace))
    unfit = child.unfit(options.command)
    if unfit is not None:
        return NOT_COMPARABLE if options.check else unfit
    matcher = Matcher(run, Redactor(os.environ))
    folder = tempfile.mkdtemp(prefix="agenttrace-")
    try:
        returncode = _run(options, matcher, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _judge(options, run, matcher, returncode)


def _run(options: ReplayOptions, matcher: Matcher, folder: str) -> int:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = os.path.join(folder, "responder")
    listener.bind(path)
    listener.listen(128)
    environment = dict(os.environ)
    environment.update(child.hooked_environment(environment, path, "replay"))
    with listener:
        # The command first: a process that has threads should not fork.
        responder = Responder(matcher, listener)
        return child.run(options.command, environment, None, {}, responder.start)


def _judge(
    options: ReplayOptions, run: recorded.RecordedRun, matcher: Matcher, returncode: int
) -> int:
    facts = to_dict(run, matcher, returncode)
    if options.format == "jsonl":
        sys.stderr.write(json.dumps(facts, ensure_ascii=False) + "\n")
    elif not options.quiet or facts["verdict"] != "same":
        sys.stderr.write("".join(line + "\n" for line in report_lines(run, matcher, facts)))
    if facts["verdict"] != "same":
        return DIVERGED
    return 0 if options.check else returncode
