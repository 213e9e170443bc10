"""Each client replays with its server gone; with one word changed it ends in 123, and the word's place is named."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tools.node_environment import node_folder

from .conftest import AGENTS, EXAMPLES, Bench, Ended, ModelServer, clean_bench
from .test_gateway_node import serve
from .test_gemini_ollama import CLIENTS as GEMINI_OLLAMA
from .test_other_clients import CLIENTS as OTHER
from .test_record_clients import CLIENTS as EVERY

CHAT = ".messages[0].content"
NODE = {
    "openai_plain": CHAT,
    "openai_stream": CHAT,
    "openai_responses": ".input",
    "anthropic_plain": CHAT,
    "anthropic_stream": CHAT,
    "gemini_plain": ".contents[0].parts[0].text",
    "gemini_stream": ".contents[0].parts[0].text",
}
# The clients of one agent, which are recorded in one run; where each has the word in what it asks.
AGENTS_CLIENTS = {
    "every_client": {name: ".input" if "responses" in name else CHAT for name in EVERY},
    "gemini": {
        name: ".contents[0].parts[0].text" for name in GEMINI_OLLAMA if name.startswith("gemini")
    },
    "ollama": {
        name: ".prompt" if name in ("ollama_generate", "ollama_async_stream") else CHAT
        for name in GEMINI_OLLAMA
        if name.startswith("ollama")
    },
    "other": dict.fromkeys([*OTHER, "openai_aiohttp"], CHAT),
    "mcp": {"model": CHAT},
    "curl": {"ask.sh": CHAT},
    "node": NODE,
    "node_ai": {
        "ai_anthropic_stream": ".messages[0].content[0].text",
        "ai_openai": ".input[0].content[0].text",
    },
}
NEEDS = {"curl": ("curl", "jq"), "node": ("npm",), "node_ai": ("npm",)}
RECORDED, CHANGED = "Bern", "Chur"


def command(agent: str, clients: list[str], topic: str, python: str) -> list[object]:
    """Runs these clients, one after the other, with a question about the topic."""
    question = f"Say something about {topic}."
    if agent in ("every_client", "mcp"):
        return [python, AGENTS / {"mcp": "mcp_calls.py"}.get(agent, "every_client.py"), *clients]
    if agent in ("gemini", "ollama"):
        return [python, AGENTS / "gemini_ollama.py", *clients]
    if agent == "other":
        return [python, AGENTS / "other_clients.py", ",".join(clients), "plain", "streamed"]
    if agent == "curl":
        return ["sh", EXAMPLES / "ask.sh", question]
    return ["node", node_folder() / "every_client.mjs", ",".join(clients), question]


class Listener:
    """Listens where the server was, and counts who comes."""

    def __init__(self, port: int) -> None:
        self.count = 0
        self._socket = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._socket.accept()
                self.count += 1
                peer.close()

    def close(self) -> None:
        """Nobody comes any more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


@dataclass
class Recorded:
    """An agent, recorded; its server is gone, and a listener in its place."""

    agent: str
    bench: Bench
    python: str
    ended: Ended
    listener: Listener

    def replay(self, topic: str, clients: list[str], *options: str) -> Ended:
        """Replays these of its clients, asking about this topic."""
        self.bench.environment["TOPIC"] = topic
        asked = command(self.agent, clients, topic, self.python)
        return self.bench.run("replay", *options, "t.jsonl", "--", *asked)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, sdk_python) -> Iterator[Callable[[str], Recorded]]:
    """Records an agent, with all of its clients, when it is first asked for."""
    runs: dict[str, Recorded] = {}

    def record(agent: str) -> Recorded:
        if not all(map(shutil.which, NEEDS.get(agent, ()))):
            pytest.skip(f"needs {NEEDS[agent]}")
        if agent not in runs:
            runs[agent] = _record(agent, clean_bench(tmp_path_factory.mktemp(agent)), sdk_python)
        return runs[agent]

    yield record
    for run in runs.values():
        run.listener.close()


def _record(agent: str, bench: Bench, python: str) -> Recorded:
    clients = list(AGENTS_CLIENTS[agent])
    with ModelServer() as server:
        serve(bench, server, clients[0])
        bench.environment.update(OLLAMA_HOST=server.url, TOPIC=RECORDED)
        asked = command(agent, clients, RECORDED, python)
        ended = bench.run("record", "-q", "-o", "t.jsonl", "--", *asked)
        port = server.port
    assert ended.status == 0, ended.stderr
    return Recorded(agent, bench, python, ended, Listener(port))


@pytest.mark.parametrize("agent", AGENTS_CLIENTS)
def test_the_same_is_answered_without_a_server(recorded, agent):
    """The same output and status; nobody knocks where the server was, nor is kept from it."""
    run, clients = recorded(agent), list(AGENTS_CLIENTS[agent])
    again = run.replay(RECORDED, clients, "--check", "--format", "jsonl")
    assert (again.status, again.stdout) == (0, run.ended.stdout), again.stderr
    assert len(again.stdout) > 10 * len(clients)
    report = json.loads(again.stderr.splitlines()[-1])
    assert (report["verdict"], report["unasked"], report["refused"]) == ("same", [], [])
    assert run.listener.count == 0


@pytest.mark.parametrize(
    ("agent", "client"),
    [(agent, client) for agent, clients in AGENTS_CLIENTS.items() for client in clients],
)
def test_a_changed_word_is_named_by_its_place(recorded, agent, client):
    """One report, the path in the request's JSON, both words; no answer, and nobody is asked instead."""
    run = recorded(agent)
    changed = run.replay(CHANGED, [client])
    assert changed.status == 123, changed.stderr
    assert changed.stdout in ("", "null\n"), "jq's word for no answer"
    assert changed.stderr.count("DIVERGED") == 1
    lines = changed.stderr.splitlines()
    place = lines.index(f"  {AGENTS_CLIENTS[agent][client]}")
    assert [line[:6] for line in lines[place + 1 : place + 3]] == ["    - ", "    + "]
    assert RECORDED in lines[place + 1]
    assert CHANGED in lines[place + 2]
    assert agent in NEEDS or "Traceback" not in changed.stderr
    assert run.listener.count == 0
