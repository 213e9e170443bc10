"""Secrets, and what only looks like one: made up here, of the right shapes."""

from __future__ import annotations

import random
import string

_random = random.Random(7)


def _of(letters: str, count: int) -> str:
    return "".join(_random.choice(letters) for _ in range(count))


_ANY = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"
_UPPER = string.ascii_uppercase + string.digits

SHAPED = [
    *(
        prefix + _of(_ANY, count)
        for prefix, count in (
            ("sk-", 48),
            ("sk-proj-", 60),
            ("sk-svcacct-", 60),
            ("sk-admin-", 60),
            ("sk-ant-api03-", 90),
            ("sk-ant-oat01-", 90),
            ("ghp_", 36),
            ("gho_", 36),
            ("ghs_", 36),
            ("github_pat_", 82),
            ("glpat-", 20),
            ("AIza", 35),
            ("ya29.", 60),
            ("GOCSPX-", 28),
            ("xoxb-", 40),
            ("xoxp-", 40),
            ("hf_", 34),
            ("sk_live_", 24),
            ("rk_test_", 24),
            ("whsec_", 32),
            ("npm_", 36),
            ("pypi-AgE", 80),
            ("gsk_", 52),
            ("xai-", 80),
            ("pplx-", 48),
            ("r8_", 37),
            ("nvapi-", 64),
            ("tvly-", 32),
            ("pcsk_", 64),
            ("lin_api_", 40),
            ("ntn_", 46),
            ("hvs.", 90),
            ("sb_secret_", 31),
        )
    ),
    *(
        prefix + _of(_HEX, count)
        for prefix, count in (
            ("sk-or-v1-", 64),
            ("dop_v1_", 64),
            ("dapi", 32),
            ("sbp_", 40),
            ("shpat_", 32),
            ("csk-", 48),
        )
    ),
    "AKIA" + _of(_UPPER, 16),
    "ASIA" + _of(_UPPER, 16),
    "AGE-SECRET-KEY-1" + _of(_UPPER, 58),
    "SG." + _of(_ANY, 22) + "." + _of(_ANY, 43),
    "lsv2_pt_" + _of(_HEX, 32) + "_" + _of(_HEX, 10),
    "eyJ" + _of(_ANY, 33) + ".eyJ" + _of(_ANY, 60) + "." + _of(_ANY, 43),
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "\n".join(_of(_ANY, 64) for _ in range(12))
    + "\n-----END RSA PRIVATE KEY-----",
]

# A text around a secret that has no shape of its own: {} is where it stands.
NAMED = [
    "postgres://app:{}@db.example.org:5432/app",
    "https://user:{}@example.org/x",
    "see https://h.example/p?api_key={}&page=2",
    "https://h.example/p?x=1&access_token={}",
    "https://s3.example/o?X-Amz-Signature={}&X-Amz-Expires=60",
    '{{"password": "{}"}}',
    '{{"user":{{"api_key":"{}"}}}}',
    '[{{"client_secret":"{}","n":1}}]',
    "{{'password': '{}'}}",
    "tool --password={} --verbose",
    "tool --api-key={}",
    "> Authorization: Basic {}",
    "Authorization: Bearer {}",
    "< Set-Cookie: session={}; Path=/; HttpOnly",
    "Cookie: sid={}",
    "X-Api-Key: {}",
    "DB_PASSWORD={}",
    "export MY_API_KEY={}",
    'Content-Disposition: form-data; name="password"\r\n\r\n{}\r\n--boundary--',
]

_words = ["risk-free", "task-force", "desk-ant-hill", "ask-proj-ect", "disk-", "mask-or-v1-"]
LOOK_ALIKES = [
    *(
        f"{_of(_HEX, 8)}-{_of(_HEX, 4)}-4{_of(_HEX, 3)}-a{_of(_HEX, 3)}-{_of(_HEX, 12)}"
        for _ in range(20)
    ),
    *(_of(_HEX, 40) for _ in range(20)),
    *(_of(_HEX, 64) for _ in range(10)),
    *(
        prefix + _of(_ANY, 24)
        for prefix in ("call_", "toolu_", "msg_", "req_", "chatcmpl-", "resp_", "run_", "asst_")
        for _ in range(5)
    ),
    *(f"{word}{_of(string.ascii_lowercase, 6)}" for word in _words for _ in range(4)),
    *(f"data:image/png;base64,{_of(_ANY + '+/', 400)}" for _ in range(10)),
    "gpt-5-mini-2026-08-07",
    "claude-sonnet-4-5-20250929",
    "gemini-2.5-pro",
    "text-embedding-3-large",
    "o4-mini",
    '{"max_tokens": 1024}',
    '{"max_tokens": "1024"}',
    '{"token_count": "12"}',
    '{"token": "Hello", "logprob": -0.1}',
    '{"tokens": ["a", "b"]}',
    '{"prompt_tokens":1,"completion_tokens":2}',
    '{"keyword": "password"}',
    '{"type": "password"}',
    '{"monkey": "business business"}',
    '{"author": "someone-long-enough"}',
    '{"passwords": 3}',
    '{"required": ["password"]}',
    '{"properties":{"password":{"type":"string"},"api_key":{"type":"string"}}}',
    '{"key": "some-long-sorting-key"}',
    "https://example.org/?keyword=something-long",
    "https://example.org/?monkey=capuchin-monkey",
    "https://example.org/?author=someone-long",
    "https://example.org/?page=2&sort=key",
    "https://example.org/a/b/c?tokenizer=cl100k_base",
    "https://example.org/?broken=yes-it-is-so",
    "http://localhost:8080/v1/models",
    "http://127.0.0.1:11434/api/chat",
    "git@github.com:owner/repository.git",
    "mail to someone@example.org: hello",
    "see http://example.org:8080/path@version",
    "npm install @scope/package@1.2.3",
    "/srv/keys/id_rsa.pub",
    "/srv/agents/secrets/readme.md",
    "C:\\new\\temp\\files\\readme.txt",
    "C:\\Users\\nobody\\AppData",
    "the bearer of good news from the town",
    "Bearer authentication is used",
    "use a Bearer token",
    "Basic authentication, please",
    "Authorization: see the documentation",
    "the cookie: a biscuit",
    "Cookie: chocolate",
    "a password is required here",
    "password: at least twelve letters",
    "reset your password = yes",
    "client = OpenAI(api_key=api_key)",
    "api_key = os.environ['OPENAI_API_KEY']",
    "os.getenv('OPENAI_API_KEY')",
    "OPENAI_API_KEY=$OPENAI_API_KEY",
    "password=getpass.getpass()",
    "def login(user, password, token):",
    "self.token = token",
    "for token in tokens:",
    "tokenizer.encode(text)",
    "sk-learn and sk-image",
    "import sklearn",
    "the ghp_ prefix",
    "AKIA",
    "eyJ",
    "xoxb-",
    "hf_hub_download",
    "npm_config_registry",
    "npm_lifecycle_event",
    "dapi",
    "hvs.",
    "SG.",
    "AIza",
    "ya29.",
    "shpat_",
    "-----BEGIN PRIVATE KEY----- begins such a file",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "sha256:" + _of(_HEX, 64),
    "sha512-" + _of(_ANY + "+/", 86) + "==",
    'W/"' + _of(_HEX, 32) + '"',
    "2026-11-23T22:41:52.123456789Z",
    "100%ab of it",
    "50%25 off",
    "a%20b%2Fc",
    "\\u0041 and \\n and \\\\",
    "caf\u00e9 \U0001f600",
    "x" * 5000,
    "_" * 300,
    "?" * 300,
    "--max-tokens=4096",
    "--token-count=12",
    "--tokenizer=cl100k_base",
    "--keyword=something",
    "MAX_TOKENS=4096",
    "TOKENIZERS_PARALLELISM=false",
    "KEYBOARD=us",
    "a:b@c",
    "user:name",
    "12:AA",
    "10:AAB",
    "ratio 3:AA-",
    "time 12:30:AAx",
    "hooks.slack.com",
    "discord.com/api",
    "AccountKey",
    "SharedAccessKey=",
    "gsk_",
    "xai-grok",
    "pplx-api",
    "r8_",
    "lin_reg",
    "csk-",
    "pcsk_",
    "ntn_",
    "sbp_",
    "whsec_",
]
