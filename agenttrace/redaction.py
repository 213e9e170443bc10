"""Keeps secrets out of traces: values of secret-looking variables, well-known key shapes, headers, URL queries.

The placeholder is `[redacted:NAME]`, NAME the rule or the variable: the same in every run, so that
a replay matches. It is no hash: short secrets could be guessed from one.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote, quote_plus, unquote_plus

from agenttrace import _backend
from agenttrace.secret_shapes import NAMED, SHAPES, is_form_name

_SECRET_NAME = re.compile(
    r"(?i)(^|_)(api_?keys?|key|token|secrets?|passwords?|passwd|passphrase|passcode|pass|credentials?|creds|private"
    r"|cookie|auth|bearer|jwt|pat|dsn)(_|$|\d)|_pwd?$|(password|token|secret|apikey|secretkey|accesskey)$"
)
_NOT_SECRET_NAME = re.compile(
    r"(?i)(_path|_file|_dir|_url|_id|_name|_type|_sock)$|^SSH_AUTH_SOCK$|^(OLD)?PWD$"
)
MIN_SECRET_CHARS = 8
# What such variables hold where no secret is asked for. They are no secrets, and words of prose and code.
_STAND_INS = frozenset(
    [
        "anything",
        "api-key",
        "api_key",
        "changeme",
        "change-me",
        "disabled",
        "dummy-key",
        "lm-studio",
        "localhost",
        "no-key-needed",
        "not-needed",
        "not-required",
        "optional",
        "password",
        "placeholder",
        "postgres",
        "required",
        "undefined",
        "unlimited",
        "your-api-key",
        "your_api_key",
    ]
)

_QUERY_SECRET = re.compile(r"([?&])([^=&#]*)=([^&#]*)")
_SECRET_PARAMETER = re.compile(
    r"(?i)(?:^|[_\-.])(?:key|token|secret|password|passwd|passphrase|signature|credential|sig|auth|pw|pwd|pass)$"
    r"|^(?:api|access|auth|secret|private)(?:key|token)$"
)
_SECRET_CAMEL = re.compile(r"[a-z](?:Key|Token|Secret|Password|Signature|Credential)$")
# Addresses of the gateway may be printed; who knows its token can talk to it.
GATEWAY_TOKEN = "AGENTTRACE_TOKEN"
# Where a list goes on, or how it is sorted: no secret, and what tells requests apart.
_NO_SECRET_PARAMETER = re.compile(
    r"(?i)^(?:next|page|continuation|sync|sort|partition|start|last|max)[_\-]?(?:page[_\-]?)?(?:key|token)$"
)
_USERINFO = re.compile(r"(//[^/?#@:]*):[^/?#@]*@")
_FORM = re.compile(rb"[\w.\-%\[\]+]+=[^&=\s\"<>]*(?:&[\w.\-%\[\]+]+=[^&=\s\"<>]*)*\Z")
_NO_NAME = re.compile(r"[^A-Za-z0-9_.\-]")

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
        "sec-websocket-protocol",
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
# In an answer it names a protocol; what a browser's client asks for in it may be its key.
NOT_OF_REQUESTS = frozenset(["sec-websocket-protocol"])


class Redactor:
    """Replaces secrets in the JSON text of an event's data, which stays JSON. `count` says how many so far; a Writer
    cleans with the `engine` itself.

    environment: whose secret-looking variables are secrets; keep: names of those that are not.
    patterns: regular expressions of the user's, matched in each string as the program had it.
    ValueError for one that is none, with the engine's words.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        keep: Iterable[str] = (),
        patterns: Sequence[str] = (),
    ) -> None:
        self.count = 0
        kept = set(keep)
        secrets = {
            spelled: _NO_NAME.sub("_", name)
            for name, value in sorted(environment.items(), reverse=True)
            if name not in kept and is_secret_variable(name, value)
            for spelled in _spellings(_bare(value))
        }
        asked = [(f"redact-{number}", pattern) for number, pattern in enumerate(patterns, 1)]
        values = [(name, value) for value, name in secrets.items()]
        shapes = list(dict.fromkeys(rule[0] for rule in (*SHAPES, *NAMED)))
        self.rules = [*sorted(set(secrets.values())), *shapes, *(name for name, _ in asked)]
        self.engine = _backend.Redactor(values, SHAPES, NAMED, asked)

    def clean(self, data: bytes) -> bytes:
        """`data`, the JSON of an event's data, with placeholders where secrets were."""
        cleaned, count = self.engine.clean(data)
        self.count += count
        return cleaned

    def clean_text(self, text: bytes) -> bytes:
        """Likewise for any bytes."""
        return self._replaced(text, self.spans(text))

    def clean_form(self, body: bytes) -> bytes:
        """A body that looks like an HTML form's, without the values of fields whose names say secret."""
        cleaned, count = _clean_form(body)
        self.count += count
        return cleaned

    def spans(self, text: bytes) -> list[tuple[int, int, str]]:
        """(start, end, rule) of each secret in it, in order."""
        return self.engine.spans(text)

    def held(self, text: bytes) -> int:
        """How many of its last bytes may be the beginning of a secret that goes on behind it."""
        return self.engine.held(text)

    def _replaced(self, text: bytes, spans: list[tuple[int, int, str]]) -> bytes:
        self.count += len(spans)
        for start, end, name in reversed(spans):
            text = text[:start] + placeholder(name) + text[end:]
        return text


class NoRedactor:
    """`--no-redact`: everything as it was, except headers and URLs."""

    engine = None
    rules: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.count = 0

    def clean(self, data: bytes) -> bytes:
        return data

    def clean_text(self, text: bytes) -> bytes:
        return text

    def clean_form(self, body: bytes) -> bytes:
        return body

    def spans(self, text: bytes) -> list[tuple[int, int, str]]:
        return []

    def held(self, text: bytes) -> int:
        return 0


class OwnRedactor(Redactor):
    """`--no-redact` of a run with a gateway: everything as it was, except headers, URLs and the gateway's token."""

    def __init__(self, token: str) -> None:
        self.count = 0
        self.rules = []
        values = [(GATEWAY_TOKEN, spelled) for spelled in _spellings(token)]
        self.engine = _backend.Redactor(values, (), (), [])

    def clean_form(self, body: bytes) -> bytes:
        return body


class PieceCleaner:
    """Cleans the pieces of one stream, also of secrets that a cut goes through.

    The end of a piece that may be the beginning of a secret waits for the next piece, so the joined text stays
    whole; `rest` hands out what still waits. A beginning that was too short to be waited for (of three letters at
    most) has been written when the rest comes; the rest is then replaced alone.
    """

    _SEEN_BYTES = 64

    def __init__(self, redactor: Redactor | NoRedactor) -> None:
        self._redactor = redactor
        self._seen = b""  # the end of what was handed out, as it was
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """What of it, and of what waited, can be written now."""
        text = self._held + piece
        held = self._redactor.held(self._seen + text)
        cut = max(0, len(text) - held)
        self._held = text[cut:]
        return self._cleaned(text[:cut])

    def rest(self) -> bytes:
        """The stream is over."""
        text, self._held = self._held, b""
        return self._cleaned(text)

    def _cleaned(self, text: bytes) -> bytes:
        if not text:
            return b""
        seen = len(self._seen)
        whole = self._seen + text
        self._seen = whole[-self._SEEN_BYTES :]
        parts, place = [], seen
        for start, end, name in self._redactor.spans(whole):
            if end > seen:
                parts += [whole[place : max(start, seen)], placeholder(name)]
                place = end
                self._redactor.count += 1
        if not parts:
            return text
        return b"".join([*parts, whole[place:]])


def placeholder(name: str) -> bytes:
    """What stands where a secret was."""
    return b"[redacted:%s]" % name.encode("utf-8")


def is_secret_variable(name: str, value: str) -> bool:
    """Whether an environment variable of this name looks as if it held a secret worth the name."""
    return (
        len(value) >= MIN_SECRET_CHARS
        and _bare(value).lower() not in _STAND_INS
        and _SECRET_NAME.search(name) is not None
        and _NOT_SECRET_NAME.search(name) is None
    )


def clean_url(url: str) -> str:
    """The URL without passwords and secret-looking query values."""
    return _USERINFO.sub(r"\1:[redacted:url]@", _QUERY_SECRET.sub(_clean_parameter, url))


def _clean_parameter(found: re.Match[str]) -> str:
    name = unquote_plus(found[2])
    if not found[3] or not is_secret_parameter(name):
        return found[0]
    return f"{found[1]}{found[2]}=[redacted:url]"


def is_secret_parameter(name: str) -> bool:
    """Whether a URL's parameter of this name holds a secret: by its last word."""
    if _NO_SECRET_PARAMETER.search(name):
        return False
    return _SECRET_PARAMETER.search(name) is not None or _SECRET_CAMEL.search(name) is not None


def _clean_form(body: bytes) -> tuple[bytes, int]:
    if b"=" not in body or _FORM.match(body) is None:
        return body, 0
    fields, count = [], 0
    for part in body.split(b"&"):
        name, equals, value = part.partition(b"=")
        spelled = unquote_plus(name.decode("utf-8", "replace"))
        if value and (is_form_name(spelled) or is_secret_parameter(spelled)):
            value = placeholder("credential")
            count += 1
        fields.append(name + equals + value)
    return b"&".join(fields), count


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


def _bare(value: str) -> str:
    """Without the white space and the quotes around it that a file of variables left there: whoever reads it drops
    them.
    """
    bare = value.strip()
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'":
        bare = bare[1:-1]
    return bare if len(bare) >= MIN_SECRET_CHARS else value


def _spellings(value: str) -> set[bytes]:
    """As JSON has it, and so any depth and percent signs too; as forms have spaces; within base64. All of it also of
    JSON with the value in it.
    """
    raw = value.encode("utf-8", "surrogateescape")
    in_json = json.dumps(value, ensure_ascii=False)[1:-1].encode("utf-8", "replace")
    texts = {raw, in_json, json.dumps(value)[1:-1].encode()}
    found = {in_json, in_json.replace(b" ", b"+")}
    if any(b"\\" in text or b"%" in text for text in texts):
        # What looks like an escape in the value, or is one of JSON, is none where all is spelled with percent signs.
        found |= {quote(text, safe="").encode() for text in texts}
        found |= {quote_plus(text).encode() for text in texts}
    for text in texts:
        for shift in range(3):
            # The letters that are the same whatever stands before and behind it.
            letters = base64.b64encode(b"\0" * shift + text)
            inside = letters[(shift * 8 + 5) // 6 : (shift + len(text)) * 8 // 6]
            found |= {inside, inside.replace(b"+", b"-").replace(b"/", b"_")}
    return found
