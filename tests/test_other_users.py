"""What another user of the machine may have prepared, or may try, reaches neither traces nor a run's socket."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from agenttrace import trace_folder
from agenttrace.command.socket_folder import is_own_peer, socket_folder
from agenttrace.errors import AgentTraceError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user too")
NOBODY = 65534


@pytest.fixture
def traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trace folder."""
    folder = tmp_path / "traces"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("AGENTTRACE_DIR", str(folder))
    return folder


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_trace_folder_that_others_may_write_is_refused(traces: Path, mode: int) -> None:
    """They could put a file or a link there that is written to."""
    traces.chmod(mode)
    with pytest.raises(AgentTraceError, match="closed to others' writing"):
        trace_folder.new_trace_path()


@needs_root
def test_a_trace_folder_of_another_user_is_refused(traces: Path) -> None:
    """Whatever its mode: its owner could change that."""
    os.chown(traces, NOBODY, NOBODY)
    with pytest.raises(AgentTraceError, match="must be yours"):
        trace_folder.new_trace_path()


def test_a_link_in_the_place_of_the_trace_folder_is_refused(traces: Path) -> None:
    """It leads where somebody else wants."""
    traces.rename(traces.with_name("elsewhere"))
    traces.symlink_to(traces.with_name("elsewhere"))
    with pytest.raises(AgentTraceError, match="not a folder"):
        trace_folder.new_trace_path()


def test_at_n_takes_regular_files_by_their_start(traces: Path) -> None:
    """Links, folders and pipes are passed over, and when a file was touched says nothing."""
    older, newer = (traces / f"2026112{day}T064000Z-00000000.jsonl" for day in (2, 3))
    for path in (newer, older):
        path.touch()
    (traces / "20261124T064000Z-00000000.jsonl").symlink_to(older)
    (traces / "20261125T064000Z-00000000.jsonl").mkdir()
    os.mkfifo(traces / "20261126T064000Z-00000000.jsonl")
    assert [trace_folder.resolve(name) for name in ("@last", "@2")] == [str(newer), str(older)]
    with pytest.raises(AgentTraceError, match="there are 2 traces"):
        trace_folder.resolve("@3")


@needs_root
def test_at_n_takes_no_file_of_another_user(traces: Path) -> None:
    """Nor does the list of the runs."""
    path = traces / "20261122T064000Z-00000000.jsonl"
    path.touch()
    os.chown(path, NOBODY, NOBODY)
    assert trace_folder.recent_traces() == []


def test_the_folder_of_the_socket_is_closed_to_others() -> None:
    """0700, and gone with the run."""
    with socket_folder("hooks") as folder:
        assert stat.S_IMODE(os.stat(folder.folder).st_mode) == 0o700
    assert not os.path.exists(folder.folder)


def test_a_process_of_this_user_is_let_in() -> None:
    """As the system says who is at the other end, not the peer itself."""
    one, other = socket.socketpair()
    with one, other:
        assert is_own_peer(one)


@needs_root
@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="the system doesn't say")
def test_a_process_of_another_user_is_not_let_in() -> None:
    """Even where it got at the socket."""
    with socket_folder("hooks") as folder:
        os.chmod(folder.folder, 0o711)
        os.chmod(folder.path, 0o777)
        pid = os.fork()
        if pid == 0:
            try:
                os.setuid(NOBODY)
                stranger = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                stranger.connect(folder.path)
                stranger.recv(1)
            finally:
                os._exit(0)
        folder.listener.settimeout(10)
        peer, _ = folder.listener.accept()
        with peer:
            assert not is_own_peer(peer)
        os.waitpid(pid, 0)
