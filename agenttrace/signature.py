"""Signatures of traces: who holds the key says that a trace is this one. Beside FILE, in FILE.sig.

Checksums find accidents; whoever can write a file can seal it again. A signature can't be made again without the key.
It says that the holder of the key had this trace when the recording ended, and nothing of whether the agent told the
truth.

FILE.sig is JSON Lines, one line for each signed trace: trace_id, events (lines), bytes, sha256 (of these lines as they
stand, unpacked; for a file with one trace the same as `sha256sum FILE`), public_key and signature (Ed25519, base64).
"""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from agenttrace import _backend
from agenttrace.errors import AgentTraceError

SUFFIX = ".sig"
_MEMBERS = ("trace_id", "events", "bytes", "sha256")
_CHUNK_BYTES = 1 << 20
_MAX_KEY_BYTES = 1 << 16
_MAX_LINE_BYTES = 1 << 12
_MAX_FILE_BYTES = 1 << 24  # FILE.sig comes from strangers too
_TRACE_ID = re.compile("[0-9a-f]{32}")
_FRAME = b'{"v":1,"trace_id":"'  # how each good line begins


class Content(NamedTuple):
    """What is signed of a trace. size: in bytes."""

    trace_id: str
    events: int
    size: int
    sha256: str

    def message(self) -> bytes:
        """The bytes that the signature is of."""
        values = "\n".join(map(str, self))
        return f"agenttrace signature 1\n{values}\n".encode("ascii")


def read_private_key(path: str) -> str:
    """A private key's PEM. OSError; AgentTraceError if one can't sign with it."""
    return _read_key(path, lambda pem: _backend.ed25519_sign(pem, b""))


def read_public_key(path: str) -> str:
    """A public key's PEM. OSError; AgentTraceError if one can't check with it."""
    return _read_key(path, lambda pem: _backend.ed25519_is_signed(pem, b"", b""))


def _read_key(path: str, use: Callable[[str], object]) -> str:
    with open(path, "rb") as file:
        pem = file.read(_MAX_KEY_BYTES).decode("ascii", "replace")
    try:
        use(pem)
    except ValueError as error:
        raise AgentTraceError(f"{path}: {error}") from None
    return pem


def sign(path: str, trace_id: str, private_key: str) -> str:
    """Signs one trace of a file; adds a line to FILE.sig, whose path it returns. OSError, AgentTraceError."""
    content = _contents_of(path).by_trace().get(trace_id)
    if content is None:
        raise AgentTraceError(f"{path}: nothing to sign: it does not hold the trace {trace_id}")
    public_key, signature = _backend.ed25519_sign(private_key, content.message())
    line = {
        **dict(zip(_MEMBERS, content)),
        "public_key": base64.b64encode(public_key).decode("ascii"),
        "signature": base64.b64encode(signature).decode("ascii"),
    }
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path + SUFFIX, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise AgentTraceError(f"{path + SUFFIX}: not a file")
        _append(fd, json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n")
    finally:
        os.close(fd)
    return path + SUFFIX


def _append(fd: int, line: bytes) -> None:
    """All of it or nothing: behind a half no further line could be read. OSError."""
    before = os.fstat(fd).st_size
    if os.write(fd, line) < len(line):
        os.ftruncate(fd, before)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def forget(path: str) -> None:
    """Removes FILE.sig, for a FILE that is replaced."""
    try:
        os.unlink(path + SUFFIX)
    except FileNotFoundError:
        return


class Verdict(NamedTuple):
    """On one trace. trace_id: None in FILE.sig where a trace id should stand.
    problem: None if the signature is good; else `no_signature` or `bad_signature`, and message says why."""

    trace_id: str | None
    problem: str | None
    message: str


class Contents:
    """Sums up each trace of a stream, from its good lines as a Scanner hands them on."""

    def __init__(self) -> None:
        self._sums: dict[bytes, _Sum] = {}

    def add(self, lines: bytes) -> None:
        """The next good lines, whole ones."""
        for trace_id, part, count in _by_trace(lines):
            self._sums.setdefault(trace_id, _Sum()).add(part, count)

    def by_trace(self) -> dict[str, Content]:
        """What a signature of each trace would be of, by trace id."""
        return {
            (name := trace_id.decode("ascii")): Content(
                name, one.events, one.size, one.digest.hexdigest()
            )
            for trace_id, one in self._sums.items()
        }


def check(path: str, contents: Contents, public_key: str) -> list[Verdict]:
    """On each trace that was read of the file `path`, and each that FILE.sig signs. OSError, AgentTraceError."""
    signed = _signatures(path + SUFFIX)
    found = contents.by_trace()
    absent = sorted(set(signed) - set(found), key=str)
    return [
        _verdict(trace_id, found.get(str(trace_id)), signed.get(trace_id, []), public_key)
        for trace_id in [*found, *absent]
    ]


def _verdict(
    trace_id: str | None, found: Content | None, signed: list[dict[str, Any]], public_key: str
) -> Verdict:
    if not signed:
        return Verdict(trace_id, "no_signature", "the trace is not signed")
    good = [line for line in signed if _is_by(line, public_key)]
    if not good:
        return Verdict(trace_id, "bad_signature", "the trace was not signed with this key")
    if found is None:
        return Verdict(trace_id, "bad_signature", "the trace was signed, and is not in the file")
    if not any(_signed_content(line) == found for line in good):
        return Verdict(trace_id, "bad_signature", "the lines are not those that were signed")
    return Verdict(trace_id, None, "")


class _Sum:
    """Adds up the lines of one trace."""

    def __init__(self) -> None:
        self.events = 0
        self.size = 0
        self.digest = hashlib.sha256()

    def add(self, lines: bytes, count: int) -> None:
        self.events += count
        self.size += len(lines)
        self.digest.update(lines)


def _contents_of(path: str) -> Contents:
    """Of each trace in a file."""
    contents = Contents()
    scanner = _backend.Scanner(judge="lines")
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            contents.add(scanner.feed(chunk))
    contents.add(scanner.finish())
    return contents


def _by_trace(lines: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Good lines as (trace id, lines, how many): as they come, of one trace together where all are."""
    if not lines:
        return
    count = lines.count(b"\n")
    head = lines[: len(_FRAME) + 32]
    # No line holds an LF, so that only the beginning of a line can look like one.
    if lines.count(b"\n" + head) == count - 1:
        yield head[len(_FRAME) :], lines, count
        return
    for line in lines.split(b"\n")[:-1]:
        yield line[len(_FRAME) : len(_FRAME) + 32], line + b"\n", 1


def _signatures(path: str) -> dict[str | None, list[dict[str, Any]]]:
    """The lines of FILE.sig by their trace id; empty if there is no such file.

    What can't be read as a signature signs nothing: then the trace is unsigned, which is told.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return {}
    if len(raw) > _MAX_FILE_BYTES:
        raise AgentTraceError(f"{path}: longer than {_MAX_FILE_BYTES >> 20} MiB")
    found: dict[str | None, list[dict[str, Any]]] = {}
    for line in raw.splitlines():
        try:
            value = json.loads(line) if len(line) <= _MAX_LINE_BYTES else None
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            trace_id = value.get("trace_id")
            is_one = isinstance(trace_id, str) and _TRACE_ID.fullmatch(trace_id)
            found.setdefault(trace_id if is_one else None, []).append(value)
    return found


def _signed_content(line: dict[str, Any]) -> Content:
    return Content(*(line.get(name) for name in _MEMBERS))  # type: ignore[arg-type]


def _is_by(line: dict[str, Any], public_key: str) -> bool:
    try:
        signature = base64.b64decode(line.get("signature", ""), validate=True)
        message = _signed_content(line).message()
    except (TypeError, binascii.Error, UnicodeEncodeError):
        return False
    return _backend.ed25519_is_signed(public_key, message, signature)
