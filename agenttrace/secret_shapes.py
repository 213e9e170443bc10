"""What secrets look like: keys of well-known kinds, and values that stand behind a name that says what they are.

Regular expressions of bytes that Rust's engine and Python's both know, seen without escapes: JSON in a
string in JSON, and percent signs, look plain. A group is the secret; without one it is the whole. Each shape begins
with letters of its own (STARTS), and in front of each named value ends a name (ENDS): one quick search finds
these, and only there an expression is tried, so ten rules cost what one does.
"""

from __future__ import annotations

# What the names of members, fields, options and headers are that hold a secret. Whole names: there are `max_tokens`,
# and a tokenizer's `token` is a word.
_WORDS = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "api key",
    "api token",
    "api secret",
    "secret key",
    "private key",
    "access key",
    "secret access key",
    "access token",
    "refresh token",
    "id token",
    "auth token",
    "bearer token",
    "session token",
    "security token",
    "client secret",
    "authorization",
    "cookie",
    "set cookie",
    "x api key",
    "x auth token",
    "proxy authorization",
    "csrf token",
    "webhook secret",
    "signing secret",
    "encryption key",
    "aws secret access key",
    "user password",
    "db password",
    "new password",
    "old password",
)


def _spelled(words: str) -> set[str]:
    parts = words.split()
    camel = "".join(part.capitalize() for part in parts)
    return {
        "_".join(parts), "-".join(parts), "".join(parts), "_".join(parts).upper(), "-".join(parts).upper(),
        camel, camel[0].lower() + camel[1:], "-".join(part.capitalize() for part in parts),
    }  # fmt: skip


CREDENTIAL_NAMES = frozenset(name for words in _WORDS for name in _spelled(words))
_NAMES = "|".join(sorted(CREDENTIAL_NAMES, key=lambda name: (-len(name), name)))
# In a URL a name may say less: what is behind it is no prose.
_QUERY = (
    _NAMES + "|key|token|sig|signature|auth|pwd|pw|pass|code_verifier|client_assertion"
    "|X-Amz-Signature|X-Amz-Security-Token|X-Amz-Credential|X-Goog-Signature|X-Goog-Credential|AWSAccessKeyId|Signature"
)
_TOKEN = rb"[A-Za-z0-9_\-.~+/=]".decode()

# Prefix and tail of keys: the tail is long enough that prose and names don't have it.
_KEYS: tuple[tuple[str, str, str], ...] = (
    ("anthropic-key", r"\bsk-ant-", r"[A-Za-z0-9_\-]{20,}"),
    ("openai-key", r"\bsk-(?:proj|svcacct|admin|None)-", r"[A-Za-z0-9_\-]{20,}"),
    ("openrouter-key", r"\bsk-or-v1-", r"[A-Za-z0-9_\-]{20,}"),
    ("langfuse-key", r"\bsk-lf-", r"[A-Za-z0-9\-]{20,}"),
    ("openai-key", r"\bsk-", r"[A-Za-z0-9]{20,}"),
    ("github-token", r"\bgh[pousr]_", r"[A-Za-z0-9]{36,}"),
    ("github-token", r"\bgithub_pat_", r"[A-Za-z0-9_]{40,}"),
    ("gitlab-token", r"\bgl(?:pat|ptt|dt|rt|cbt|oas)-", r"[A-Za-z0-9_\-]{20,}"),
    ("aws-key", r"\b(?:AKIA|ASIA)", r"[0-9A-Z]{16}\b"),
    ("google-key", r"\bAIza", r"[0-9A-Za-z_\-]{35}"),
    ("google-token", r"\bya29\.", r"[0-9A-Za-z_\-]{20,}"),
    ("google-secret", r"\bGOCSPX-", r"[0-9A-Za-z_\-]{28}"),
    ("slack-token", r"\bxox[abposre]-", r"[A-Za-z0-9.\-]{10,}"),
    ("slack-token", r"\bxapp-", r"[0-9]-[A-Za-z0-9\-]{20,}"),
    ("huggingface-token", r"\bhf_", r"[A-Za-z0-9]{30,}"),
    ("stripe-key", r"\b[sr]k_(?:live|test|prod)_", r"[A-Za-z0-9]{10,}"),
    ("stripe-key", r"\bwhsec_", r"[A-Za-z0-9+/]{24,}"),
    ("sendgrid-key", r"\bSG\.", r"[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{32,64}"),
    ("npm-token", r"\bnpm_", r"[A-Za-z0-9]{36}"),
    ("pypi-token", r"\bpypi-AgE", r"[A-Za-z0-9_\-]{50,}"),
    ("digitalocean-token", r"\bdo[opr]_v1_", r"[a-f0-9]{64}"),
    ("groq-key", r"\bgsk_", r"[A-Za-z0-9]{40,}"),
    ("xai-key", r"\bxai-", r"[A-Za-z0-9]{60,}"),
    ("perplexity-key", r"\bpplx-", r"[A-Za-z0-9]{40,}"),
    ("replicate-token", r"\br8_", r"[A-Za-z0-9]{37,}"),
    ("nvidia-key", r"\bnvapi-", r"[A-Za-z0-9_\-]{40,}"),
    ("cerebras-key", r"\bcsk-", r"[a-z0-9]{40,}"),
    ("tavily-key", r"\btvly-", r"[A-Za-z0-9\-]{24,}"),
    ("langsmith-key", r"\blsv2_(?:pt|sk)_", r"[a-f0-9]{32}_[a-f0-9]{10}"),
    ("pinecone-key", r"\bpcsk_", r"[A-Za-z0-9_]{50,}"),
    ("linear-key", r"\blin_(?:api|oauth)_", r"[A-Za-z0-9]{32,}"),
    ("notion-token", r"\bntn_", r"[A-Za-z0-9]{40,}"),
    ("databricks-token", r"\bdapi", r"[a-f0-9]{32}(?:-[0-9])?\b"),
    ("vault-token", r"\bhv[sbr]\.", r"[A-Za-z0-9_\-]{20,}"),
    ("supabase-key", r"\bsb_secret_", r"[A-Za-z0-9_\-]{20,}"),
    ("supabase-key", r"\bsbp_", r"[a-f0-9]{40}"),
    ("shopify-token", r"\bshp(?:at|ca|pa|ss)_", r"[a-fA-F0-9]{32}"),
    ("age-key", r"\bAGE-SECRET-KEY-1", r"[0-9A-Z]{58}"),
    ("jwt", r"\beyJ", r"[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}"),
)

_PEM = "-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
SHAPES: tuple[tuple[str, str], ...] = (
    *((name, prefix + tail) for name, prefix, tail in _KEYS),
    ("bearer", r"\b(?:[Bb]earer|BEARER) ([A-Za-z0-9._~+/\-]{20,}=*)"),
    (
        "private-key",
        _PEM
        + r"\s*(?:[A-Za-z\-]+: [^\n\"]*\n)*\s*[A-Za-z0-9+/=]{40,}[A-Za-z0-9+/=\s]*(?:-----END[^\"\-]*-----)?",
    ),
    ("telegram-token", r":(AA[A-Za-z0-9_\-]{33})\b"),
    (
        "slack-webhook",
        r"hooks\.slack\.com/services/(T[A-Za-z0-9_]+/B[A-Za-z0-9_]+/[A-Za-z0-9_]{20,})",
    ),
    ("discord-webhook", r"discord(?:app)?\.com/api/webhooks/[0-9]+/([A-Za-z0-9_\-]{60,})"),
    ("azure-key", r"\b(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,}={0,2})"),
    ("url", r"://[^\s/?#@:\"'<>]*:([^\s/?#@\"'<>]+)@"),
)

# Secrets by the name in front of them.
NAMED: tuple[tuple[str, str], ...] = (
    ("url", rf"[?&](?:{_QUERY})=([^&#\s\"'<>]{{4,}})"),
    # JSON's members and Python's, at any depth; options of a command, in one argument or in two.
    ("credential", rf"\"(?:{_NAMES})\"\s*:\s*\"([^\"]+)\""),
    ("credential", rf"'(?:{_NAMES})'\s*:\s*'([^'\"]+)'"),
    ("credential", rf"\"--?(?:{_NAMES}|token|pass)\"\s*,\s*\"([^\"]+)\""),
    ("credential", rf"--(?:{_NAMES}|token|pass)=[\"']?([^\s\"'$]+)"),
    ("credential", rf"\"(?:{_NAMES}|token|pass|pwd)\"\r?\n(?:[^\r\n]+\r?\n)*\r?\n([^\r\n\"]+)"),
    # Lines of headers, as verbose clients print them; variables, as `env` does.
    (
        "header",
        r"(?:Authorization|authorization|AUTHORIZATION)[\"']?\s*[:=]\s*[\"']?(?:[Bb]asic|[Bb]earer|[Tt]oken|[Dd]igest|ApiKey)\s+([^\s\"',]{8,})",
    ),
    (
        "header",
        r"(?:[Xx]-[Aa][Pp][Ii]-[Kk][Ee][Yy]|[Aa]pi-[Kk]ey|x-goog-api-key|[Xx]-[Aa]uth-[Tt]oken)"
        r"[\"']?\s*: ?[\"']?([^\s\"',]{8,})",
    ),
    ("header", r"(?:[Ss]et-[Cc]ookie|[Cc]ookie)[\"']?\s*: ?[\"']?([^\s\"';,=]+=[^\"\r\n]+)"),
    (
        "credential",
        r"\b[A-Z0-9_]*(?:PASSWORD|PASSPHRASE|_SECRET|API_KEY|SECRET_KEY|ACCESS_KEY|AUTH_TOKEN|ACCESS_TOKEN|PRIVATE_KEY)=([^\s\"'&;$<{(\[]{8,})",
    ),
)

# What the shapes begin with: at most four letters, which are found fast.
STARTS: tuple[str, ...] = (
    "sk-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "gith",
    "glpa",
    "glpt",
    "gldt",
    "glrt",
    "glcb",
    "gloa",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29",
    "GOCS",
    "xox",
    "xapp",
    "hf_",
    "sk_",
    "rk_",
    "whse",
    "SG.",
    "npm_",
    "pypi",
    "doo_",
    "dop_",
    "dor_",
    "gsk_",
    "xai-",
    "pplx",
    "r8_",
    "nvap",
    "csk-",
    "tvly",
    "lsv2",
    "pcsk",
    "lin_",
    "ntn_",
    "dapi",
    "hvs.",
    "hvb.",
    "hvr.",
    "sb_s",
    "sbp_",
    "shpa",
    "shpc",
    "shps",
    "AGE-",
    "eyJ",
    "Bear",
    "bear",
    "BEAR",
    "----",
    ":AA",
    "hook",
    "disc",
    "Acco",
    "Shar",
    "://",
)

# How the names in front of NAMED end, and what is behind them.
_ENDS = ("assword", "asswd", "assphrase", "ecret", "ey", "oken", "uthorization", "ookie")
ENDS: tuple[str, ...] = (
    *(word + behind for word in _ENDS for behind in "\"'="),
    *(word.upper() + behind for word in _ENDS for behind in '"='),
    *(
        f"{end}="
        for end in ("sig", "auth", "pwd", "pw", "pass", "ature", "ntial", "fier", "rtion", "KeyId")
    ),
    'pass"',
    'pwd"',
    "ization:",
    "IZATION:",
    "ookie:",
    "Key:",
    "key:",
    "KEY:",
    "oken:",
)

# At the end of a piece of a stream: what may be a secret that goes on in the next one. Looked for in the last 4 KiB.
BEGINNING = "|".join(
    (
        "(?:" + "|".join(sorted({prefix for _, prefix, _ in _KEYS})) + f"){_TOKEN}*",
        rf"\b(?:[Bb]earer|BEARER) {_TOKEN}*",
        _PEM + r"(?:[^\"\-]|-[^\"\-])*(?:-----(?:END[A-Z0-9 ]*-{0,4})?|-{1,4})?",
        r"://[^\s/?#@:\"'<>]*:[^\s/?#@\"'<>]*",
        rf"[?&](?:{_QUERY})=[^&#\s\"'<>]*",
        rf"\"(?:{_NAMES})\"\s*:\s*\"[^\"]*",
        rf"'(?:{_NAMES})'\s*:\s*'[^'\"]*",
        rf"--(?:{_NAMES}|token|pass)=[^\s\"'$]*",
        r"(?:[Aa]uthorization|[Cc]ookie|-[Kk]ey)[\"']?\s*[:=] ?[\"']?[^\"\r\n]*",
    )
)

FORM_NAMES = CREDENTIAL_NAMES | {"token", "pass", "pwd", "pw", "code_verifier", "client_assertion"}
