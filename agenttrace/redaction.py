"""Keeps secrets out of traces: values of secret-looking variables, well-known key shapes, headers, URL queries.

The placeholder is `[redacted:NAME]`, NAME the rule or the variable: the same in every run, so that
a replay matches. It is no hash: short secrets could be guessed from one. A value spelled over
several pieces of a stream can't be caught as it passes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

from agenttrace import _backend

_SECRET_NAME = re.compile(
    r"(?i)(^|_)(api_?key|key|token|secret|password|passwd|credentials?|private|cookie|auth|pat)"
    r"(_|$|\d)|_pwd$"
)
_NOT_SECRET_NAME = re.compile(
    r"(?i)(_path|_file|_dir|_url|_id|_name|_type|_sock)$|^SSH_AUTH_SOCK$|^(OLD)?PWD$"
)
MIN_SECRET_CHARS = 8

# What keys of well-known kinds look like. Each needs a prefix of its own and enough of a random
# tail, so that prose stays whole.
SHAPES: tuple[tuple[str, str], ...] = (
    ("anthropic-key", r"sk-ant-[A-Za-z0-9_\-]{20,}"),
    # No word boundary before it: in JSON's text the n of a line break may stand there.
    ("openai-key", r"sk-(?:proj|svcacct|admin|or-v1)-[A-Za-z0-9_\-]{20,}|sk-[A-Za-z0-9]{20,}"),
    ("github-token", r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}"),
    ("gitlab-token", r"glpat-[A-Za-z0-9_\-]{20,}"),
    ("aws-key", r"(?:AKIA|ASIA)[0-9A-Z]{16}"),
    ("google-key", r"AIza[0-9A-Za-z_\-]{35}"),
    ("slack-token", r"xox[abposr]-[A-Za-z0-9\-]{10,}"),
    ("huggingface-token", r"hf_[A-Za-z0-9]{30,}"),
    ("jwt", r"eyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}"),
    ("bearer", r"(?i:bearer) [A-Za-z0-9._~+/\-]{20,}=*"),
    ("private-key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^\"]*?-----END [A-Z ]*PRIVATE KEY-----"),
)

_QUERY_SECRET = re.compile(
    r"(?i)([?&](?:[a-z0-9_\-]*(?:key|token|secret|password|passwd|signature|credential)|sig|auth|pw|pwd|pass)=)[^&#]*"
)
_USERINFO = re.compile(r"(//[^/?#@:]*):[^/?#@]*@")

# Headers that say something of the exchange and are never a secret; all others are left out.
KEPT_HEADERS = frozenset(
    [
        "accept",
        "anthropic-beta",
        "anthropic-version",
        "content-encoding",
        "content-type",
        "date",
        "location",
        "openai-beta",
        "openai-processing-ms",
        "openai-version",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "server",
        "user-agent",
        "x-goog-api-client",
        "x-request-id",
        "x-should-retry",
        "x-stainless-retry-count",
    ]
)
# Whether they are there decides what a client does next; what they say is a secret.
_NAMED_HEADERS = frozenset(["mcp-session-id"])


class Redactor:
    """Replaces secrets in the JSON text of an event's data, which stays JSON. `count` says how many so far.

    environment: whose secret-looking variables are secrets; keep: names of those that are not.
    """

    def __init__(self, environment: Mapping[str, str], keep: Iterable[str] = ()) -> None:
        self.count = 0
        kept = set(keep)
        secrets = {
            spelled: name
            for name, value in sorted(environment.items(), reverse=True)
            if name not in kept and is_secret_variable(name, value)
            for spelled in _spellings(value)
        }
        # Longer values first: one may hold another.
        values = sorted(secrets, key=len, reverse=True)
        rules = [(secrets[value], re.escape(value)) for value in values] + list(SHAPES)
        self.rules = sorted(set(secrets.values())) + [name for name, _ in SHAPES]
        self._redactor = _backend.Redactor(rules)

    def clean(self, data: bytes) -> bytes:
        """`data` with placeholders where secrets were."""
        cleaned, count = self._redactor.clean(data)
        self.count += count
        return cleaned


class NoRedactor:
    """`--no-redact`: everything as it was, except headers and URLs."""

    count = 0
    rules: tuple[str, ...] = ()

    def clean(self, data: bytes) -> bytes:
        return data


def is_secret_variable(name: str, value: str) -> bool:
    """Whether an environment variable of this name looks as if it held a secret worth the name."""
    return (
        len(value) >= MIN_SECRET_CHARS
        and _SECRET_NAME.search(name) is not None
        and _NOT_SECRET_NAME.search(name) is None
    )


def clean_url(url: str) -> str:
    """The URL without passwords and secret-looking query values."""
    return _USERINFO.sub(r"\1:[redacted:url]@", _QUERY_SECRET.sub(r"\1[redacted:url]", url))


def kept_headers(pairs: Iterable[Iterable[str]]) -> dict[str, str]:
    """Those of an exchange's headers that a trace keeps, by lower-case name."""
    kept = {}
    for name, value in pairs:
        name = name.lower()
        if name in KEPT_HEADERS:
            kept[name] = clean_url(value) if name == "location" else value
        elif name in _NAMED_HEADERS:
            kept[name] = "[redacted:header]"
    return kept


def _spellings(value: str) -> set[str]:
    """As JSON, and as URLs and forms have it."""
    raw = value.encode("utf-8", "surrogateescape")
    quoted = {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    lower_case = {re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), text) for text in quoted}
    return {_in_json(value), *quoted, *lower_case}


def _in_json(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1].encode("utf-8", "replace").decode("utf-8")
