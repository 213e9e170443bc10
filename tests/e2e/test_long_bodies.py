"""Long bodies go beside the socket: the agent waits for nobody, and what was told of is in the trace all the same."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys

import pytest

from agenttrace.capture import frames, ring
from agenttrace.capture.channel import STALL_LIMIT_S, Channel
from agenttrace.recorder import collector, ring_reader
from tests.e2e.conftest import of_kind
from tests.e2e.plain_server import PlainServer, says
from tests.e2e.test_record_process import collector_of

pytestmark = pytest.mark.skipif(
    not hasattr(os, "memfd_create"), reason="there is no memory without a name here"
)

MIB = 1 << 20

# Sends bodies, and says how long that took.
AGENT = """
import http.client, os, sys, time
port, count, size = map(int, sys.argv[1:4])
client = http.client.HTTPConnection("127.0.0.1", port)
client.request("GET", "/"); client.getresponse().read()
print(os.getpid(), flush=True)
sys.stdin.readline()
began = time.monotonic()
for number in range(count):
    client.request("POST", "/", b"%d " % number + b"y" * size)
    assert client.getresponse().read() == b"x" * 300_000
print(time.monotonic() - began, flush=True)
sys.stdin.readline()
"""

ANSWER = says(b"HTTP/1.1 200 OK\nContent-Length: 300000", b"x" * 300_000)


def test_a_collector_that_does_not_look_holds_nobody_up_and_misses_nothing(bench):
    """40 MB are told of while it stands still, the agent is killed (-9), the collector goes on: all is in the trace."""
    command = [sys.executable, "-uc", AGENT]
    with PlainServer({"/": ANSWER}) as server:
        record = bench.start(
            *("record", "-o", "t.jsonl", "--", *command, server.port, 4, 10 * MIB),
            stdin=subprocess.PIPE,
        )
        agent = int(record.stdout.readline())
        collector = collector_of(record)
        os.kill(collector, signal.SIGSTOP)
        try:
            record.stdin.write("\n")
            record.stdin.flush()
            took_s = float(record.stdout.readline())
        finally:
            os.kill(agent, signal.SIGKILL)
            os.kill(collector, signal.SIGCONT)
        record.communicate(timeout=60)
    assert took_s < STALL_LIMIT_S, "it waited for the collector"
    assert bench.report()["status"] == "intact"
    events = bench.events()
    assert not of_kind(events, "gap")
    asked = [event["data"].get("body", "") for event in of_kind(events, "http_request")]
    assert [len(body) for body in asked] == [0] + [10 * MIB + 2] * 4
    assert [body[:2] for body in asked[1:]] == ["0 ", "1 ", "2 ", "3 "]
    answered = [event["data"]["body"] for event in of_kind(events, "http_response")]
    assert answered == ["x" * 300_000] * 5


class _Reader:
    """The collector's end of one connection, as far as it goes without a trace."""

    def __init__(self, listener: socket.socket) -> None:
        self.peer, _ = listener.accept()
        self._connection = collector.Connection(self.peer)

    def bodies(self) -> list[tuple[bool, bytes]]:
        """(whether it stood in the ring, body) of all frames that are there."""
        found = []
        self.peer.setblocking(False)
        while data := self._connection.receive():
            for head, body in self._connection.decoder.feed(data):
                if head["op"] == "chunk":
                    found.append((bool(head.get("ring")), self._connection.body_of(head, body)))
        return found

    def close(self) -> None:
        self._connection.close_ring()
        self.peer.close()


@pytest.fixture
def line(tmp_path):
    """(a Channel, its reader), connected; the reader has offered to read a ring."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        channel = Channel(path)
        channel.greet()
        reader = _Reader(listener)
        ring_reader.offer(reader.peer)
        yield channel, reader
        reader.close()
        channel._died()


def test_bodies_of_all_lengths_come_in_their_order(line):
    """Round after round, read late or at once, in the ring or in frames where it is full: each is what it was."""
    channel, reader = line
    chance = random.Random(7)
    sent, got = [], []
    for number in range(150):
        size = chance.choice([0, 1, 100_000, MIB, 7 * MIB + 1, 30 * MIB])
        sent.append(number.to_bytes(4, "big") + bytes([number]) * size)
        if size > MIB and len(sent) - len(got) > 3 or chance.random() < 0.3:
            got += reader.bodies()
        channel.send({"op": "chunk"}, sent[-1])
        got += reader.bodies() if chance.random() < 0.5 else []
    got += reader.bodies()
    assert [body for _, body in got] == sent
    assert sum(is_in_ring for is_in_ring, _ in got) > 50


def test_a_file_of_the_program_under_the_rings_number_is_left_alone(line, tmp_path):
    """A program may close what it has not opened, and open files of its own."""
    channel, reader = line
    channel.send({"op": "chunk"}, b"1" * MIB)
    number = channel._ring._file
    os.close(number)
    victim = os.open(tmp_path / "own", os.O_RDWR | os.O_CREAT)
    os.dup2(victim, number)
    own = {number, victim}
    try:
        assert channel._ring.put(b"2" * MIB) is None
        channel._died()
        assert os.path.getsize(tmp_path / "own") == 0
        os.fstat(number)  # still open
    finally:
        for file in own:
            os.close(file)
    assert [body for _, body in reader.bodies()] == [b"1" * MIB]


def test_a_copy_that_c_code_made_leaves_its_parents_ring_alone(line):
    """No hook of Python's runs in it, and both would write to the same places."""
    channel, reader = line
    channel.send({"op": "chunk"}, b"1" * MIB)
    pid = ctypes.CDLL(None).fork()
    if pid == 0:
        os._exit(0 if channel._ring.put(b"2" * MIB) is None else 1)
    assert os.waitpid(pid, 0)[1] == 0
    channel.send({"op": "chunk"}, b"3" * MIB)
    assert reader.bodies() == [(True, b"1" * MIB), (True, b"3" * MIB)]


def test_a_place_that_is_not_in_the_ring_is_refused():
    """Who lies about places, or shortens the file, gets a ValueError told of him and harms nobody."""
    file = os.memfd_create("ring")
    os.ftruncate(file, ring.RING_BYTES)
    os.pwrite(file, b"abc", 5)
    reader = ring_reader.RingReader(os.dup(file))
    try:
        assert reader.take(5, 3) == b"abc"
        for place, size in (
            (4, 3),
            (8, -1),
            (8, frames.MAX_BODY_BYTES + 1),
            (ring.RING_BYTES - 1, 2),
        ):
            with pytest.raises(ValueError, match="ring"):
                reader.take(place, size)
        os.ftruncate(file, 10)
        with pytest.raises(ValueError, match="ring"):
            reader.take(8, 100)
    finally:
        reader.close()
        os.close(file)
