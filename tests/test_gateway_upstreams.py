"""Which variables are set for a command, and where its requests go then."""

from __future__ import annotations

import socket

import pytest

from agenttrace.capture.environment import substituted
from agenttrace.gateway import upstreams

TOKEN = "0123456789abcdef0123456789abcdef"
GATEWAY = f"http://127.0.0.1:4000/{TOKEN}"


def plan(**environment: str) -> upstreams.Plan:
    """The plan for this environment, as in a replay: whether this machine has an Ollama must not matter."""
    return upstreams.plan(environment, 4000, TOKEN, is_replay=True)


def test_what_is_unset_leads_to_the_clients_own_servers() -> None:
    """The six that clients of other languages read; nothing else."""
    made = plan()
    told = substituted({"AGENTTRACE_GATEWAY": made.variables.pop("AGENTTRACE_GATEWAY")})
    assert made.variables == {
        "OPENAI_BASE_URL": f"{GATEWAY}/openai_base_url/v1",
        "ANTHROPIC_BASE_URL": f"{GATEWAY}/anthropic_base_url",
        "GOOGLE_GEMINI_BASE_URL": f"{GATEWAY}/google_gemini_base_url",
        "GROQ_BASE_URL": f"{GATEWAY}/groq_base_url",
        "TOGETHER_BASE_URL": f"{GATEWAY}/together_base_url/v1",
        "OLLAMA_HOST": f"{GATEWAY}/ollama_host",
    }
    assert told == {name: (value, None) for name, value in made.variables.items()}
    urls = {upstream.url(upstream.target("/v1/x")) for upstream in made.upstreams.values()}
    assert urls == {
        "https://api.openai.com/v1/x",
        "https://api.anthropic.com/v1/x",
        "https://generativelanguage.googleapis.com/v1/x",
        "https://api.groq.com/v1/x",
        "https://api.together.ai/v1/x",
        "http://127.0.0.1:11434/v1/x",
    }


@pytest.mark.parametrize(
    ("own", "path", "authority"),
    [
        ("http://127.0.0.1:8765/v1", "/v1", "127.0.0.1:8765"),
        ("https://models.example/a/b/", "/a/b/", "models.example"),
        ("https://models.example:444", "", "models.example:444"),
        ("https://models.example/x?api-version=1", "/x?api-version=1", "models.example"),
        ("HTTPS://[::1]:8443/v1", "/v1", "[::1]:8443"),
    ],
)
def test_what_is_set_is_kept_as_the_upstream(own: str, path: str, authority: str) -> None:
    """Path, query and port as the user has them."""
    made = plan(OPENAI_BASE_URL=own)
    assert made.variables["OPENAI_BASE_URL"] == f"{GATEWAY}/openai_base_url{path}"
    assert made.upstreams["openai_base_url"].authority == authority
    told = substituted(made.variables)
    assert told["OPENAI_BASE_URL"] == (made.variables["OPENAI_BASE_URL"], own)


def test_a_login_in_a_url_stays_the_clients() -> None:
    """It sends it, or refuses it, as it would without us; the trace doesn't get it."""
    made = plan(OPENAI_BASE_URL="http://me:secret@models.example/v1")
    ours = made.variables["OPENAI_BASE_URL"]
    assert ours == f"http://me:secret@127.0.0.1:4000/{TOKEN}/openai_base_url/v1"
    assert made.upstreams["openai_base_url"].url("/v1") == "http://models.example/v1"


@pytest.mark.parametrize("own", ["nonsense", "ftp://x", "http://", "http://x:port/", "http://é/"])
def test_what_is_no_url_of_a_server_is_left_alone(own: str) -> None:
    """The client says what is wrong with it."""
    assert "OPENAI_BASE_URL" not in plan(OPENAI_BASE_URL=own).variables


@pytest.mark.parametrize("other", ["OPENAI_API_BASE", "AZURE_OPENAI_API_KEY"])
def test_no_default_where_another_variable_says_more(other: str) -> None:
    """litellm would prefer OPENAI_BASE_URL to it; Azure's client refuses both."""
    assert "OPENAI_BASE_URL" not in plan(**{other: "https://models.example/"}).variables


@pytest.mark.parametrize(
    ("own", "url"),
    [
        ("localhost", "http://localhost:11434"),
        (":8080", "http://127.0.0.1:8080"),
        ("10.0.0.7:80/base", "http://10.0.0.7:80"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:99", "http://[::1]:99"),
        ("https://ollama.example", "https://ollama.example"),
    ],
)
def test_ollama_may_be_a_host_alone(own: str, url: str) -> None:
    """With Ollama's port."""
    assert plan(OLLAMA_HOST=own).upstreams["ollama_host"].url("") == url


def test_ollama_is_left_alone_where_it_is_not_running(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ollama serve` reads the same variable: the command may be about to start it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(upstreams, "_OLLAMA_PORT", free.getsockname()[1])
        assert "OLLAMA_HOST" not in upstreams.plan({}, 4000, TOKEN).variables
        free.listen(1)
        assert "OLLAMA_HOST" in upstreams.plan({}, 4000, TOKEN).variables


def test_anthropics_clients_mean_two_things_by_nothing() -> None:
    """Its own add /v1, the AI SDK's does not; a URL of the user's is not touched."""
    default = plan().upstreams["anthropic_base_url"]
    assert default.target("/messages?beta=true") == "/v1/messages?beta=true"
    assert default.target("/v1/messages") == "/v1/messages"
    assert default.target("/api/hello") == "/api/hello"
    own = plan(ANTHROPIC_BASE_URL="https://models.example").upstreams["anthropic_base_url"]
    assert own.target("/messages") == "/messages"


def test_inside_another_record_the_users_own_values_count() -> None:
    """An outer gateway is no upstream."""
    outer = plan(OPENAI_BASE_URL="https://models.example/v1")
    inner = upstreams.plan(outer.variables, 5000, "f" * 32, is_replay=True)
    assert inner.upstreams["openai_base_url"].authority == "models.example"
    assert inner.upstreams["anthropic_base_url"].authority == "api.anthropic.com"
    assert substituted(inner.variables)["GROQ_BASE_URL"][1] is None


def test_a_proxy_is_not_asked_for_the_gateway() -> None:
    """Clients that heed http_proxy would send it our requests."""
    made = plan(HTTP_PROXY="http://proxy.example:3128", NO_PROXY="intra.example")
    assert made.variables["NO_PROXY"] == "intra.example,127.0.0.1"
    assert made.variables["no_proxy"] == "127.0.0.1"
    assert "NO_PROXY" not in plan(NO_PROXY="intra.example").variables
