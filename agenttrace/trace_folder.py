"""Where traces live and how their files are opened: the trace folder, `@last`, new files and appending ones."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import time
from pathlib import Path
from typing import NamedTuple

from agenttrace.errors import AgentTraceError

_NTH = re.compile(r"@(last|[1-9][0-9]*)\Z")
SUFFIXES = (".jsonl", ".jsonl.zst")


def trace_folder() -> Path:
    """`$AGENTTRACE_DIR`, else `$XDG_STATE_HOME/agenttrace/traces`, else `~/.local/state/agenttrace/traces`."""
    own = os.environ.get("AGENTTRACE_DIR")
    if own:
        return Path(own)
    state = os.environ.get("XDG_STATE_HOME")
    base = Path(state) if state else Path.home() / ".local" / "state"
    return base / "agenttrace" / "traces"


def made_trace_folder() -> Path:
    """The trace folder, made (0700) if it is missing; refused if another user owns or may write it."""
    folder = trace_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode):
        raise AgentTraceError(f"{folder}: the trace folder is not a folder")
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise AgentTraceError(
            f"{folder}: the trace folder must be yours and closed to others' writing (chmod 700)"
        )
    return folder


def new_trace_path(suffix: str = ".jsonl") -> Path:
    """A path for a new trace in the trace folder: its start time, then chance. No name given by anyone forms it."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return made_trace_folder() / f"{stamp}-{os.urandom(4).hex()}{suffix}"


def recent_traces(folder: Path | None = None) -> list[Path]:
    """Regular files of ours in the trace folder, newest start first. The name holds the start time."""
    folder = trace_folder() if folder is None else folder
    found = []
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    for entry in entries:
        if entry.name.endswith(SUFFIXES) and entry.is_file(follow_symlinks=False):
            status = entry.stat(follow_symlinks=False)
            if status.st_uid == os.geteuid():
                found.append(((entry.name[:16], status.st_ctime_ns), Path(entry.path)))
    return [path for _, path in sorted(found, reverse=True)]


def resolve(name: str) -> str:
    """`@last`, `@1`, `@2`, … to the path of that trace; any other name as it is."""
    nth = _NTH.match(name)
    if nth is None:
        return name
    n = 1 if nth[1] == "last" else int(nth[1])
    traces = recent_traces()
    if n > len(traces):
        there = "is 1 trace" if len(traces) == 1 else f"are {len(traces) or 'no'} traces"
        raise AgentTraceError(f"{name}: there {there} in {trace_folder()}; record one first")
    return str(traces[n - 1])


class OpenedTrace(NamedTuple):
    """A descriptor to write a trace to; `is_torn`: what stands there has no LF at its end.

    A packed file (.zst) is never torn in this sense: its frames close themselves.
    """

    fd: int
    is_torn: bool


def open_for_writing(path: str | os.PathLike[str], *, if_exists: str = "refuse") -> OpenedTrace:
    """Opens a trace file to write: 0600, never through a link, locked against a second writer.

    if_exists: "refuse" (FileExistsError), "append" (a new trace behind what is there) or "replace".
    AgentTraceError if another writer holds it, it is no regular file, nothing can pack here what is
    to be packed (.zst), or a trace would be added in another form than what stands there.
    """
    if os.fspath(path).endswith(".zst"):
        # Said before there is a file that nothing will ever be written to.
        from agenttrace._backend import ZstdUnpacker

        ZstdUnpacker()
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    if if_exists == "refuse":
        flags |= os.O_EXCL
    try:
        fd = above_standard(os.open(path, flags, 0o600))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise AgentTraceError(
                f"{path}: is a symbolic link; a trace is not written through one"
            ) from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise AgentTraceError(f"{path}: is not a regular file; use `-o -` to write to a stream")
        _lock(fd, path)
        if if_exists == "replace":
            os.ftruncate(fd, 0)
        return OpenedTrace(fd, _is_torn(fd, path))
    except BaseException:
        os.close(fd)
        raise


def above_standard(fd: int) -> int:
    """The descriptor, moved out of 0 to 2: where one of those was closed, what is written there later is another's."""
    if fd > 2:
        return fd
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(fd)
    return moved


def _lock(fd: int, path: str | os.PathLike[str]) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise AgentTraceError(
                f"{path}: another writer has this trace open; choose another file"
            ) from None
        if error.errno not in (errno.ENOTSUP, errno.ENOLCK, errno.EINVAL):
            raise


def _is_torn(fd: int, path: str | os.PathLike[str]) -> bool:
    size = os.fstat(fd).st_size
    if size == 0:
        return False
    is_packed = is_zst(os.pread(fd, 4, 0))
    if is_packed != os.fspath(path).endswith(".zst"):
        held = "a packed trace (zstd)" if is_packed else "a trace that is not packed"
        raise AgentTraceError(f"{path}: holds {held}, against its name; choose another file")
    return not is_packed and os.pread(fd, 1, size - 1) != b"\n"


def is_zst(start: bytes) -> bool:
    """Whether a file that begins with these four bytes is a zstd stream (skippable frames count)."""
    return start == b"\x28\xb5\x2f\xfd" or (start[1:] == b"\x2a\x4d\x18" and start[0] >> 4 == 5)
