"""What the man pages say beyond options: synopsis, examples, exit status, environment, files."""

from __future__ import annotations

import re


def _roff(text: str) -> str:
    """Plain text to roff: `name: text` lines become a list, indented ones stay as they are."""
    lines = []
    in_example = in_list = False
    for line in text.strip("\n").split("\n"):
        is_example = line.startswith("    ")
        if is_example != in_example:
            lines.append(".nf\n.RS 4" if is_example else ".RE\n.fi\n.PP")
            in_example = is_example
        term = re.match(r"([^\s:]+(?: or [^\s:]+)?): (.*)", line)
        shown = line.strip().replace("\\", "\\e").replace("-", "\\-")
        if shown[:1] in (".", "'"):
            shown = "\\&" + shown
        if in_list and not term and not is_example:
            lines.append(".PP")
        in_list = bool(term) and not is_example
        if term and in_list:
            shown = f".TP\n\\fB{_bare(term[1])}\\fR\n{_bare(term[2])}"
        lines.append(shown)
    return "\n".join(lines + ([".RE\n.fi"] if in_example else []))


def _bare(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")


_FOLDER = """
~/.local/state/agenttrace/traces: The trace folder, where record puts what has no \
-o. $AGENTTRACE_DIR names another; else $XDG_STATE_HOME/agenttrace/traces, where that is set.
"""
_SHARED_ENVIRONMENT = """
AGENTTRACE_DIR: The trace folder.
AGENTTRACE_BACKEND: native or pure: which of the two readers is used. Both say the same.
AGENTTRACE_DEBUG: With 1, an error shows where it came from.
"""
_COLOUR_ENVIRONMENT = (
    _SHARED_ENVIRONMENT
    + """NO_COLOR: Set and not empty: no colour, unless --color always says so.
TERM: dumb: no colour.
"""
)
_FILTER_STATUS = """
0: All is fine; also for empty input.
1: Damage was found{negative}.
2: Wrong usage, or an input can't be read (the others still go through).
130: Ended by Ctrl-C.
A reader that goes away ends the command as it ends cat: by SIGPIPE.
"""


def _sections(examples: str, status: str, environment: str, files: str = _FOLDER) -> tuple:
    titles = ("EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "FILES")
    texts = (examples, status, environment, files)
    return tuple((title, _roff(text)) for title, text in zip(titles, texts))


SYNOPSES = {
    "": r"\fBagenttrace\fR [\fB\-\-version\fR] [\fB\-\-help\fR] \fICOMMAND\fR [\fIARG\fR]...",
    "record": r"\fBagenttrace record\fR [\fB\-o\fR \fIFILE\fR] [\fIOPTIONS\fR] \fB\-\-\fR "
    r"\fICMD\fR [\fIARG\fR]...",
    "cat": r"\fBagenttrace cat\fR [\fIOPTIONS\fR] [\fIFILE\fR]...",
    "verify": r"\fBagenttrace verify\fR [\fIOPTIONS\fR] [\fIFILE\fR|\fIDIR\fR]...",
    "filter": r"\fBagenttrace filter\fR [\fIOPTIONS\fR] [\fIEXPR\fR] [\fIFILE\fR]...",
    "replay": r"\fBagenttrace replay\fR [\fIOPTIONS\fR] \fITRACE\fR [\fB\-\-\fR \fICMD\fR "
    r"[\fIARG\fR]...]",
    "tui": r"\fBagenttrace tui\fR [\fIFILE\fR|\fIDIR\fR|\fB\-\fR]...",
}

SECTIONS = {
    "": _sections(
        """
Record a run, look at it, and check that its file is whole:

    agenttrace record -o run.jsonl -- python agent.py
    agenttrace cat --to text run.jsonl
    agenttrace verify run.jsonl

Traces are JSON Lines: other tools read them too.

    agenttrace cat @last | jq -r .kind | sort | uniq -c
""",
        """
0: All is fine.
1: A negative finding: damage, or with filter -e nothing matched.
2: Wrong usage, or an input can't be read.
123: replay: CMD diverged from the recording.
125: record, replay: AgentTrace failed before CMD had started.
126: record: CMD can't be executed.
127: record: CMD was not found.
130: Ended by Ctrl-C.
record ends as CMD ended: with its status, or by the same signal.
""",
        _COLOUR_ENVIRONMENT,
    ),
    "record": _sections(
        """
Record into a file, with a name:

    agenttrace record -o run.jsonl --name nightly -- python agent.py --fast

Into the trace folder; then read it:

    agenttrace record -- python agent.py
    agenttrace cat --to text @last

Also what curl, git or Go programs ask of any server:

    agenttrace record --proxy -- ./build-agent

Live, as a filter; what CMD prints goes to standard error:

    agenttrace record -o - -- python agent.py | agenttrace filter --errors
""",
        """
125: AgentTrace failed before CMD had started.
126: CMD can't be executed.
127: CMD was not found.
2: Wrong usage.
Else record ends as CMD ended: with its status, or by the same signal.
""",
        _SHARED_ENVIRONMENT,
    ),
    "cat": _sections(
        """
Join, decompress, look:

    agenttrace cat monday.jsonl.zst tuesday.jsonl | jq -r .kind
    agenttrace cat --to text @last

Compare two runs:

    diff <(agenttrace cat --to text --stable @2) <(agenttrace cat --to text --stable @last)

Follow a run that goes on:

    agenttrace cat -f --to text @last

Edit a trace. An edit drops the seal; --seal makes a new trace of the lines:

    jq -c 'del(.crc32c) | .data.text = "hello"' run.jsonl | agenttrace cat --seal -o new.jsonl

Save what can be saved:

    agenttrace cat --salvage -o saved.jsonl damaged.jsonl

In a compressed trace whole lines alone are saved; unpack it first (zstd -dc) for what is inside \
damaged ones.
""",
        _FILTER_STATUS.format(negative=" (and left out)"),
        _COLOUR_ENVIRONMENT,
    ),
    "verify": _sections(
        """
One file, a folder, a pipe:

    agenttrace verify run.jsonl && echo whole
    agenttrace verify --format text traces/
    agenttrace filter --errors run.jsonl | agenttrace verify --partial

Only the files that are not whole:

    agenttrace verify traces/ | jq -r 'select(.status != "intact").file'
""",
        """
0: All are intact.
1: At least one is incomplete, corrupt, or of a later version.
2: Wrong usage, or an input can't be read (the others are judged).
130: Ended by Ctrl-C.
""",
        _COLOUR_ENVIRONMENT,
    ),
    "filter": _sections(
        """
By kind, by error, by time:

    agenttrace filter -k llm_request,llm_response run.jsonl
    agenttrace filter --errors --since 2h @last

With a jq expression; it needs no select():

    agenttrace filter '.kind=="llm_response" and .data.usage.output_tokens>500' run.jsonl

Options and an expression: all must hold:

    agenttrace filter -k tool_call -x '.data.name=="forecast"' run.jsonl

As a test in a script:

    agenttrace filter -e --errors run.jsonl >errors.jsonl && echo there were errors

An expression sees one event, without environment, for ten seconds at most; input, debug, halt, \
import and include are refused.
""",
        _FILTER_STATUS.format(negative=", or with -e nothing passed")
        + "2 also where an expression failed on an event: that event does not match.\n",
        _SHARED_ENVIRONMENT,
    ),
    "replay": _sections(
        """
Run an agent against what was recorded, and see where it goes another way:

    agenttrace replay run.jsonl -- python agent.py

As a test:

    agenttrace replay --check run.jsonl -- python agent.py

The events themselves, twice as fast as they came, with no pause over a second:

    agenttrace replay --speed 2 --max-idle 1 run.jsonl
""",
        """
123: CMD diverged, or ended otherwise than recorded.
125: The trace can't be used.
2: Wrong usage.
With --check 0 is the same, whatever CMD's own status; else replay ends as CMD did.
""",
        _SHARED_ENVIRONMENT,
    ),
    "tui": _sections(
        """
    agenttrace tui
    agenttrace tui @last
    agenttrace filter --errors run.jsonl | agenttrace tui
""",
        """
0: All is fine.
2: Wrong usage, or an input can't be read.
""",
        _COLOUR_ENVIRONMENT,
    ),
}
