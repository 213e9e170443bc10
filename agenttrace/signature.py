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
import hashlib
import json
import os
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
    content = _contents(path).get(trace_id)
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
        os.write(fd, json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n")
    finally:
        os.close(fd)
    return path + SUFFIX


def forget(path: str) -> None:
    """Removes FILE.sig, for a FILE that is replaced."""
    try:
        os.unlink(path + SUFFIX)
    except FileNotFoundError:
        return


class Verdict(NamedTuple):
    """On one trace. problem: None if its signature is good; else what is wrong, `no_signature` or `bad_signature`."""

    trace_id: str
    problem: str | None
    message: str


def check(path: str, public_key: str) -> list[Verdict]:
    """On each trace of the file, and each that FILE.sig signs. OSError."""
    signed = _signatures(path + SUFFIX)
    found = _contents(path)
    absent = {str(line.get("trace_id")) for line in signed} - set(found)
    return [
        _verdict(
            trace_id,
            found.get(trace_id),
            [line for line in signed if line.get("trace_id") == trace_id],
            public_key,
        )
        for trace_id in [*found, *sorted(absent)]
    ]


def _verdict(
    trace_id: str, found: Content | None, signed: list[dict[str, Any]], public_key: str
) -> Verdict:
    if not signed:
        return Verdict(trace_id, "no_signature", "the trace is not signed")
    good = [line for line in signed if _is_by(line, public_key)]
    if not good:
        return Verdict(trace_id, "bad_signature", "the trace was not signed with this key")
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


def _contents(path: str) -> dict[str, Content]:
    """Of each trace in a file: its good lines, summed up."""
    sums: dict[bytes, _Sum] = {}
    scanner = _backend.Scanner(judge="lines")
    with open(path, "rb", buffering=0) as file:
        while True:
            chunk = file.read(_CHUNK_BYTES)
            lines = scanner.feed(chunk) if chunk else scanner.finish()
            for trace_id, part, count in _by_trace(lines):
                sums.setdefault(trace_id, _Sum()).add(part, count)
            if not chunk:
                break
    return {
        (name := trace_id.decode("ascii")): Content(
            name, one.events, one.size, one.digest.hexdigest()
        )
        for trace_id, one in sums.items()
    }


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


def _signatures(path: str) -> list[dict[str, Any]]:
    try:
        with open(path, "rb") as file:
            found = []
            while line := file.readline(_MAX_LINE_BYTES):
                try:
                    value = json.loads(line)
                except (
                    ValueError
                ):  # no signature: what it was meant to sign is unsigned, which is told
                    continue
                if isinstance(value, dict):
                    found.append(value)
            return found
    except FileNotFoundError:
        return []


def _signed_content(line: dict[str, Any]) -> Content:
    return Content(*(line.get(name) for name in _MEMBERS))  # type: ignore[arg-type]


def _is_by(line: dict[str, Any], public_key: str) -> bool:
    try:
        signature = base64.b64decode(line.get("signature", ""), validate=True)
        message = _signed_content(line).message()
    except (TypeError, binascii.Error, UnicodeEncodeError):
        return False
    return _backend.ed25519_is_signed(public_key, message, signature)
