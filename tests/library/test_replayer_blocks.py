"""Replayer as a context manager: one after another, within each other, and what overlaps in threads."""

from __future__ import annotations

import pathlib
import threading
import time

import httpx
import pytest

from agenttrace import Divergence, Replayer, ReplayError, Tracer
from examples.model_server import ModelServer


def say(url: str, text: str) -> str:
    """What the model answers."""
    request = {"model": "gpt-5", "messages": [{"role": "user", "content": text}]}
    answer = httpx.post(f"{url}/v1/chat/completions", json=request)
    return str(answer.json()["choices"][0]["message"]["content"])


@pytest.fixture
def traces(path: pathlib.Path) -> tuple[str, list[pathlib.Path]]:
    """The server's address, gone since; traces of "a1", "a2" and of "b1", "b2"."""
    found = []
    with ModelServer() as server:
        for name in "ab":
            found.append(path.with_name(f"{name}.jsonl"))
            with Tracer(found[-1], capture=True):
                for number in "12":
                    say(server.url, name + number)
    return server.url, found


def test_one_after_another_none_waits(traces: tuple[str, list[pathlib.Path]]) -> None:
    """Each begins anew, whatever the process has asked before."""
    url, (path, _) = traces
    began = time.monotonic()
    for _ in range(4):
        with Replayer(path) as replay:
            assert "a1" in say(url, "a1")
    assert time.monotonic() - began < 1
    assert len(replay.report.unasked) == 1


def test_within_each_other_the_inner_one_answers(
    traces: tuple[str, list[pathlib.Path]],
) -> None:
    """And the outer one again behind it."""
    url, (first, second) = traces
    with Replayer(first) as outer:
        with Replayer(second) as inner:
            assert "b1" in say(url, "b1")
        assert "a1" in say(url, "a1")
    assert (outer.report.matched, inner.report.matched) == (1, 1)


def test_a_second_block_goes_on_where_the_first_ended(
    traces: tuple[str, list[pathlib.Path]],
) -> None:
    """What was asked in the first is not missed in the second."""
    url, (path, _) = traces
    replay = Replayer(path)
    for text in ("a1", "a2"):
        with replay:
            assert text in say(url, text)
    assert (replay.report.matched, replay.report.reordered) == (2, ())


def test_inside_of_itself_it_is_refused(traces: tuple[str, list[pathlib.Path]]) -> None:
    """And the block around it goes on."""
    url, (path, _) = traces
    before = httpx.Client._transport_for_url
    with Replayer(path) as replay:
        with pytest.raises(ReplayError, match="make another"), replay:
            pass
        assert "a1" in say(url, "a1")
    assert httpx.Client._transport_for_url is before


def test_what_overlaps_leaves_nothing_behind(traces: tuple[str, list[pathlib.Path]]) -> None:
    """The one that came first goes first: the hooks of both are out when the second has gone."""
    _, (first, second) = traces
    before = httpx.Client._transport_for_url
    inside, out = threading.Event(), threading.Event()

    def other() -> None:
        with Replayer(second):
            inside.set()
            out.wait(20)

    thread = threading.Thread(target=other)
    with Replayer(first):
        thread.start()
        inside.wait(20)
    assert httpx.Client._transport_for_url is not before
    out.set()
    thread.join()
    assert httpx.Client._transport_for_url is before


def test_what_was_swallowed_is_raised_at_the_end(
    traces: tuple[str, list[pathlib.Path]],
) -> None:
    """Also where a thread met it."""
    url, (path, _) = traces

    def run() -> None:
        thread = threading.Thread(target=say, args=(url, "never said"))
        with Replayer(path):
            thread.start()
            thread.join()

    with pytest.raises(Divergence, match="was not recorded"):
        run()
