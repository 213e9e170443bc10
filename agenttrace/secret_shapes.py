"""What secrets look like: keys of well-known kinds, and values that stand behind a name that says what they are.

Regular expressions of bytes that Rust's engine and Python's both know, seen without escapes: JSON in a
string in JSON, and percent signs, look plain. A group is the secret; without one it is the whole. Each shape has
beginnings of three letters or more, of which the last four are looked for in one quick search, as the ends of names
are; only there an expression is tried, so ten rules cost what one does. The last four of a
beginning should be rare in prose and code.
"""

from __future__ import annotations

# What the names of members, fields, options and headers are that hold a secret, in any spelling (`api_key`, `apiKey`,
# `API-KEY`). Whole names: there are `max_tokens`, and a tokenizer's `token` is a word.
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


_NAMES = tuple(words.replace(" ", "") for words in _WORDS)
# In a URL a name may say less: what is behind it is no prose.
_QUERY = (
    *_NAMES, "key", "token", "sig", "signature", "auth", "pwd", "pw", "pass", "codeverifier", "clientassertion",
    "xamzsignature", "xamzsecuritytoken", "xamzcredential", "xgoogsignature", "xgoogcredential", "awsaccesskeyid",
)  # fmt: skip

Shape = tuple[str, tuple[str, ...], str]
Named = tuple[str, tuple[str, ...], tuple[str, ...], str]

# Beginnings and expressions of keys: the tail is long enough that prose and names don't have it.
SHAPES: tuple[Shape, ...] = (
    ("anthropic-key", ("sk-",), r"\bsk-ant-[A-Za-z0-9_\-]{20,}"),
    ("openai-key", ("sk-",), r"\bsk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_\-]{20,}"),
    ("openrouter-key", ("sk-",), r"\bsk-or-v1-[A-Za-z0-9_\-]{20,}"),
    ("langfuse-key", ("sk-",), r"\bsk-lf-[A-Za-z0-9\-]{20,}"),
    ("openai-key", ("sk-",), r"\bsk-[A-Za-z0-9]{20,}"),
    ("openai-key", ("sess-",), r"\bsess-[A-Za-z0-9]{40,}"),
    ("helicone-key", ("sk-",), r"\bsk-helicone-[A-Za-z0-9\-]{20,}"),
    ("github-token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_[A-Za-z0-9]{36,}"),
    ("github-token", ("github_pat_",), r"\bgithub_pat_[A-Za-z0-9_]{40,}"),
    (
        "gitlab-token",
        ("glpat-", "glptt-", "gldt-", "glrt-", "glcbt-", "gloas-"),
        r"\bgl(?:pat|ptt|dt|rt|cbt|oas)-[A-Za-z0-9_\-]{20,}",
    ),
    ("aws-key", ("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("google-key", ("AIza",), r"\bAIza[0-9A-Za-z_\-]{35}"),
    ("google-token", ("ya29",), r"\bya29\.[0-9A-Za-z_\-]{20,}"),
    ("google-secret", ("GOCS",), r"\bGOCSPX-[0-9A-Za-z_\-]{28}"),
    (
        "slack-token",
        ("xoxa-", "xoxb-", "xoxp-", "xoxo-", "xoxs-", "xoxr-", "xoxe-"),
        r"\bxox[abposre]-[A-Za-z0-9.\-]{10,}",
    ),
    ("slack-token", ("xapp-",), r"\bxapp-[0-9]-[A-Za-z0-9\-]{20,}"),
    ("elevenlabs-key", ("sk_",), r"\bsk_[a-f0-9]{48}\b"),
    ("huggingface-token", ("hf_",), r"\bhf_[A-Za-z0-9]{30,}"),
    ("stripe-key", ("sk_", "rk_"), r"\b[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,}"),
    ("stripe-key", ("whsec_",), r"\bwhsec_[A-Za-z0-9+/]{24,}"),
    ("sendgrid-key", ("SG.",), r"\bSG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{32,64}"),
    ("npm-token", ("npm_",), r"\bnpm_[A-Za-z0-9]{36}"),
    ("pypi-token", ("pypi-",), r"\bpypi-AgE[A-Za-z0-9_\-]{50,}"),
    ("digitalocean-token", ("doo_", "dop_", "dor_"), r"\bdo[opr]_v1_[a-f0-9]{64}"),
    ("groq-key", ("gsk_",), r"\bgsk_[A-Za-z0-9]{40,}"),
    ("xai-key", ("xai-",), r"\bxai-[A-Za-z0-9]{60,}"),
    ("perplexity-key", ("pplx-",), r"\bpplx-[A-Za-z0-9]{40,}"),
    ("replicate-token", ("r8_",), r"\br8_[A-Za-z0-9]{37,}"),
    ("nvidia-key", ("nvapi-",), r"\bnvapi-[A-Za-z0-9_\-]{40,}"),
    ("cerebras-key", ("csk-",), r"\bcsk-[a-z0-9]{40,}"),
    ("tavily-key", ("tvly-",), r"\btvly-[A-Za-z0-9\-]{24,}"),
    ("langsmith-key", ("lsv2",), r"\blsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}"),
    ("pinecone-key", ("pcsk",), r"\bpcsk_[A-Za-z0-9_]{50,}"),
    ("linear-key", ("lin_",), r"\blin_(?:api|oauth)_[A-Za-z0-9]{32,}"),
    ("notion-token", ("ntn_",), r"\bntn_[A-Za-z0-9]{40,}"),
    ("databricks-token", ("dapi",), r"\bdapi[a-f0-9]{32}(?:-[0-9])?\b"),
    ("vault-token", ("hvs.", "hvb.", "hvr."), r"\bhv[sbr]\.[A-Za-z0-9_\-]{20,}"),
    ("supabase-key", ("sb_s",), r"\bsb_secret_[A-Za-z0-9_\-]{20,}"),
    ("supabase-key", ("sbp_",), r"\bsbp_[a-f0-9]{40}"),
    (
        "shopify-token",
        ("shpat_", "shpca_", "shppa_", "shpss_"),
        r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    ),
    ("together-key", ("tgp_v1_",), r"\btgp_v1_[A-Za-z0-9_\-]{40,}"),
    ("fireworks-key", ("fw_",), r"\bfw_[A-Za-z0-9]{22,}\b"),
    ("jina-key", ("jina_",), r"\bjina_[A-Za-z0-9_\-]{50,}"),
    ("firecrawl-key", ("fc-",), r"\bfc-[a-f0-9]{32}\b"),
    ("e2b-key", ("e2b_",), r"\be2b_[a-f0-9]{40}\b"),
    ("llamacloud-key", ("llx-",), r"\bllx-[A-Za-z0-9]{40,}"),
    ("runpod-key", ("rpa_",), r"\brpa_[A-Z0-9]{40,}"),
    ("wandb-key", ("wandb_v1_",), r"\bwandb_v1_[A-Za-z0-9_]{40,}"),
    ("aws-key", ("ABSK",), r"\bABSK[A-Za-z0-9+/]{100,}={0,2}"),
    ("google-token", ("1//0",), r"\b1//0[A-Za-z0-9_\-]{40,}"),
    ("docker-token", ("dckr_pat_", "dckr_oat_"), r"\bdckr_[po]at_[A-Za-z0-9_\-]{27,}"),
    ("sentry-token", ("sntrys_", "sntryu_"), r"\bsntry[su]_[A-Za-z0-9+/=_\-]{40,}"),
    ("figma-token", ("figd_",), r"\bfigd_[A-Za-z0-9_\-]{36,}"),
    ("grafana-token", ("glsa_",), r"\bglsa_[A-Za-z0-9]{32}_[a-f0-9]{8}"),
    ("grafana-token", ("glc_eyJ",), r"\bglc_eyJ[A-Za-z0-9+/=]{40,}"),
    ("newrelic-key", ("NRAK-",), r"\bNRAK-[A-Z0-9]{27}"),
    ("postman-key", ("PMAK-",), r"\bPMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    ("doppler-token", ("dp.pt.", "dp.st.", "dp.ct."), r"\bdp\.[psc]t\.[A-Za-z0-9_.\-]{40,}"),
    ("terraform-token", (".atlasv1.",), r"\.atlasv1\.([A-Za-z0-9_=\-]{60,})"),
    ("rubygems-key", ("rubygems_",), r"\brubygems_[a-f0-9]{48}"),
    ("atlassian-token", ("ATATT3", "ATCTT3"), r"\bAT[AC]TT3[A-Za-z0-9_=\-]{100,}"),
    ("square-token", ("sq0atp-", "sq0csp-"), r"\bsq0(?:atp|csp)-[A-Za-z0-9_\-]{22,}"),
    ("mailgun-key", ("key-",), r"\bkey-[a-f0-9]{32}\b"),
    ("heroku-key", ("HRKU-AA",), r"\bHRKU-AA[A-Za-z0-9_\-]{50,}"),
    ("netlify-token", ("nfp_",), r"\bnfp_[A-Za-z0-9]{36}\b"),
    ("buildkite-token", ("bkua_",), r"\bbkua_[a-f0-9]{40}"),
    ("circleci-token", ("CCIPAT_", "CCIPRJ_"), r"\bCCIP(?:AT|RJ)_[A-Za-z0-9]{20,}_[a-f0-9]{40}"),
    (
        "planetscale-token",
        ("pscale_tkn_", "pscale_pw_"),
        r"\bpscale_(?:tkn|pw)_[A-Za-z0-9_.\-]{32,}",
    ),
    ("fly-token", ("fm2_",), r"\bfm2_[A-Za-z0-9+/=_\-]{100,}"),
    ("mapbox-token", ("sk.eyJ",), r"\bsk\.eyJ[A-Za-z0-9_\-]{40,}\.[A-Za-z0-9_\-]{20,}"),
    ("twilio-key", tuple(f"SK{digit}" for digit in "0123456789abcdef"), r"\bSK[a-f0-9]{32}\b"),
    ("neon-key", ("napi_",), r"\bnapi_[A-Za-z0-9]{50,}"),
    ("notion-token", ("secret_",), r"\bsecret_[A-Za-z0-9]{43}\b"),
    ("age-key", ("AGE-",), r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}"),
    ("jwt", ("eyJ",), r"\beyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}"),
    ("bearer", ("Bear", "bear", "BEAR"), r"\b(?:[Bb]earer|BEARER) ([A-Za-z0-9._~+/\-]{20,}=*)"),
    (
        "private-key",
        ("-----BEGI",),
        "-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
        r"\s*(?:[A-Za-z\-]+: [^\n\"]*\n)*\s*[A-Za-z0-9+/=]{40,}[A-Za-z0-9+/=\s]*(?:-----END[^\"\-]*-----)?",
    ),
    ("telegram-token", (":AA",), r":(AA[A-Za-z0-9_\-]{33})\b"),
    (
        "slack-webhook",
        ("hooks.sla",),
        r"hooks\.slack\.com/services/(T[A-Za-z0-9_]+/B[A-Za-z0-9_]+/[A-Za-z0-9_]{20,})",
    ),
    (
        "discord-webhook",
        ("discord.com/", "discordapp.com/"),
        r"discord(?:app)?\.com/api/webhooks/[0-9]+/([A-Za-z0-9_\-]{60,})",
    ),
    (
        "azure-key",
        ("AccountK", "SharedAc"),
        r"\b(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,}={0,2})",
    ),
    ("url", ("://",), r"://[^\s/?#@:\"'<>]*:([^\s/?#@\"'<>]+)@"),
)

# Secrets by the name in front of them: (rule, what stands right before the name, names, what is behind it).
_HEADER_VALUE = (  # a variable, a blank to be filled in and its name in capitals are none
    r"([A-Z_]*[^\sA-Z_\"',`$<{(\[][^\s\"',]{7,}|[A-Z_]{7,}[^\sA-Z_\"',`$<{(\[][^\s\"',]*)"
)
NAMED: tuple[Named, ...] = (
    ("url", ("?", "&"), _QUERY, r"=([^&#\s\"'<>]{4,})"),
    # JSON's members and Python's, at any depth; options of a command, in one argument or in two.
    ("credential", ('"',), _NAMES, r"\"\s*:\s*\"([^\"]+)\""),
    ("credential", ("'",), _NAMES, r"'\s*:\s*'([^'\"]+)'"),
    (
        "credential",
        ('"-', '"--'),
        (*_NAMES, "token", "pass"),
        r"\"\s*,\s*\"([^\"\-][^\"]*)\"\s*[^:\s]",
    ),
    ("credential", ("--",), (*_NAMES, "token", "pass"), r"=[\"']?([^\s\"'$]+)"),
    # A field of a form in parts.
    (
        "credential",
        ('"',),
        (*_NAMES, "token", "pass", "pwd"),
        r"\"\r?\n(?:[^\r\n]+\r?\n)*\r?\n([^\r\n\"]+)",
    ),
    # Lines of headers, as verbose clients print them; variables, as `env` does.
    (
        "header",
        (),
        ("authorization", "proxyauthorization"),
        r"[\"']?\s*[:=]\s*[\"']?(?:[Bb]asic|[Bb]earer|[Tt]oken|[Dd]igest|ApiKey)\s+"
        + _HEADER_VALUE,
    ),
    (
        "header",
        (),
        ("x-api-key", "api-key", "x-goog-api-key", "x-auth-token"),
        r"[\"']?\s*: ?[\"']?" + _HEADER_VALUE,
    ),
    ("header", (), ("cookie", "set-cookie"), r"[\"']?\s*: ?[\"']?([^\s\"';,=]+=[^\"\r\n]+)"),
    (
        "credential",
        (),
        (
            "*PASSWORD",
            "*PASSPHRASE",
            "*_SECRET",
            "*API_KEY",
            "*SECRET_KEY",
            "*ACCESS_KEY",
            "*_TOKEN",
            "*_PASS",
            "*PRIVATE_KEY",
        ),
        r"=[\"']?([^\s\"'&;$<{(\[]{8,})",
    ),
)

_FORM_NAMES = frozenset((*_NAMES, "token", "pass", "pwd", "pw", "codeverifier", "clientassertion"))


def is_form_name(name: str) -> bool:
    """Whether a form's field of this name holds a secret."""
    return name.lower().replace("_", "").replace("-", "") in _FORM_NAMES
