"""Tracer: the files that it writes."""

from __future__ import annotations

import gc
import os
import pathlib
import stat
import subprocess
import sys

import pytest

from agenttrace import (
    AgentTraceError,
    Tracer,
    TraceReader,
    _backend,
)
from tests.library.reading import kinds, of_kind, report, run


def test_a_trace_file_is_closed_to_others(path: pathlib.Path) -> None:
    """Traces hold prompts: 0600."""
    with Tracer(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_path_gets_a_new_trace_behind_what_is_there(path: pathlib.Path) -> None:
    """Two runs, two traces, each whole."""
    for _ in range(2):
        with Tracer(path) as tracer:
            tracer.log("x")
    assert report(path)["traces"] == 2
    assert report(path)["status"] == "intact"


def test_a_torn_tail_does_not_weld_to_the_next_trace(path: pathlib.Path) -> None:
    """LF first: the torn line is damage, the new trace is whole."""
    with Tracer(path) as tracer:
        tracer.log("x")
    path.write_bytes(path.read_bytes()[:-30])
    with Tracer(path) as tracer:
        tracer.log("y")
    found = report(path)
    assert [finding.kind for finding in found["findings"]] == ["malformed", "no_end"]
    assert kinds(path)[-3:] == ["trace_start", "log", "trace_end"]


def test_a_second_writer_is_refused(path: pathlib.Path) -> None:
    """A path that another writer holds is a clear error, and free once that one has closed."""
    with Tracer(path), pytest.raises(AgentTraceError, match="another writer"):
        Tracer(path)
    Tracer(path).close()
    assert report(path)["status"] == "intact"


def test_a_packed_trace_reads_the_same(tmp_path: pathlib.Path) -> None:
    """A name that ends in .zst packs; a second run adds to it."""
    if _backend.BACKEND == "pure":
        pytest.importorskip("zstandard")
    path = tmp_path / "run.jsonl.zst"
    for _ in range(2):
        with Tracer(path) as tracer:
            tracer.log("x" * 1000)
    assert path.read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
    assert report(path)["status"] == "intact"
    assert kinds(path) == ["trace_start", "log", "trace_end"] * 2


@pytest.mark.parametrize("names", [("a.jsonl", "a.jsonl.zst"), ("a.jsonl.zst", "a.jsonl")])
def test_a_trace_is_not_added_in_another_form(
    tmp_path: pathlib.Path, names: tuple[str, str]
) -> None:
    """Packed lines behind plain ones, or the other way round, could not be read."""
    if _backend.BACKEND == "pure":
        pytest.importorskip("zstandard")
    Tracer(tmp_path / names[0]).close()
    (tmp_path / names[0]).rename(tmp_path / names[1])
    with pytest.raises(AgentTraceError, match="against its name"):
        Tracer(tmp_path / names[1])


def test_a_link_is_not_written_through(tmp_path: pathlib.Path) -> None:
    """Who can put a link there must not choose the file that is written."""
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(AgentTraceError, match="symbolic link"):
        Tracer(tmp_path / "link.jsonl")
    assert not (tmp_path / "target").exists()


def test_what_the_system_raises_stays_what_it_is(tmp_path: pathlib.Path) -> None:
    """FileNotFoundError is not wrapped."""
    with pytest.raises(FileNotFoundError):
        Tracer(tmp_path / "nowhere" / "run.jsonl")
    with pytest.raises(FileNotFoundError):
        TraceReader(tmp_path / "nowhere.jsonl")
    with pytest.raises(IsADirectoryError):
        TraceReader(tmp_path)


def test_without_a_path_the_trace_goes_to_the_trace_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AGENTTRACE_DIR, made 0700 if it is missing."""
    monkeypatch.delenv("AGENTTRACE_SOCKET", raising=False)
    monkeypatch.setenv("AGENTTRACE_DIR", str(tmp_path / "traces"))
    with Tracer(name="../../escape") as tracer:
        pass
    assert tracer.path is not None
    assert pathlib.Path(tracer.path).parent == tmp_path / "traces"
    assert stat.S_IMODE((tmp_path / "traces").stat().st_mode) == 0o700
    assert report(tracer.path)["status"] == "intact"


def test_batches_reach_the_file_at_the_latest_when_it_is_closed(path: pathlib.Path) -> None:
    """flush="batch" gathers; nothing is lost at the end."""
    with Tracer(path, flush="batch") as tracer:
        for number in range(1000):
            tracer.log(str(number))
    assert report(path)["status"] == "intact"
    assert len(of_kind(path, "log")) == 1000


def test_each_event_is_in_the_file_at_once(path: pathlib.Path) -> None:
    """flush="event", the default, and "sync": what was written survives a kill."""
    for flush in ("event", "sync"):
        code = """
            import os, sys
            from agenttrace import Tracer
            tracer = Tracer(sys.argv[1], flush=sys.argv[2])
            tracer.log("there")
            os.kill(os.getpid(), 9)
        """
        assert run(code, f"{path}.{flush}", flush).returncode == -9
        assert kinds(f"{path}.{flush}") == ["trace_start", "log"]
        assert report(f"{path}.{flush}")["status"] == "incomplete"


def test_an_unknown_flush_leaves_nothing_behind(path: pathlib.Path) -> None:
    """A wrong argument is told before the file is touched."""
    with pytest.raises(ValueError, match="flush"):
        Tracer(path, flush="sometimes")
    assert not path.exists()


def test_a_full_disk_loses_events_and_says_so(path: pathlib.Path) -> None:
    """The program goes on and is told once; the file stays whole, gaps say what is missing."""
    code = """
        import resource, signal, sys
        from agenttrace import Tracer
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        tracer = Tracer(sys.argv[1])
        tracer.log("small")
        tracer.log("x" * 10000)
        tracer.log("y" * 10000)
        tracer.log("small again")
        tracer.close()
    """
    ended = run(code, path)
    assert ended.returncode == 0
    assert ended.stderr.count("losing events") == 1
    assert [kind for kind in kinds(path) if kind != "gap"] == [
        "trace_start", "log", "log", "trace_end",
    ]  # fmt: skip
    assert sum(gap.data["events"] for gap in of_kind(path, "gap")) == 2
    assert report(path)["status"] == "intact"


def test_secrets_of_the_environment_stay_out(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The value of a variable whose name looks secret becomes a placeholder; redact=False keeps it."""
    monkeypatch.setenv("WEATHER_API_KEY", "not-a-real-key-0123")
    for redact in (True, False):
        with Tracer(path, redact=redact) as tracer:
            tracer.log("the key is not-a-real-key-0123")
    redacted, plain = of_kind(path, "log")
    assert redacted.data["message"] == "the key is [redacted:WEATHER_API_KEY]"
    assert plain.data["message"] == "the key is not-a-real-key-0123"
    assert of_kind(path, "trace_end")[0].data["totals"]["redactions"] >= 1


def test_a_trace_that_could_not_begin_begins_when_there_is_room(path: pathlib.Path) -> None:
    """Its first line is trace_start all the same, and a gap tells what was lost until then."""
    code = """
        import resource, signal, sys
        from agenttrace import Tracer
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        tracer = Tracer(sys.argv[1])
        tracer.log("lost")
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        tracer.log("there")
        tracer.close()
    """
    ended = run(code, path)
    assert (ended.returncode, ended.stderr.count("losing events")) == (0, 1)
    assert kinds(path) == ["trace_start", "gap", "log", "trace_end"]
    assert of_kind(path, "gap")[0].data["events"] == 1
    assert report(path)["status"] == "intact"


@pytest.mark.parametrize("flush", ["event", "batch"])
def test_a_tracer_that_is_dropped_lets_go_of_its_file(path: pathlib.Path, flush: str) -> None:
    """What it gathered is written; the path is free for the next one. The trace stays without an end."""
    tracer = Tracer(path, flush=flush)
    tracer.log("x")
    del tracer
    gc.collect()
    with Tracer(path):
        pass
    assert kinds(path) == ["trace_start", "log", "trace_start", "trace_end"]


def test_one_expression_to_redact_needs_no_list(path: pathlib.Path) -> None:
    """A string is one expression; it is not taken for a list of its letters."""
    with Tracer(path, redact="friend") as tracer:
        tracer.log("hello friend")
    assert of_kind(path, "log")[0].data["message"] == "hello [redacted:redact-1]"


def test_a_path_may_be_bytes(path: pathlib.Path) -> None:
    """As everywhere in Python."""
    Tracer(os.fsencode(path)).close()
    assert report(path)["status"] == "intact"


def test_what_is_gathered_while_the_program_ends_is_written(path: pathlib.Path) -> None:
    """Also by those that run after our own end, such as a function that was registered before us."""
    code = """
        import atexit, sys
        atexit.register(lambda: tracer.log("late"))
        from agenttrace import Tracer
        tracer = Tracer(sys.argv[1], flush="batch")
        tracer.log("x")
    """
    assert run(code, path).stderr == ""
    assert kinds(path) == ["trace_start", "log", "log"]


def test_where_nothing_can_pack_no_file_is_left(tmp_path: pathlib.Path) -> None:
    """The pure backend packs with Python 3.14 or the package zstandard."""
    if sys.version_info >= (3, 14):
        pytest.skip("Python brings zstd")
    script = (
        "import sys; sys.modules['zstandard'] = None\n"
        "import agenttrace\n"
        "try: agenttrace.Tracer('t.jsonl.zst')\n"
        "except agenttrace.AgentTraceError as error: print(error)"
    )
    environment = {**os.environ, "AGENTTRACE_BACKEND": "pure"}
    said = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    assert "zstd needs" in said.stdout
    assert list(tmp_path.iterdir()) == []
