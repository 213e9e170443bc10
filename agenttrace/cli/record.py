"""`agenttrace record`: runs CMD and records what it does."""

import importlib.util
import re
from typing import Annotated, List, Optional

from agenttrace.cli.declaring import Argument, Option, Positionals, command
from agenttrace.cli.failure import WrongUsage
from agenttrace.cli.options import redaction_patterns


@command(
    positionals=Positionals.LAST,
    epilog="Try: agenttrace record -o run.jsonl -- python agent.py",
)
def record(
    command: Annotated[
        Optional[List[str]],
        Argument(
            metavar="-- CMD [ARG]...", show_default=False, help="The command, with its own options."
        ),
    ] = None,
    output: Annotated[
        Optional[str],
        Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write here; `-` is standard output; left out: a new file in the trace folder.",
        ),
    ] = None,
    append: Annotated[
        bool,
        Option("--append", help="Add a new trace behind what is in FILE."),
    ] = False,
    force: Annotated[
        bool,
        Option("--force", help="Replace FILE."),
    ] = False,
    name: Annotated[
        Optional[str],
        Option("--name", help="What to call the run."),
    ] = None,
    no_stdio: Annotated[
        bool,
        Option("--no-stdio", help="CMD keeps its own descriptors."),
    ] = False,
    no_http: Annotated[
        bool,
        Option("--no-http", help="Do not record HTTP."),
    ] = False,
    proxy: Annotated[
        bool,
        Option(
            "--proxy",
            help="Record HTTP and HTTPS of clients that heed HTTPS_PROXY too, with certificates of this run's own.",
        ),
    ] = False,
    no_entropy: Annotated[
        bool,
        Option("--no-entropy", help="Do not record time and chance that CMD draws."),
    ] = False,
    no_redact: Annotated[
        bool,
        Option("--no-redact", help="Write secrets as they are."),
    ] = False,
    redact: Annotated[
        Optional[List[str]],
        Option(
            "--redact",
            metavar="REGEX",
            help="Replace what matches in any string, too; may be repeated.",
        ),
    ] = None,
    env: Annotated[
        Optional[List[str]],
        Option(
            "--env",
            metavar="NAME",
            help="Keep this variable's value in the trace; may be repeated.",
        ),
    ] = None,
    prices: Annotated[
        Optional[str],
        Option(
            "--prices",
            metavar="FILE",
            help="Prices of models, in the form of litellm's list; they come before our own.",
        ),
    ] = None,
    rotate: Annotated[
        Optional[str],
        Option(
            "--rotate",
            metavar="SIZE",
            help="Go on in another file (run.1.jsonl …) once one holds this much: 500K, 100M, 1G.",
        ),
    ] = None,
    sign: Annotated[
        Optional[str],
        Option(
            "--sign",
            metavar="KEY",
            help="Sign the trace with this Ed25519 private key (PEM); the signature goes to FILE.sig.",
        ),
    ] = None,
    quiet: Annotated[
        bool,
        Option("-q", "--quiet", help="No summary at the end."),
    ] = False,
) -> int:
    """Run CMD and record what it does.

    Ends as CMD ended: with its status, or by the same signal.
    """
    if not command:
        raise WrongUsage("give a command to record: agenttrace record -- CMD [ARG]...")
    if output == "":
        raise WrongUsage("-o needs a name; left out, the trace goes to the trace folder")
    if append and force:
        raise WrongUsage("--append and --force exclude each other")
    if sign and output == "-":
        raise WrongUsage("--sign needs a file: a signature is kept beside it")
    if rotate and output == "-":
        raise WrongUsage("--rotate needs a file")
    if rotate and sign:
        raise WrongUsage("--rotate and --sign exclude each other")
    if proxy and no_http:
        raise WrongUsage("--proxy and --no-http exclude each other")
    if proxy and importlib.util.find_spec("cryptography") is None:
        raise WrongUsage(
            "--proxy needs the package cryptography: pip install 'agenttrace-cli[proxy]'"
        )
    if no_redact and redact:
        raise WrongUsage("--redact and --no-redact exclude each other")
    patterns = redaction_patterns(redact)
    from agenttrace.recorder.options import RecordOptions
    from agenttrace.recorder.supervisor import record as run

    options = RecordOptions(
        command=tuple(command),
        output=output,
        if_exists="append" if append else "replace" if force else "refuse",
        name=name,
        stdio=not no_stdio,
        http=not no_http,
        proxy=proxy,
        entropy=not no_entropy,
        redaction=not no_redact,
        keep_env=tuple(env or ()),
        redact=patterns,
        prices=prices,
        sign=sign,
        rotate_bytes=_bytes(rotate) if rotate is not None else None,
        quiet=quiet,
    )
    return run(options)


_SIZE = re.compile(r"([0-9]{1,15})([KMGT]?)(?:i?B)?\Z", re.IGNORECASE)


def _bytes(size: str) -> int:
    """`100M` in bytes, by powers of 1024."""
    found = _SIZE.match(size)
    if found is None or not int(found[1]):
        raise WrongUsage(f"--rotate: {size!r} is no size: use 500K, 100M or 1G")
    return int(found[1]) << (10 * " KMGT".index(found[2].upper() or " "))
