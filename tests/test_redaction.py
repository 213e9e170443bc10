"""What is a secret is replaced, and what only looks a little like one is not."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from agenttrace import _backend
from agenttrace.recording import Recording
from agenttrace.redaction import Redactor, clean_url, is_secret_variable, kept_headers

SECRETS = [
    "sk-ant-api03-abcdefghijklmnopqrstuvwxyz",
    "sk-proj-abcdefghijklmnopqrstuvwxyz0123",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "AKIAABCDEFGHIJKLMNOP",
    "AIzaabcdefghijklmnopqrstuvwxyz012345678",
    "xoxb-123456789012-abcdefghij",
    "hf_abcdefghijklmnopqrstuvwxyz0123",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27uhbUJU1p1r",
]
INNOCENT = [
    "ask-me-anything-about-rivers-and-lakes",
    "task-force-of-the-committee",
    "sk-learn",
    "the bearer of good news from the town",
    "AKIA",
    "eyJ",
    "ghp_short",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "https://example.org/path?page=2&sort=key",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_keys_of_well_known_shapes_are_replaced(secret: str) -> None:
    """Wherever they stand in a text; the rest of it stays, and it stays JSON."""
    redactor = Redactor({})
    cleaned = redactor.clean(json.dumps({"text": f"it is {secret}, I think"}).encode())
    assert secret.encode() not in cleaned
    text = json.loads(cleaned)["text"]
    assert text.startswith("it is [redacted:")
    assert text.endswith(", I think")
    assert redactor.count == 1


@pytest.mark.parametrize("text", INNOCENT)
def test_look_alikes_stay_whole(text: str) -> None:
    """Not one byte of an innocent text changes."""
    data = json.dumps({"text": text}).encode()
    assert Redactor({}).clean(data) == data


@pytest.mark.parametrize(
    "value", ["s3cr3t-value", 'with"quote\\and', "mit Umläuten ß", "(regex).*+"]
)
def test_values_of_secret_variables_are_replaced(value: str) -> None:
    """By the variable's name, as they are spelled in JSON."""
    redactor = Redactor({"SERVICE_TOKEN": value, "OTHER": "s3cr3t"})
    data = json.dumps({"argv": ["run", f"--token={value}"]}, ensure_ascii=False).encode()
    assert json.loads(redactor.clean(data)) == {"argv": ["run", "--token=[redacted:SERVICE_TOKEN]"]}


def test_the_longer_of_two_secrets_wins() -> None:
    """One value may hold another."""
    redactor = Redactor({"A_KEY": "abcdefgh", "B_KEY": "abcdefgh-and-more"})
    assert redactor.clean(b'{"x":"abcdefgh-and-more"}') == b'{"x":"[redacted:B_KEY]"}'


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [("OPENAI_API_KEY", True), ("DB_PASSWORD", True), ("GITHUB_TOKEN", True), ("DB_PWD", True),
     ("AWS_SECRET_ACCESS_KEY", True), ("PWD", False), ("OLDPWD", False), ("PATH", False),
     ("SMTP_PASS", True), ("ADMIN_PW", True), ("APP_SECRETS", True), ("API_KEYS", True), ("ACCESSTOKEN", True),
     ("githubToken", True), ("ADMIN_CREDS", True), ("MY_JWT", True), ("SSH_ASKPASS", False), ("BYPASS", False),
     ("MAX_TOKENS", False), ("COMPASS", False),
     ("KEYBOARD", False), ("SSH_AUTH_SOCK", False), ("TOKENIZERS_PARALLELISM", False)],
)  # fmt: skip
def test_a_variables_name_tells(name: str, is_secret: bool) -> None:
    """By whole words of it."""
    assert is_secret_variable(name, "a long enough value") is is_secret


@pytest.mark.parametrize(
    "value", ["changeme", "Placeholder", "undefined", "not-needed", '"password"', "true", "test"]
)
def test_a_stand_in_for_a_secret_is_a_word_like_others(value: str) -> None:
    """Where no secret is asked for; texts with the word in them would be ruined."""
    data = json.dumps({"text": f"a {value} it is"}).encode()
    assert Redactor({"API_KEY": value}).clean(data) == data


@pytest.mark.parametrize("value", [" padded-value-9\n", '"quoted-value-9"', "'quoted-value-9'"])
def test_what_a_file_of_variables_left_around_a_value_is_not_part_of_it(value: str) -> None:
    """Whoever reads the variable drops it."""
    bare = value.strip(" \n\"'")
    cleaned = Redactor({"MY_TOKEN": value}).clean(json.dumps({"text": bare}).encode())
    assert json.loads(cleaned) == {"text": "[redacted:MY_TOKEN]"}


@pytest.mark.parametrize("value", ["pa\\nssword", "pa%41ssword", 'p\\"assword', "p\\\\u0041ssw"])
def test_a_value_that_looks_escaped_is_found_where_it_is_escaped_once_more(value: str) -> None:
    """With percent signs, as JSON, and as both."""
    redactor = Redactor({"MY_TOKEN": value})
    for spelled in (
        value,
        quote(value, safe=""),
        json.dumps({"a": value}),
        quote(json.dumps({"a": value}), safe=""),
    ):
        cleaned = json.loads(redactor.clean(json.dumps({"text": spelled}).encode()))
        assert "[redacted:MY_TOKEN]" in cleaned["text"], spelled


@pytest.mark.parametrize("value", ["12345678", 'with"quote\\and', "mit Uml\u00e4uten"])
def test_a_value_is_found_within_base64_of_json(value: str) -> None:
    """As a cursor or a message of a queue has it; short ones too."""
    redactor = Redactor({"MY_TOKEN": value})
    for is_ascii in (True, False):
        inner = json.dumps({"user": "x", "key": value}, ensure_ascii=is_ascii).encode()
        for letters in (base64.b64encode(inner), base64.urlsafe_b64encode(inner)):
            cleaned = json.loads(redactor.clean(json.dumps({"t": letters.decode()}).encode()))
            assert "[redacted:MY_TOKEN]" in cleaned["t"]


def test_a_kept_variable_is_no_secret() -> None:
    """`--env NAME`."""
    data = b'{"x":"not-so-secret"}'
    assert Redactor({"MY_TOKEN": "not-so-secret"}, keep=["MY_TOKEN"]).clean(data) == data


def test_urls_and_headers_are_cleaned() -> None:
    """Query values by their names, passwords in the authority, headers by an allow-list."""
    url = "https://me:pass@example.org/x?api_key=12&page=3&X-Amz-Signature=ab#top"
    assert clean_url(url) == (
        "https://me:[redacted:url]@example.org/x?api_key=[redacted:url]&page=3&X-Amz-Signature=[redacted:url]#top"
    )
    pairs = [
        ["Authorization", "Bearer x"],
        ["Content-Type", "a/b"],
        ["X-Api-Key", "y"],
        ["Cookie", "z"],
    ]
    assert kept_headers(pairs) == {"content-type": "a/b"}


def test_where_an_answer_sends_the_client_is_kept_without_its_secrets() -> None:
    """A replay has to follow a redirect; its URL is cleaned like any other."""
    assert kept_headers([["Location", "/there?token=12&page=3"]]) == {
        "location": "/there?token=[redacted:url]&page=3"
    }


def test_a_secret_is_found_as_urls_spell_it() -> None:
    """Percent-encoded in a path or a query, in either case, and as a form has it."""
    redactor = Redactor({"DB_PASSWORD": 'p@ss "w\u00f6rd"/x'})
    for spelled in (
        "p%40ss%20%22w%C3%B6rd%22%2Fx",
        "p%40ss%20%22w%c3%b6rd%22%2fx",
        "p%40ss+%22w%C3%B6rd%22%2Fx",
    ):
        data = json.dumps({"url": f"http://h/p?x={spelled}&y=1"}).encode()
        assert json.loads(redactor.clean(data)) == {
            "url": "http://h/p?x=[redacted:DB_PASSWORD]&y=1"
        }


def test_the_reason_of_a_gap_is_cleaned_for_the_summary_too(tmp_path: Path) -> None:
    """It may quote what a process sent or a server answered; it is counted once."""
    redactor = Redactor({})
    fd = os.open(tmp_path / "t.jsonl", os.O_CREAT | os.O_RDWR, 0o600)
    writer = _backend.Writer(fd, "0" * 31 + "1", redactor=redactor.engine)
    recording = Recording(writer, redactor)
    recording.gap(f"unreadable: {SECRETS[0]}")
    os.close(fd)
    assert recording.gaps == ["unreadable: [redacted:anthropic-key]"]
    assert SECRETS[0] not in (tmp_path / "t.jsonl").read_text()
    assert recording.totals()["redactions"] == 1
