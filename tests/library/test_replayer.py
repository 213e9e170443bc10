"""Replayer: answers by hand."""

from __future__ import annotations

import datetime
import pathlib

import pytest

from agenttrace import (
    Divergence,
    Replayer,
    ReplayError,
    Tracer,
    _backend,
)
from tests.library.reading import of_kind


@pytest.fixture
def recorded(path: pathlib.Path) -> pathlib.Path:
    """A run that was traced by hand."""
    with Tracer(path) as tracer:
        tracer.user_input("weather?")
        tracer.user_input("and tomorrow?")
        for text in ("rain", "sun"):
            request = {"model": "m", "messages": [{"role": "user", "content": "weather?"}]}
            with tracer.llm_request(provider="p", model="m", request=request) as call:
                call.response(text=text)
        with tracer.tool_call("forecast", {"city": "Zürich", "on": datetime.date(2026, 1, 2)}) as t:
            t.result({"temp_c": 4})
        with pytest.raises(OSError, match="offline"), tracer.tool_call("search", {"q": "x"}):
            raise OSError("offline")
    return path


def test_a_replayer_answers_by_hand(recorded: pathlib.Path) -> None:
    """Each answer once and in order, by what is asked; the order of keys doesn't matter."""
    replay = Replayer(recorded)
    assert [replay.user_input(), replay.user_input()] == ["weather?", "and tomorrow?"]
    request = {"messages": [{"content": "weather?", "role": "user"}], "model": "m"}
    assert [replay.llm_response(request)["text"] for _ in range(2)] == ["rain", "sun"]
    arguments = {"city": "Zürich", "on": datetime.date(2026, 1, 2)}
    assert replay.tool_result("forecast", arguments) == {"temp_c": 4}
    with pytest.raises(ReplayError, match="offline"):
        replay.tool_result("search", {"q": "x"})
    report = replay.report
    assert report.matched == 6
    assert report.unasked == ()
    assert report.divergence is None


def test_a_replayer_says_what_was_not_asked(recorded: pathlib.Path) -> None:
    """The numbers of the recorded requests that nobody asked."""
    replay = Replayer(recorded)
    requests = [event.seq for event in of_kind(recorded, "llm_request")]
    assert replay.report.unasked == tuple(requests)
    replay.llm_response({"model": "m", "messages": [{"role": "user", "content": "weather?"}]})
    assert replay.report.unasked == tuple(requests[1:])


def test_what_was_not_recorded_diverges(recorded: pathlib.Path) -> None:
    """Divergence names the nearest event and where it differs."""
    replay = Replayer(recorded)
    with pytest.raises(Divergence, match=r"messages\[0\].content") as caught:
        replay.llm_response({"model": "m", "messages": [{"role": "user", "content": "snow?"}]})
    assert caught.value.report is not None
    assert caught.value.report["nearest_seq"] == of_kind(recorded, "llm_request")[0].seq
    with pytest.raises(Divergence):
        replay.tool_result("unknown")
    for _ in range(2):
        replay.user_input()
    with pytest.raises(Divergence):
        replay.user_input()


def test_only_the_first_trace_of_a_file_is_replayed(recorded: pathlib.Path) -> None:
    """A second run behind it does not answer for the first."""
    with Tracer(recorded) as tracer:
        tracer.user_input("of the second run")
    replay = Replayer(recorded)
    assert [replay.user_input(), replay.user_input()] == ["weather?", "and tomorrow?"]
    with pytest.raises(Divergence):
        replay.user_input()


def test_a_file_without_a_trace_can_not_be_replayed(path: pathlib.Path) -> None:
    """ReplayError; a missing file stays what it is."""
    path.write_bytes(b"")
    with pytest.raises(ReplayError):
        Replayer(path)
    with pytest.raises(FileNotFoundError):
        Replayer(path.with_name("nowhere"))


def test_inside_a_replayer_no_connection_leaves(recorded: pathlib.Path) -> None:
    """Sockets are refused and told; afterwards they are as before."""
    import socket

    before = socket.socket.connect
    with (
        Replayer(recorded) as replay,
        socket.socket() as one,
        pytest.raises(ConnectionRefusedError),
    ):
        one.connect(("127.0.0.1", 9))
    assert socket.socket.connect is before
    assert replay.report.refused == ("('127.0.0.1', 9)",)


def test_patterns_of_secrets_are_those_of_the_tracer(path: pathlib.Path) -> None:
    """What only they hid, white space and all, matches with them alone."""
    pattern = "[A-Z]+ [0-9]+" if _backend.BACKEND == "native" else "NORTH 1234"
    request = {"model": "m", "messages": [{"role": "user", "content": "Case NORTH 1234?"}]}
    with Tracer(path, redact=[pattern]) as tracer:  # noqa: SIM117 - Python 3.9
        with tracer.llm_request(provider="p", model="m", request=request) as call:
            call.response(text="rain")
    with pytest.raises(Divergence):
        Replayer(path).llm_response(request)
    for redact in ([pattern], pattern):  # one needs no list
        assert Replayer(path, redact=redact).llm_response(request)["text"] == "rain"


def test_by_hand_too_what_is_ignored_may_differ(recorded: pathlib.Path) -> None:
    """As for a process: the paths are those of the request."""
    request = {"model": "m2", "messages": [{"role": "user", "content": "weather?"}]}
    with pytest.raises(Divergence, match="model"):
        Replayer(recorded).llm_response(request)
    assert Replayer(recorded, ignore=".model").llm_response(request)["text"] == "rain"
    more = {**request, "model": "m", "metadata": {"build": 7}}
    assert Replayer(recorded, ignore=[".metadata"]).llm_response(more)["text"] == "rain"
