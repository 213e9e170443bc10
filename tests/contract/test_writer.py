"""The writer: its bytes, its refusals, and what it does when the system refuses."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.contract.conftest import MODULES, load
from tests.contract.making import TRACE, TS, event, judged, line, passed, sealed, trace

TS_NS = 1_795_329_600_123_456_789


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is not there yet."""
    return tmp_path / "trace.jsonl"


@pytest.fixture
def fd(path: Path) -> Iterator[int]:
    """That file, open for appending."""
    opened = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    yield opened
    os.close(opened)


def test_a_trace_is_written_as_the_format_has_it(backend: ModuleType, fd: int, path: Path) -> None:
    """Byte for byte what other code made; `seq` is returned."""
    writer = backend.Writer(fd, TRACE)
    assert (writer.trace_id, writer.events, writer.ended) == (TRACE, 0, False)
    lines = trace(3)
    assert writer.write("trace_start", b'{"name":"t"}', ts_ns=TS_NS) == 0
    for seq in (1, 2, 3):
        data = b'{"message":"number %d"}' % seq
        assert writer.write("log", data, ts_ns=TS_NS) == seq
    assert writer.end(b'{"status":"ok"}', ts_ns=TS_NS) == 4
    assert path.read_bytes() == b"".join(lines)
    assert (writer.events, writer.ended) == (5, True)


def test_what_is_not_sure_is_not_written(backend: ModuleType, fd: int, path: Path) -> None:
    """`write_sure` refuses what may hold a null or nest too deep, and counts nothing; all else it writes as `write`."""
    writer = backend.Writer(fd, TRACE)
    span, parent = "00f067aa0ba902b7", "00f067aa0ba902b8"
    assert not writer.write_sure("log", b'{"a":null}', None, None, 100)
    assert not writer.write_sure("log", b'{"a":[[]]}', None, None, 2)
    assert (path.read_bytes(), writer.events) == (b"", 0)
    assert writer.write_sure("log", b'{"a":[[]]}', span, parent, 3)
    written = path.read_bytes()
    frame = f'"seq":0,"kind":"log","span_id":"{span}","parent_span_id":"{parent}","data":'
    assert frame.encode() + b'{"a":[[]]}' in written
    assert backend.open_line(written)[3] == 0
    with pytest.raises(ValueError, match="kind"):
        writer.write_sure("Log", b"{}", None, None, 100)


def test_spans_stand_before_data(backend: ModuleType, fd: int, path: Path) -> None:
    """Both, or one of them."""
    span, parent = "00f067aa0ba902b7", "00f067aa0ba902b8"
    writer = backend.Writer(fd, TRACE)
    writer.write("log", b"{}", span, parent, TS_NS)
    writer.write("log", b"{}", parent_span_id=parent, ts_ns=TS_NS)
    both = f'"span_id":"{span}","parent_span_id":"{parent}",'
    wanted = line(0, more=both) + line(1, more=f'"parent_span_id":"{parent}",')
    assert path.read_bytes() == wanted


def test_an_end_without_data_has_its_promise_alone(
    backend: ModuleType, fd: int, path: Path
) -> None:
    """No comma before the first member."""
    backend.Writer(fd, TRACE).end(b"{}", ts_ns=TS_NS)
    data = b'{"events":0,"chain":"00000000"}'
    assert path.read_bytes() == sealed(event(0, "trace_end", data))


def test_time_is_now_unless_it_is_given(backend: ModuleType, fd: int, path: Path) -> None:
    """The clock's time, not 1970."""
    backend.Writer(fd, TRACE).write("log", b"{}")
    assert backend.open_line(path.read_bytes())[2] > TS[:4]


def test_what_is_no_event_is_refused_and_does_not_count(
    backend: ModuleType, fd: int, path: Path
) -> None:
    """ValueError, nothing written, the number not used."""
    writer = backend.Writer(fd, TRACE, max_line_bytes=1000)
    bad: list[tuple[object, ...]] = [
        ("Log", b"{}"), ("", b"{}"), ("log\n", b"{}"), ("log", b""), ("log", b"[]"), ("log", b"{"),
        ("log", b"{}", "0" * 16), ("log", b"{}", "00F067AA0BA902B7"), ("log", b"{}", None, "1"),
        ("log", b'{"a":"\n"}'), ("log", b'{"a":"' + b"x" * 1000 + b'"}'),
    ]  # fmt: skip
    for arguments in bad:
        with pytest.raises(ValueError, match=r"."):
            writer.write(*arguments)
    assert path.read_bytes() == b""
    assert writer.write("log", b"{}") == 0


@pytest.mark.parametrize("trace_id", ["", "0" * 32, TRACE.upper(), TRACE + "0", TRACE + "\n"])
def test_a_trace_id_has_its_form(backend: ModuleType, fd: int, trace_id: str) -> None:
    """32 lower-case hex digits, not all zero."""
    with pytest.raises(ValueError, match=r"."):
        backend.Writer(fd, trace_id)


def test_unknown_ways_to_flush_are_refused(backend: ModuleType, fd: int) -> None:
    """event, batch or sync."""
    with pytest.raises(ValueError, match=r"."):
        backend.Writer(fd, TRACE, flush="never")


def test_nothing_follows_the_end(backend: ModuleType, fd: int) -> None:
    """Neither an event nor another end."""
    writer = backend.Writer(fd, TRACE)
    writer.end(b"{}")
    with pytest.raises(ValueError, match="ended"):
        writer.write("log", b"{}")
    with pytest.raises(ValueError, match="ended"):
        writer.end(b"{}")


def test_an_end_is_written_by_end_alone(backend: ModuleType, fd: int) -> None:
    """As an event it would lack its promise, and be malformed."""
    writer = backend.Writer(fd, TRACE)
    with pytest.raises(ValueError, match="trace_end"):
        writer.write("trace_end", b"{}")


def test_a_line_of_exactly_the_limit_is_written(backend: ModuleType, fd: int, path: Path) -> None:
    """The LF counts; one byte more is refused; a reader of the same limit takes it."""
    data = b'{"a":"%b"}' % (b"x" * 100)
    limit = len(line(0, data=data))
    writer = backend.Writer(fd, TRACE, max_line_bytes=limit)
    writer.write("log", data, ts_ns=TS_NS)
    with pytest.raises(ValueError, match=r"."):
        writer.write("log", data[:-2] + b'x"}', ts_ns=TS_NS)
    assert passed(backend, path.read_bytes(), max_line_bytes=limit) == path.read_bytes()
    assert passed(backend, path.read_bytes(), max_line_bytes=limit - 1) == b""


def test_a_torn_tail_is_ended_first(backend: ModuleType, fd: int, path: Path) -> None:
    """LF before the first line, in the same write."""
    os.write(fd, b'{"v":1,"torn')
    writer = backend.Writer(fd, TRACE, first_lf=True)
    writer.write("trace_start", b"{}", ts_ns=TS_NS)
    assert path.read_bytes() == b'{"v":1,"torn\n' + line(0, "trace_start")


def test_a_batch_is_written_in_whole_lines(backend: ModuleType, fd: int, path: Path) -> None:
    """At 64 KiB, on flush and at the end; numbers are given at once."""
    writer = backend.Writer(fd, TRACE, flush="batch")
    sizes = set()
    for seq in range(400):
        assert writer.write("log", b'{"a":"%b"}' % (b"x" * 500), ts_ns=TS_NS) == seq
        sizes.add(path.stat().st_size)
        assert path.read_bytes()[-1:] in (b"", b"\n")
    assert 3 <= len(sizes) <= 6
    writer.flush()
    assert path.read_bytes().count(b"\n") == 400
    writer.write("log", b"{}", ts_ns=TS_NS)
    writer.end(b"{}", ts_ns=TS_NS)
    assert judged(backend, path.read_bytes(), judge="partial") == ("intact", [])
    assert path.read_bytes().count(b"\n") == 402


@pytest.mark.parametrize("flush", ["event", "batch", "sync"])
def test_both_backends_write_the_same_bytes(tmp_path: Path, flush: str) -> None:
    """However it is flushed, lines longer than a batch included."""
    written = []
    for name in MODULES:
        target = tmp_path / name
        opened = os.open(target, os.O_CREAT | os.O_WRONLY)
        writer = load(name).Writer(opened, TRACE, flush=flush)
        for size in (0, 10, 70_000, 65_000, 300, 65_536, 1):
            writer.write("log", b'{"a":"%b"}' % (b"x" * size), ts_ns=TS_NS)
        writer.end(b'{"status":"ok"}', ts_ns=TS_NS)
        os.close(opened)
        written.append(target.read_bytes())
    assert written[0] == written[1]


def test_threads_share_a_writer(backend: ModuleType, fd: int, path: Path) -> None:
    """No number twice, no line torn."""
    writer = backend.Writer(fd, TRACE)
    writer.write("trace_start", b"{}")

    def work() -> None:
        for _ in range(100):
            writer.write("log", b"{}")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.end(b"{}")
    assert judged(backend, path.read_bytes()) == ("intact", [])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a device that is full")
@pytest.mark.parametrize("flush", ["event", "sync"])
def test_what_a_full_disk_refuses_does_not_count(backend: ModuleType, flush: str) -> None:
    """OSError with its number; the next write has the same `seq`."""
    full = os.open("/dev/full", os.O_WRONLY)
    writer = backend.Writer(full, TRACE, flush=flush)
    for _ in range(2):
        with pytest.raises(OSError, match=r".") as caught:
            writer.write("log", b"{}")
        assert caught.value.errno == errno.ENOSPC
    os.close(full)
    assert (writer.events, writer.ended) == (0, False)


def test_a_closed_descriptor_is_an_error_of_the_system(backend: ModuleType) -> None:
    """EBADF, as Python has it."""
    writer = backend.Writer(999, TRACE)
    with pytest.raises(OSError, match=r".") as caught:
        writer.write("log", b"{}")
    assert caught.value.errno == errno.EBADF


LIMITED = """
import importlib, os, resource, signal, sys
backend, path, limit, flush, append = sys.argv[1:]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
fd = os.open(path, os.O_CREAT | os.O_WRONLY | (os.O_APPEND if append == "append" else 0))
writer = importlib.import_module(backend).Writer(fd, "4bf92f3577b34da6a3ce929d0e0e4736", flush=flush)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), hard))
writer.write("trace_start", b"{}")
failed = 0
for _ in range(12):
    try:
        writer.write("log", b'{"a":"xxxxxxxxxxxxxxxxxxxxxxxxx"}')
        writer.flush()
    except OSError:
        failed += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
writer.write("log", b"{}")
writer.end(b"{}")
print(failed, writer.events)
"""


@pytest.mark.parametrize("flush", ["event", "batch"])
@pytest.mark.parametrize("open_to", ["append", "write"])
def test_a_short_write_is_cut_back(
    backend: ModuleType, path: Path, flush: str, open_to: str
) -> None:
    """The limit falls into a line: whole lines only, no hole, and the trace goes on intact."""
    module = MODULES[backend.BACKEND]
    arguments = [sys.executable, "-c", LIMITED, module, str(path), "1000", flush, open_to]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=30)
    failed, events = map(int, done.stdout.split())
    assert failed > 3
    assert judged(backend, path.read_bytes()) == ("intact", [])
    assert path.read_bytes().count(b"\n") == events


def test_a_torn_line_in_a_pipe_is_ended_by_the_next(backend: ModuleType) -> None:
    """A pipe can't be cut back: LF comes first next time, and the number is not lost."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    writer = backend.Writer(write_end, TRACE)
    writer.write("trace_start", b"{}", ts_ns=TS_NS)
    with pytest.raises(BlockingIOError):
        writer.write("log", b'{"a":"%b"}' % (b"x" * 200_000), ts_ns=TS_NS)
    held = os.read(read_end, 1 << 20)
    assert writer.write("log", b"{}", ts_ns=TS_NS) == 1
    held += os.read(read_end, 1 << 20)
    os.close(read_end)
    os.close(write_end)
    assert passed(backend, held) == line(0, "trace_start") + line(1)
    assert judged(backend, held)[1][0][0] == "malformed"


def test_a_pipe_without_reader_is_an_error_of_the_system(backend: ModuleType) -> None:
    """BrokenPipeError, as Python has it."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with pytest.raises(BrokenPipeError):
        backend.Writer(write_end, TRACE).write("log", b"{}")
    os.close(write_end)


def test_a_pipe_can_be_synced(backend: ModuleType) -> None:
    """There is no disk behind it, and that is no error."""
    read_end, write_end = os.pipe()
    backend.Writer(write_end, TRACE, flush="sync").write("log", b"{}", ts_ns=TS_NS)
    assert os.read(read_end, 1000) == line(0)
    os.close(read_end)
    os.close(write_end)
