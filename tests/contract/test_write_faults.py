"""A writer whose file refuses, at every place where it can; and two writers on one file."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from agenttrace._pure import output
from tests.contract.conftest import MODULES
from tests.contract.making import OTHER, TRACE, judged, passed

SWEEP = """
import importlib, os, resource, signal, sys
backend, path, flush = importlib.import_module(sys.argv[1]), sys.argv[2], sys.argv[3]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
begin, end, step = map(int, sys.argv[4:])
for limit in range(begin, end, step):
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_TRUNC | os.O_APPEND)
    writer = backend.Writer(fd, "4bf92f3577b34da6a3ce929d0e0e4736", flush=flush)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    failed = 0
    for number in range(4):
        try:
            writer.write("log" if writer.events else "trace_start", b'{"number":%d}' % number, ts_ns=1)
            writer.flush()
        except OSError:
            failed += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    if not writer.events:
        writer.write("trace_start", b"{}", ts_ns=1)
    writer.end(b"{}", ts_ns=1)
    scanner = backend.Scanner(judge="trace")
    scanner.judge_only(os.pread(fd, 1 << 20, 0))
    scanner.finish()
    os.close(fd)
    status, _, events, *_ = scanner.report()
    # Whole lines up to the limit were taken, and only those that were refused are missing.
    assert (status, events) == ("intact", writer.events), (limit, scanner.take_findings())
    print(limit, failed, events)
"""


@pytest.mark.parametrize("flush", ["event", "batch", "sync"])
def test_a_disk_that_is_full_at_any_byte_leaves_whole_lines(
    backend: ModuleType, tmp_path: Path, flush: str
) -> None:
    """Short writes and EFBIG of the system itself, at each size that the file may have."""
    arguments = [sys.executable, "-c", SWEEP, MODULES[backend.BACKEND], str(tmp_path / "t"), flush]
    arguments += ["0", "800", "1" if flush == "event" else "7"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    rows = [tuple(map(int, row.split())) for row in done.stdout.splitlines()]
    assert {failed for _, failed, _ in rows} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT])
@pytest.mark.parametrize("part", [0, 1, 60])
def test_each_refused_call_of_the_pure_writer_costs_its_event_alone(
    pure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, part: int
) -> None:
    """The n-th write takes a part, the next one nothing: the event is refused, and not a byte of it stays.

    (The core's writer: tests/writer_failures.rs. EINTR is Python's own to try again.)
    """
    write = os.write
    for refused in range(6):
        calls = 0

        def faulty(fd: int, data: bytes, refused: int = refused) -> int:
            nonlocal calls
            calls += 1
            if calls == refused + 1 and part:
                return write(fd, bytes(data)[:part])
            if calls == refused + (2 if part else 1):
                raise OSError(number, os.strerror(number))
            return write(fd, data)

        path = tmp_path / str(refused)
        fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        writer = pure.Writer(fd, TRACE)
        found: list[int | None] = []
        with monkeypatch.context() as patched:
            patched.setattr(output.os, "write", faulty)
            for kind in ["trace_start", "log", "log", "log", "log"]:
                try:
                    writer.write(kind if writer.events else "trace_start", b'{"a":"b"}')
                except OSError as error:
                    found.append(error.errno)
        writer.end(b"{}")
        os.close(fd)
        assert found == ([number] if refused < 5 else [])
        assert judged(pure, path.read_bytes()) == ("intact", [])
        assert path.read_bytes().count(b"\n") == 6 - len(found)


TMPFS = """
mount -t tmpfs -o size=64k none "$1" && cd "$1" && exec "$2" -c '
import importlib, os, sys
backend = importlib.import_module(sys.argv[1])
fd = os.open("t.jsonl", os.O_CREAT | os.O_RDWR | os.O_APPEND)
writer, refused = backend.Writer(fd, "4bf92f3577b34da6a3ce929d0e0e4736"), 0
writer.write("trace_start", b"{}")
open("ballast", "wb").write(bytes(16384))
for number in range(200):
    try:
        writer.write("log", b"{\\"text\\":\\"%s\\"}" % (b"x" * 997))
    except OSError as error:
        assert error.errno == 28, error
        refused += 1
        if refused == 10:
            os.unlink("ballast")
writer.end(b"{}")
scanner = backend.Scanner(judge="trace")
scanner.judge_only(os.pread(fd, 1 << 20, 0))
scanner.finish()
print(refused, writer.events, *scanner.report()[:3])
' "$3"
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="namespaces are Linux's")
def test_a_file_system_that_is_full_and_has_room_again(backend: ModuleType, tmp_path: Path) -> None:
    """A real one: events are refused while it is full, the others are all there."""
    module = MODULES[backend.BACKEND]
    command = ["unshare", "-rm", "sh", "-c", TMPFS, "sh", str(tmp_path), sys.executable, module]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=30, env=environment
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no file system of one's own here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    refused, events, status, traces, found = done.stdout.split()
    assert int(refused) > 10
    assert (status, traces, found) == ("intact", "1", events)


APPENDER = """
import importlib, os, sys
fd = os.open(sys.argv[2], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
writer = importlib.import_module(sys.argv[1]).Writer(fd, sys.argv[3])
print(flush=True)
sys.stdin.read(1)
writer.write("trace_start", b"{}")
for number in range(400):
    writer.write("log", b'{"text":"%s"}' % (b"x" * (number * 53 % 20000)))
writer.end(b"{}")
"""


def test_two_appenders_tear_no_line(backend: ModuleType, tmp_path: Path) -> None:
    """Whoever goes around the lock still writes whole lines: two traces, interleaved, each intact."""
    path, module = tmp_path / "t.jsonl", MODULES[backend.BACKEND]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDER, module, str(path), trace],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for trace in (TRACE, OTHER)
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
    for process in both:
        process.communicate(b"x", timeout=30)
        assert process.returncode == 0
    stream = path.read_bytes()
    assert judged(backend, stream) == ("intact", [])
    assert passed(backend, stream) == stream
    assert stream.count(b"\n") == 2 * 402
