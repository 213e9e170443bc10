"""Command lines that start a Python: which find the hooks by themselves, and how the others are given them.

A Python that is told to ignore PYTHONPATH or to load no `site` (`-I`, `-E`, `-S`, on its command line or in a script's
first line) would not find the hooks. It gets `runner.py` as its script, in front of what it was to run, and keeps its
own options; the runner loads the hooks and does what Python itself would have done.
"""

import os

from . import environment as environments

RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "runner.py")

_SHEBANG_BYTES = 512
_MAX_WRAPPERS = 4


class Started:
    """What a command line starts, as far as can be seen before.

    file: what the system is to execute. argv: with which arguments; both as they were where nothing had to be
    changed. is_python: whether a Python runs that should tell of itself. unreached: why the hooks can't get into it,
    or None.
    """

    def __init__(self, file, argv, is_python=False, unreached=None):
        self.file = file
        self.argv = argv
        self.is_python = is_python
        self.unreached = unreached


def started(file, argv, environment=None, depth=0):
    """What comes of executing `file` with `argv`, rewritten where the hooks would not get in.

    file: a path; argv: strings, the first is the program's name. environment: of that process, a mapping.
    """
    name = os.path.basename(file)
    if name == "env":
        return _of_env(file, argv, environment or {}, depth)
    interpreter = _interpreter(file)
    is_python = is_python_name(name) or is_python_name(os.path.basename(os.path.realpath(file)))
    if is_python and interpreter is None and _is_executable(file):
        return _of_python(file, argv)
    if interpreter is None or depth == _MAX_WRAPPERS or not _is_executable(file):
        return Started(file, argv)
    program, *option = interpreter
    inner = started(program, [program, *option, file, *argv[1:]], environment, depth + 1)
    # As long as nothing has to be changed the system reads the first line itself.
    if inner.file == program and inner.argv == [program, *option, file, *argv[1:]]:
        return Started(file, argv, inner.is_python, inner.unreached)
    return inner


def is_python_name(name):
    """Whether an executable of this name is a Python: python, python3.12, python3.13t, pypy3."""
    for family in ("python", "pypy"):
        if name.startswith(family):
            return not name[len(family) :].rstrip("tdmw").strip("0123456789.")
    return False


def resolved(name, path):
    """The file that a program's name means; path: the value of PATH, None for this process's own."""
    if os.sep in name:
        return name
    for folder in (os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep):
        file = os.path.join(folder, name)
        if _is_executable(file):
            return file
    return name


class Options:
    """A Python's arguments, taken apart. letters: of its options without a value. kept: the options themselves.
    run: what it runs and the arguments of that. is_run: whether it runs anything (`--version` doesn't).
    """

    def __init__(self):
        self.letters = set()
        self.kept = []
        self.run = []
        self.is_run = True


def options(arguments):
    """Takes a Python's arguments apart as Python does; None where it would complain."""
    found = Options()
    at = 0
    while at < len(arguments):
        argument = arguments[at]
        if argument == "-" or not argument.startswith("-"):
            break
        at += 1
        if argument == "--":
            found.kept.append(argument)
            break
        if argument == "--check-hash-based-pycs":
            found.kept += arguments[at - 1 : at + 1]
            at += 1
        elif argument.startswith("--"):
            found.is_run = False
            return found
        else:
            is_last = _take_letters(found, argument, arguments, at)
            if is_last is None:
                return None
            if is_last or not found.is_run:
                return found
            if found.kept[-1] is not argument:  # an option's value was an argument of its own
                at += 1
    found.run = arguments[at:]
    return found


def _take_letters(found, argument, arguments, at):
    """One cluster of letters; whether it ends the options, None where it is wrong."""
    for place, letter in enumerate(argument[1:], 1):
        if letter in "cmWX":
            rest = argument[place + 1 :]
            has_own = bool(rest)
            if not has_own and at >= len(arguments):
                return None
            if letter in "WX":
                found.kept += [argument] if has_own else [argument, arguments[at]]
                return False
            if place > 1:
                found.kept.append(argument[:place])
            value = [rest] if has_own else []
            found.run = ["-" + letter, *value, *arguments[at:]]
            return True
        if letter in "hV?":
            found.is_run = False
            return False
        found.letters.add(letter)
    found.kept.append(argument)
    return False


def _of_python(file, argv):
    parts = options(argv[1:])
    if parts is None or not parts.is_run:
        return Started(file, argv)
    if parts.run and _is_runner(parts.run[0]):
        return Started(file, argv, True)
    if is_too_old(file):
        return Started(file, argv, True, "it is older than Python 3.8")
    closed = [letter for letter in "IES" if letter in parts.letters]
    if not closed:
        return Started(file, argv, True)
    told = "started with -" + closed[0]
    if "x" in parts.letters or (parts.kept and parts.kept[-1] == "--"):
        return Started(file, argv, True, told)
    if "i" in parts.letters and not parts.run:
        return Started(file, argv, True, told + ", interactive")
    return Started(file, [argv[0], *parts.kept, RUNNER, *parts.run], True)


def _is_runner(script):
    # Of another release, too: a recording inside a recording.
    return script == RUNNER or script.endswith(os.path.join("agenttrace", "capture", "runner.py"))


def is_too_old(file):
    """Whether its name says that this Python is older than the hooks can serve."""
    for name in (os.path.basename(os.path.realpath(file)), os.path.basename(file)):
        version = name.lstrip("python").split(".")
        if version[0] == "2":
            return True
        if len(version) > 1 and version[0].isdigit() and version[1].rstrip("tdm").isdigit():
            return (int(version[0]), int(version[1].rstrip("tdm"))) < (3, 8)
    return False


def _interpreter(file):
    """The interpreter of a script and its argument, out of its first line; None for what is no script."""
    try:
        with open(file, "rb") as script:
            head = script.read(_SHEBANG_BYTES)
    except (OSError, ValueError):
        return None
    if not head.startswith(b"#!"):
        return None
    line = os.fsdecode(head[2:].split(b"\n", 1)[0]).strip(" \t")
    return line.split(None, 1) or None


def _is_executable(file):
    try:
        return os.path.isfile(file) and os.access(file, os.X_OK)
    except ValueError:
        return False


def _of_env(file, argv, environment, depth):
    """`env` that starts a Python: the environment it makes gets what the hooks need, the command what it needs."""
    parts = _env_parts(argv[1:])
    if parts is None or depth == _MAX_WRAPPERS:
        return Started(file, argv)
    kept, removed, assigned, command = parts
    made = {} if removed is None else {k: v for k, v in environment.items() if k not in removed}
    made.update(pair.split("=", 1) for pair in assigned)
    program = resolved(command[0], made.get("PATH", os.defpath))
    inner = started(program, command, made, depth + 1)
    if not inner.is_python:
        return Started(file, argv)
    lacking = environments.lacking(made, environment) if environments.SOCKET in environment else {}
    more = ["%s=%s" % pair for pair in sorted(lacking.items())]
    if not more and inner.argv == command:
        return Started(file, argv, True, inner.unreached)
    # A script whose first line is read in its place is named by what reads it.
    program = command[0] if inner.file == program else inner.file
    return Started(
        file, [argv[0], *kept, *assigned, *more, program, *inner.argv[1:]], True, inner.unreached
    )


def _env_parts(arguments):
    """`env`'s own options, the names that it removes (None: all), its assignments, the command.
    None where there is no command.
    """
    kept, removed, assigned = [], set(), []
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        argument = arguments[at]
        at += 1
        name, _, value = argument.partition("=")
        if argument in ("-", "-i", "--ignore-environment"):
            removed = None
        elif argument.startswith("-S") or name == "--split-string":
            text = value if name == "--split-string" else argument[2:]
            if not text and at < len(arguments):
                text, at = arguments[at], at + 1
            split = _split(text)
            if split is None:
                return None
            arguments, at = [*split, *arguments[at:]], 0
            continue
        elif argument.startswith("-u") or name == "--unset":
            unset = value if name == "--unset" else argument[2:]
            if not unset and at < len(arguments):
                kept.append(argument)
                argument = unset = arguments[at]
                at += 1
            if removed is not None:
                removed.add(unset)
        elif argument == "--":
            break
        elif argument != "-v":  # one that does more than this can follow
            return None
        kept.append(argument)
    while at < len(arguments) and "=" in arguments[at]:
        assigned.append(arguments[at])
        at += 1
    return (kept, removed, assigned, arguments[at:]) if at < len(arguments) else None


def _split(text):
    import shlex

    if "\\" in text or "$" in text:  # env has rules of its own for these
        return None
    try:
        return shlex.split(text)
    except ValueError:
        return None
