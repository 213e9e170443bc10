"""`agenttrace verify`: says whether traces are whole, a report for each FILE."""

from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, List, Optional

from agenttrace.cli.declaring import Argument, Option, command
from agenttrace.cli.failure import FINE, NEGATIVE, UNUSABLE
from agenttrace.cli.options import COLOR, QUIET, Color

_SUFFIXES = (".jsonl", ".jsonl.zst")


class _Format(str, Enum):
    text = "text"
    jsonl = "jsonl"
    github = "github"


@command(epilog="Try: agenttrace verify run.jsonl && echo whole")
def verify(
    files: Annotated[
        Optional[List[str]],
        Argument(
            metavar="[FILE|DIR]...",
            show_default=False,
            help="Traces; a folder is walked; none or `-` is standard input, `@last` the newest.",
        ),
    ] = None,
    report: Annotated[
        Optional[_Format],
        Option("--format", help="text on a terminal, jsonl otherwise; github: annotations."),
    ] = None,
    partial: Annotated[
        bool,
        Option(
            "--partial",
            help="For filtered, joined or growing traces: what is missing is no damage.",
        ),
    ] = False,
    allow_unsealed: Annotated[
        bool,
        Option("--allow-unsealed", help="Lines may lack a seal."),
    ] = False,
    deep: Annotated[
        bool,
        Option("--deep", help="Parse all JSON too."),
    ] = False,
    key: Annotated[
        Optional[str],
        Option(
            "--key",
            metavar="PUB",
            show_default=False,
            help="Each trace must be signed, in FILE.sig, with the key of this Ed25519 public key (PEM).",
        ),
    ] = None,
    max_findings: Annotated[
        int,
        Option("--max-findings", min=0, help="Show so many a file; all count."),
    ] = 100,
    color: COLOR = Color.auto,
    quiet: QUIET = False,
) -> int:
    """Say whether traces are whole. Exit status 0 only if all are intact.

    Checksums find accidents, not enemies: who can write a file can seal it again. Against that there are signatures:
    record --sign, verify --key. A good one proves that the key's holder had these very lines, not that they tell the
    truth.
    """
    from agenttrace.cli.failure import WrongUsage
    from agenttrace.cli.inputs import named
    from agenttrace.cli.terminal import is_terminal
    from agenttrace.cli.verify_report import renderer

    names = named(files or [])
    if key and partial:
        raise WrongUsage("--key can't be used with --partial: what was signed is the whole trace")
    if key and "-" in names:
        raise WrongUsage("--key needs FILEs: the signature of a trace is kept beside it")
    shape = report.value if report else ("text" if is_terminal(1) else "jsonl")
    settings = {
        "judge": "partial" if partial else "trace",
        "allow_unsealed": allow_unsealed,
        "deep": deep,
        "max_findings": min(max_findings, 1 << 31),
    }
    return _Verification(settings, renderer(shape, color.value), quiet, _public_key(key)).over(
        names
    )


def _public_key(path: Optional[str]) -> Optional[str]:
    if path is None:
        return None
    from agenttrace.signature import read_public_key

    return read_public_key(path)


class _Verification:
    """Judges inputs on all cores, reports in the order they were named."""

    def __init__(
        self, settings: dict[str, Any], render: Any, quiet: bool, public_key: Optional[str]
    ) -> None:
        self._settings = settings
        self._public_key = public_key
        self._render = render
        self._quiet = quiet
        self._status = FINE

    def over(self, names: list[str]) -> int:
        from agenttrace.cli.inputs import total_bytes
        from agenttrace.cli.terminal import Output, Progress

        files = [found for name in names for found in self._walked(name)]
        self._progress = Progress(total_bytes(files), quiet=self._quiet)
        out = Output(holds_json=False)
        for name, report in zip(files, self._reports(files)):
            self._progress.clear()
            if isinstance(report, Exception):
                self._tell(report)
                continue
            if report["status"] != "intact":
                self._status = max(self._status, NEGATIVE)
            out.write(self._render(name, report).encode("utf-8"))
        return self._status

    def _walked(self, name: str) -> Iterator[str]:
        import os

        if name == "-" or not os.path.isdir(name):
            yield name
            return
        found = False
        for folder, folders, files in os.walk(name, onerror=self._tell):
            folders.sort()
            for file in sorted(files):
                if file.endswith(_SUFFIXES):
                    found = True
                    yield os.path.join(folder, file)
        if not found:
            self._tell(FileNotFoundError(2, "no *.jsonl and no *.jsonl.zst in this folder", name))

    def _tell(self, error: Exception) -> None:
        from agenttrace.cli.exit import reason
        from agenttrace.cli.terminal import say

        say(reason(error))
        self._status = UNUSABLE

    def _reports(self, files: list[str]) -> Iterator[Any]:
        import os

        workers = min(len(files), os.cpu_count() or 1)
        if workers < 2:
            return map(self._judged, files)
        return _in_order(self._judged, files, workers)

    def _judged(self, name: str) -> Any:
        """The report on one input, or the exception that stood in the way."""
        from agenttrace import _backend
        from agenttrace.cli.inputs import Source
        from agenttrace.errors import AgentTraceError

        try:
            source = Source(name)
            scanner = _backend.Scanner(**self._settings)
            unsigned = self._read(source, scanner)
            source.close()
        except (OSError, AgentTraceError) as error:
            return error
        names = ("status", "traces", "events", "bytes", "sealed", "findings_total")
        report: dict[str, Any] = dict(zip(names, scanner.report()))
        findings = scanner.take_findings()
        if unsigned:
            report["status"] = "corrupt"
            report["findings_total"] += len(unsigned)
            findings = (findings + unsigned)[: self._settings["max_findings"]]
        return {**report, "findings": findings}

    def _read(self, source: Any, scanner: Any) -> list[Any]:
        """Judges all of an input. The findings on its signatures, where these are asked for."""
        if self._public_key is None:
            for count in source.judge(scanner):
                self._progress.add(count)
            scanner.finish()
            return []
        from agenttrace.signature import Contents, check

        # In one reading: a file that is changed meanwhile, or can be read only once, is no way around.
        contents = Contents()
        while chunk := source.read():
            contents.add(scanner.feed(chunk))
            self._progress.add(len(chunk))
        contents.add(scanner.finish())
        return [
            (verdict.problem, verdict.trace_id, None, None, None, None, None, verdict.message)
            for verdict in check(source.path, contents, self._public_key)
            if verdict.problem
        ]


def _in_order(judge: Any, files: list[str], workers: int) -> Iterator[Any]:
    """judge(file) for each file, by threads: the core lets go of the lock. Results in order."""
    import queue
    import threading

    todo = iter(enumerate(files))
    taking = threading.Lock()
    done: Any = queue.Queue()

    def work() -> None:
        while True:
            with taking:
                place, file = next(todo, (-1, ""))
            if place < 0:
                return
            try:
                done.put((place, judge(file)))
            except BaseException as error:  # noqa: BLE001 - raised again where the results are read
                done.put((-1, error))
                return

    for _ in range(workers):
        threading.Thread(target=work, daemon=True).start()
    early: dict[int, Any] = {}
    for place in range(len(files)):
        while place not in early:
            found, report = done.get()
            if found < 0:
                raise report
            early[found] = report
        yield early.pop(place)
