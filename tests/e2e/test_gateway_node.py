"""Node's SDKs, recorded through the gateway."""

from __future__ import annotations

import shutil

import pytest

from tools.node_environment import node_folder

from .conftest import of_kind

pytestmark = pytest.mark.skipif(
    shutil.which("npm") is None, reason="node and npm are not installed"
)

# name -> provider, operation, streamed
CLIENTS = {
    "openai_plain": ("openai", "chat", False),
    "openai_stream": ("openai", "chat", True),
    "openai_responses": ("openai", "responses", False),
    "anthropic_plain": ("anthropic", "messages", False),
    "anthropic_stream": ("anthropic", "messages", True),
    "gemini_plain": ("gemini", "generate_content", False),
    "gemini_stream": ("gemini", "stream_generate_content", True),
    "ai_openai": ("openai", "responses", False),
    "ai_anthropic_stream": ("anthropic", "messages", True),
}


@pytest.fixture(scope="session")
def agent() -> str:
    """The script that holds all clients."""
    return str(node_folder() / "every_client.mjs")


def serve(bench, server, client: str) -> None:
    """Points Node's SDKs at the server; the AI SDK's wants its version in the URL."""
    bench.serve_from(server)
    bench.environment["GOOGLE_GEMINI_BASE_URL"] = server.url
    if client == "ai_anthropic_stream":
        bench.environment["ANTHROPIC_BASE_URL"] += "/v1"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_of_node_is_recorded(bench, server, agent, client):
    """Unchanged: the model call is there under its own URL."""
    serve(bench, server, client)
    ended = bench.run("record", "-q", "-o", "t.jsonl", "--", "node", agent, client)
    assert (ended.status, len(ended.stdout) > 10) == (0, True), ended.stderr
    assert bench.report()["status"] == "intact"
    (request,) = of_kind(bench.events(), "llm_request")
    data = request["data"]
    assert (data["provider"], data["operation"], data["stream"]) == CLIENTS[client]
    assert data["http"]["url"].startswith(f"{server.url}/v1")
    (response,) = of_kind(bench.events(), "llm_response")
    assert response["data"]["complete"]
    assert response["data"]["text"] == ended.stdout.strip()
    assert of_kind(bench.events(), "trace_end")[0]["data"].get("left_running") is None


def test_concurrent_requests_replay(bench, server, agent):
    """Five at a time, over several connections: each gets its own answer again."""
    serve(bench, server, "gathered")
    ended = bench.run("record", "-q", "-o", "t.jsonl", "--", "node", agent, "gathered")
    assert ended.status == 0, ended.stderr
    assert len(of_kind(bench.events(), "llm_response")) == 5
    again = bench.run("replay", "t.jsonl", "--", "node", agent, "gathered")
    assert (again.status, again.stdout) == (0, ended.stdout), again.stderr


def test_what_was_not_recorded_diverges(bench, server, agent):
    """The client gets an error that it does not try again; the verdict is the front's."""
    serve(bench, server, "openai_plain")
    assert (
        bench.run("record", "-q", "-o", "t.jsonl", "--", "node", agent, "openai_plain").status == 0
    )
    again = bench.run("replay", "t.jsonl", "--", "node", agent, "openai_plain", "Of hills?")
    assert again.status == 123
    assert again.stderr.count("BadRequestError: 400 AgentTrace's gateway") == 1
    assert again.stderr.count("DIVERGED") == 1
    assert "Of hills?" in again.stderr
