"""Which variables lead clients to a server, and which servers the gateway of a run stands before.

All of it is fixed before the command starts: a client can't ask the gateway for any other host.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import NamedTuple, Optional
from urllib.parse import urlsplit

from agenttrace.capture import environment as gateway_environment

DEFAULT_PORTS = {"http": 80, "https": 443}
_OLLAMA_PORT = 11434
_PROBE_LIMIT_S = 0.2


class Variable(NamedTuple):
    """A variable that clients read. default: where they go without it; None: it is used only where the user set it.

    unless: with one of these set, clients that read this variable may mean another server by its absence, or refuse
    both: the default isn't put in then.
    """

    name: str
    default: Optional[str] = None
    unless: tuple[str, ...] = ()


_AZURE = ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN")
VARIABLES = (
    Variable("OPENAI_BASE_URL", "https://api.openai.com/v1", ("OPENAI_API_BASE", *_AZURE)),
    Variable("ANTHROPIC_BASE_URL", "https://api.anthropic.com", ("ANTHROPIC_API_BASE",)),
    Variable("GOOGLE_GEMINI_BASE_URL", "https://generativelanguage.googleapis.com"),
    Variable("GROQ_BASE_URL", "https://api.groq.com", ("GROQ_API_BASE",)),
    Variable("TOGETHER_BASE_URL", "https://api.together.ai/v1", ("TOGETHER_API_BASE_URL",)),
    Variable("OLLAMA_HOST", f"http://127.0.0.1:{_OLLAMA_PORT}"),
    # Of litellm, langchain, Azure's and others' clients. AWS is not among them: it signs the host of a request.
    Variable("ANTHROPIC_API_BASE"),
    Variable("AZURE_API_BASE"),
    Variable("AZURE_OPENAI_ENDPOINT"),
    Variable("CO_API_URL"),
    Variable("COHERE_API_BASE"),
    Variable("DEEPSEEK_API_BASE"),
    Variable("FIREWORKS_BASE_URL"),
    Variable("GEMINI_API_BASE"),
    Variable("GOOGLE_VERTEX_BASE_URL"),
    Variable("GROQ_API_BASE"),
    Variable("HOSTED_VLLM_API_BASE"),
    Variable("LITELLM_PROXY_API_BASE"),
    Variable("MISTRAL_API_BASE"),
    Variable("OLLAMA_API_BASE"),
    Variable("OPENAI_API_BASE"),
    Variable("OPENROUTER_API_BASE"),
    Variable("PERPLEXITY_API_BASE"),
    Variable("TOGETHER_API_BASE_URL"),
    Variable("XAI_API_BASE"),
)
# Of both spellings each is read by some.
PROXY_VARIABLES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
PROXY_USER = "agenttrace"
_NODE = "NODE_USE_ENV_PROXY"  # without it Node's own fetch reads none of them
_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
# Anthropic's own clients take ANTHROPIC_BASE_URL without /v1, the AI SDK with it: where it is unset both mean the same.
_VERSIONED = ("messages", "files", "skills")


class Upstream(NamedTuple):
    """A server behind the gateway. host: as its URL has it; authority: what its `Host` header says."""

    name: str
    scheme: str
    host: str
    port: int
    authority: str
    needs_version: bool = False
    keeps_host: bool = False  # the client's own Host header, as it is

    def target(self, path: str) -> str:
        """What is asked there for this path (and query) of a request to the gateway."""
        if self.needs_version and path[1:].partition("?")[0].partition("/")[0] in _VERSIONED:
            return "/v1" + path
        return path or "/"

    def url(self, target: str) -> str:
        """As the trace has it."""
        return f"{self.scheme}://{self.authority}{target}"


class Plan(NamedTuple):
    """What one run's gateway stands before. variables: for the command's environment, with the word of them to hooked
    Pythons; token: the secret part of its addresses.
    """

    port: int
    token: str
    upstreams: dict[str, Upstream]
    variables: dict[str, str]


def plan(
    environment: Mapping[str, str],
    port: int,
    token: str,
    is_replay: bool = False,
    trusted: Optional[Mapping[str, str]] = None,
) -> Plan:
    """The gateway on this port for a command with this environment. trusted: it is a proxy too, and these variables
    make clients trust its certificates.
    """
    own = _own_values(environment)
    upstreams: dict[str, Upstream] = {}
    substituted: dict[str, tuple[str, Optional[str]]] = {}
    for variable in VARIABLES:
        url = _address(variable, own, is_replay)
        if url is None:
            continue
        name = variable.name.lower()
        found = _upstream(name, url, is_default=not own.get(variable.name))
        if found is None:
            continue
        upstreams[name], userinfo, path = found
        url = f"http://{userinfo}127.0.0.1:{port}/{token}/{name}{path}"
        substituted[variable.name] = (url, own.get(variable.name))
    if trusted is not None:
        proxy = f"http://{PROXY_USER}:{token}@127.0.0.1:{port}"
        ours = {**dict.fromkeys(PROXY_VARIABLES, proxy), _NODE: "1", **trusted}
        substituted.update({name: (value, own.get(name)) for name, value in ours.items()})
    elif any(own.get(name) for name in _PROXIES):
        for name in ("no_proxy", "NO_PROXY"):
            value = own.get(name)
            substituted[name] = (f"{value},127.0.0.1" if value else "127.0.0.1", value)
    variables = {name: value for name, (value, _) in substituted.items()}
    told = gateway_environment.spelled(substituted)
    return Plan(port, token, upstreams, {**variables, gateway_environment.VARIABLE: told})


def _own_values(environment: Mapping[str, str]) -> dict[str, str]:
    """The user's own: inside another record the gateway of that one is not among them."""
    own = dict(environment)
    for name, (ours, users) in gateway_environment.substituted(environment).items():
        if own.get(name) == ours:
            del own[name]
            if users is not None:
                own[name] = users
    return own


def _address(variable: Variable, own: Mapping[str, str], is_replay: bool) -> Optional[str]:
    value = own.get(variable.name)
    if variable.name == "OLLAMA_HOST":
        return _ollama_address(value, is_replay)
    if value:
        return value
    if any(own.get(name) for name in variable.unless):
        return None
    return variable.default


def _ollama_address(value: Optional[str], is_replay: bool) -> Optional[str]:
    """OLLAMA_HOST may be a host alone. The server reads it too, as where to listen: where nobody listens yet the
    command may be about to start one, and keeps it unset.
    """
    if value:
        if "://" in value:
            return value
        host, slash, path = value.partition("/")
        if host.startswith(":"):
            host = "127.0.0.1" + host
        if not host.rpartition("]")[2].count(":"):
            host += f":{_OLLAMA_PORT}"
        return f"http://{host}{slash}{path}"
    address = ("127.0.0.1", _OLLAMA_PORT)
    if not is_replay:
        with socket.socket() as probe:
            probe.settimeout(_PROBE_LIMIT_S)
            # Past the hooks of a recorder around us: it is no connection of its command's.
            if super(socket.socket, probe).connect_ex(address):
                return None
    return f"http://{address[0]}:{address[1]}"


def _upstream(name: str, url: str, is_default: bool) -> Optional[tuple[Upstream, str, str]]:
    """(the upstream, `user:password@` of its URL, path and query of its URL); None where it is no URL of a server."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    if not parts.hostname or not url.isascii() or not url.isprintable():
        return None
    userinfo, at, authority = parts.netloc.rpartition("@")
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    needs_version = is_default and name == "anthropic_base_url"
    upstream = Upstream(name, parts.scheme, parts.hostname, port, authority, needs_version)
    return upstream, userinfo + at, path
