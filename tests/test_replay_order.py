"""Which delivery waits for which, without a process around it."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from agenttrace.replay.matching import Matcher
from agenttrace.replay.order import Order
from agenttrace.replay.recorded import Recorded, RecordedRun
from agenttrace.replay.responder import Desk
from agenttrace.replay.stillness import Watch

URL = "http://127.0.0.1:1/v1/chat/completions"
MS = 1_000_000


def exchange(seq: int, *steps: int, request: Any = None) -> Recorded:
    """Asked in event `seq`, delivered in these; an event a millisecond."""
    one = Recorded(seq, "POST", URL, {"n": seq} if request is None else request, status=200)
    one.pieces = [b"x"] * max(1, len(steps) - 1)
    one.at_ns = [step * MS for step in steps]
    one.ts_ns, one.steps, one.steps_ns = seq * MS, list(steps), one.at_ns
    return one


class Bench:
    """An order, and what went out."""

    def __init__(self, *exchanges: Recorded) -> None:
        self.told: list[str] = []
        self.out: list[tuple[int, int]] = []
        self.order = Order(exchanges, Watch(), self.told.append)

    def ask(self, seq: int, step: int = 0) -> None:
        """It is asked for."""
        self.order.deliver((seq, step), lambda: self.out.append((seq, step)))

    def wait_for(self, count: int) -> list[tuple[int, int]]:
        """What went out, once it is this much."""
        deadline = time.monotonic() + 20
        while len(self.out) < count and time.monotonic() < deadline:
            time.sleep(0.002)
        return self.out


def test_what_is_asked_one_after_the_other_never_waits() -> None:
    """Each at once, in the thread that asks; no other thread is begun."""
    bench = Bench(*[exchange(2 * n, 2 * n + 1) for n in range(1, 6)])
    before = threading.active_count()
    for n in range(1, 6):
        bench.ask(2 * n)
        assert len(bench.out) == n
    assert threading.active_count() == before


def test_of_two_at_once_the_later_one_waits() -> None:
    """For the one that ended first, though it was asked last."""
    bench = Bench(exchange(1, 4), exchange(2, 3))
    bench.ask(1)
    bench.ask(2)
    assert bench.wait_for(2) == [(2, 0), (1, 0)]
    assert bench.told == []
    bench.order.close()


def test_what_nobody_asks_for_is_given_up_and_told() -> None:
    """When all that could go on waits for us."""
    bench = Bench(exchange(1, 4), exchange(2, 3), exchange(5, 6))
    bench.ask(1)
    assert bench.wait_for(1) == [(1, 0)]
    assert bench.told == ["event 1 was answered before 2, which nothing had asked for"]
    bench.ask(5)
    assert bench.out == [(1, 0), (5, 0)]
    bench.ask(2)  # late, and not held up
    assert bench.out[-1] == (2, 0)
    bench.order.close()


def test_pieces_that_came_in_turn_go_out_in_turn() -> None:
    """Two streams; each piece waits for the other's."""
    bench = Bench(exchange(1, 3, 5, 7), exchange(2, 4, 6, 8))
    assert bench.order.woven == {1, 2}
    for seq in (2, 1):
        bench.ask(seq)
    bench.wait_for(2)
    for step in (1, 2):
        for seq in (2, 1):
            bench.ask(seq, step)
        bench.wait_for(2 + 2 * step)
    assert bench.out == [(1, 0), (2, 0), (1, 1), (2, 1), (1, 2), (2, 2)]
    assert bench.told == []
    bench.order.close()


def test_streams_behind_each_other_are_not_cut_into_steps() -> None:
    """Their pieces go as one."""
    assert Bench(exchange(1, 2, 3, 4), exchange(5, 6, 7)).order.woven == frozenset()


def test_a_stream_that_is_left_holds_nothing_up() -> None:
    """Its other pieces are not waited for, and nothing is told."""
    bench = Bench(exchange(1, 3, 5, 7), exchange(2, 4, 6, 8))
    bench.ask(1)
    bench.ask(2)
    bench.wait_for(2)
    bench.order.leave(1)
    bench.ask(2, 1)
    bench.ask(2, 2)
    assert bench.wait_for(4)[2:] == [(2, 1), (2, 2)]
    assert bench.told == []
    bench.order.close()


def test_whoever_waits_when_it_is_closed_goes_on() -> None:
    """None is left waiting."""
    bench = Bench(exchange(1, 300_000), exchange(2, 3))
    bench.ask(1)
    bench.order.close()
    assert bench.wait_for(1) == [(1, 0)]


def test_a_request_waits_for_the_one_that_its_process_asked_before() -> None:
    """They come on connections of their own, each served by a thread."""
    run = RecordedRun([exchange(1, 3), exchange(2, 4)])
    for one in run.exchanges:
        one.request = {"n": 0}
    desk = Desk(run, Matcher(run), Watch())
    answers: dict[int, int] = {}

    def ask(turn: int) -> threading.Thread:
        head = {"op": "ask", "process": "p", "turn": turn, "method": "POST", "url": URL}
        body = json.dumps({"n": 0}).encode()
        reply = lambda head, body: answers.update({turn: head["seq"]})  # noqa: E731
        thread = threading.Thread(target=desk.take, args=(head, body, reply))
        thread.start()
        return thread

    later = ask(1)
    time.sleep(0.05)
    assert not answers
    ask(0).join()
    later.join()
    desk.close()
    assert answers == {0: 1, 1: 2}


@pytest.mark.parametrize("count", [1000])
def test_a_thousand_requests_are_answered_in_no_time(count: int) -> None:
    """0.3 ms of processor time each at most, the look-up with them."""
    run = RecordedRun([exchange(2 * n, 2 * n + 1) for n in range(1, count + 1)])
    desk = Desk(run, Matcher(run), Watch())
    answers: list[dict[str, Any]] = []
    began = time.process_time()
    for n in range(1, count + 1):
        head = {"op": "ask", "process": "p", "turn": n - 1, "method": "POST", "url": URL}
        body = json.dumps({"n": 2 * n}).encode()
        desk.take(head, body, lambda head, body: answers.append(head))
    assert (time.process_time() - began) / count < 0.0003
    assert [answer["seq"] for answer in answers] == [2 * n for n in range(1, count + 1)]
