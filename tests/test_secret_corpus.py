"""No secret of the corpus stays in any spelling, and no look-alike changes by a byte; in both backends."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from agenttrace import _backend
from agenttrace.redaction import PieceCleaner, Redactor
from tests.secret_corpus import LOOK_ALIKES, NAMED, SHAPED

_BARE = "hunter2-Correct.Horse"
_SPECIAL = 'p"a\\s/s\nw\u00f6rd 50%'


def _escaped(text: str) -> str:
    """Every letter as JSON may spell it."""
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


def _spellings(secret: str) -> list[bytes]:
    once = json.dumps({"content": f"x {secret} y"})
    twice = json.dumps({"arguments": once})
    return [
        once.encode(),
        json.dumps({"content": f"x {secret} y"}, ensure_ascii=False).encode(),
        twice.encode(),
        json.dumps({"text": twice}).encode(),
        json.dumps({secret: 1, secret + " ": 2}).encode(),
        json.dumps({"url": "https://h/" + quote(secret, safe="")}).encode(),
        json.dumps({"url": "https://h/" + quote(secret, safe="").lower()}).encode()
        if secret == secret.lower()
        else b"{}",
        json.dumps({"text": '{"a":"' + _escaped(secret) + '"}'}).encode(),
        b'{"text":{"base64":"%s"}}' % base64.b64encode(b"\xff\xfe" + secret.encode() + b" \xff"),
    ]


def _decoded(data: bytes) -> str:
    """All that a reader of it could come upon, one under the other."""
    found = [data.decode()]

    def walk(value: object) -> None:
        if isinstance(value, str):
            found.append(value)
            if value[:1] in "{[":
                try:
                    walk(json.loads(value))
                except ValueError:
                    return
        elif isinstance(value, list):
            for part in value:
                walk(part)
        elif isinstance(value, dict):
            if set(value) == {"base64"}:
                found.append(base64.b64decode(value["base64"]).decode("latin-1"))
            for name, part in value.items():
                walk(name)
                walk(part)

    walk(json.loads(data))
    return "\n".join(found)


@pytest.mark.parametrize("secret", SHAPED)
def test_shapes_are_found_in_every_spelling(secret: str) -> None:
    """At any depth of JSON, percent-encoded, letter by letter escaped, in bytes; it stays JSON."""
    redactor = Redactor({})
    for data in _spellings(secret):
        compact = _backend.compact_json(data)
        cleaned = redactor.clean(compact)
        assert secret[12:] not in _decoded(cleaned), data
        assert _backend.compact_json(cleaned) == cleaned, "JSON as a line spells it"
        assert redactor.clean(cleaned) == cleaned, "once is enough"


@pytest.mark.parametrize("value", [_BARE, _SPECIAL, "12345678", "ends-with\\"])
def test_values_of_variables_are_found_in_every_spelling(value: str) -> None:
    """Whatever letters they are made of."""
    redactor = Redactor({"MY_TOKEN": value})
    for data in _spellings(value):
        cleaned = redactor.clean(_backend.compact_json(data))
        assert value not in _decoded(cleaned), data
        assert _backend.compact_json(cleaned) == cleaned
    number = redactor.clean(b'{"n":[12345678,123456789]}')
    assert json.loads(number)["n"][1] == 123456789


def test_a_number_that_is_a_secret_becomes_a_string() -> None:
    """It stays JSON; in a string it is replaced like any other."""
    redactor = Redactor({"PIN_SECRET": "12345678"})
    assert redactor.clean(b'{"a":12345678,"b":"x 12345678","c":"{\\"d\\":12345678}"}') == (
        b'{"a":"[redacted:PIN_SECRET]","b":"x [redacted:PIN_SECRET]","c":"{\\"d\\":[redacted:PIN_SECRET]}"}'
    )


def test_values_are_found_in_base64() -> None:
    """As `Authorization: Basic` has a name and a password, wherever in it they stand."""
    redactor = Redactor({"DB_PASSWORD": _BARE})
    for user in ("u", "us", "usr", "user"):
        text = base64.b64encode(f"{user}:{_BARE}".encode()).decode()
        cleaned = json.loads(redactor.clean(json.dumps({"x": text}).encode()))["x"]
        assert "[redacted:DB_PASSWORD]" in cleaned
        assert len(cleaned.replace("[redacted:DB_PASSWORD]", "")) < len(user) * 1.5 + 6


@pytest.mark.parametrize("text", NAMED)
def test_secrets_behind_a_name_are_found(text: str) -> None:
    """A secret of no shape, by what stands in front of it; also in JSON in a string in JSON."""
    redactor = Redactor({})
    whole = text.format(_BARE)
    for data in (json.dumps({"t": whole}), json.dumps({"t": json.dumps({"u": whole})})):
        cleaned = redactor.clean(data.encode())
        assert _BARE not in _decoded(cleaned)
        json.loads(cleaned)
    if text[:1] in '{["' and "'" not in text:
        assert _BARE not in _decoded(redactor.clean(_backend.compact_json(whole.encode())))


@pytest.mark.parametrize("option", ["--password", "--token", "-api-key", "x-Cookie-Cookie"])
def test_the_name_of_a_member_behind_an_option_is_none_of_its_values(option: str) -> None:
    """An option in an array is followed by its value; a string that is one, in an object, by another member."""
    data = {"text": option, "fd": 1, "x": {"flag": option, "about": "it"}, "argv": [option, "-v"]}
    for text in (json.dumps(data), json.dumps({"t": json.dumps(data)})):
        compact = _backend.compact_json(text.encode())
        assert Redactor({}).clean(compact) == compact
    if option[:2] == "--":
        for value in (_BARE, 'hun"ter2-Correct', "a, b]: c"):
            text = json.dumps({"argv": ["tool", option, value, "-v"], "all": [option, value]})
            cleaned = json.loads(Redactor({}).clean(_backend.compact_json(text.encode())))
            assert cleaned["argv"] == ["tool", option, "[redacted:credential]", "-v"]
            assert cleaned["all"] == [option, "[redacted:credential]"]


def test_a_quote_in_a_password_does_not_end_it() -> None:
    """At any depth of escaping."""
    data = {"a": {"password": 'hun"ter2\\', "n": "x"}}
    for _ in range(4):
        cleaned = Redactor({}).clean(_backend.compact_json(json.dumps(data).encode()))
        assert b"ter2" not in cleaned
        inner = json.loads(cleaned)
        while "t" in inner:
            inner = json.loads(inner["t"])
        assert inner["a"]["n"] == "x"
        data = {"t": json.dumps(data)}


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_look_alikes_stay_whole(text: str) -> None:
    """As a string, in JSON in a string, as bytes, as a piece; as JSON where it is JSON."""
    redactor = Redactor({"MY_TOKEN": _BARE, "OTHER_KEY": _SPECIAL})
    texts = [json.dumps({"t": text}), json.dumps({"t": json.dumps({"u": [text]})})]
    if text[:1] == "{":
        texts.append(text)
    for data in texts:
        compact = _backend.compact_json(data.encode())
        assert redactor.clean(compact) == compact
    assert redactor.clean_text(text.encode()) == text.encode()
    pieces = PieceCleaner(redactor)
    assert (
        b"".join([pieces.feed(text[:5].encode()), pieces.feed(text[5:].encode()), pieces.rest()])
        == text.encode()
    )
    assert redactor.count == 0


def test_the_corpus_is_as_large_as_it_should_be() -> None:
    """60 secrets and 200 look-alikes."""
    assert len(set(SHAPED)) + len(set(NAMED)) >= 60
    assert len(set(LOOK_ALIKES)) >= 200


@pytest.mark.parametrize("secret", [*SHAPED[:6], SHAPED[-1], _BARE, _SPECIAL])
def test_a_cut_at_any_place_hides_it_still(secret: str) -> None:
    """In two pieces and in three; what is around it stays, in its order."""
    raw = secret.encode()
    stream = b"before it " + raw + b" behind it"
    for cut in range(1, len(stream), 1 if len(stream) < 200 else 37):
        redactor = Redactor({"MY_TOKEN": _BARE, "OTHER_KEY": _SPECIAL})
        pieces = PieceCleaner(redactor)
        second = min(cut + 9, len(stream))
        text = b"".join(
            [
                pieces.feed(stream[:cut]),
                pieces.feed(stream[cut:second]),
                pieces.feed(stream[second:]),
                pieces.rest(),
            ]
        )
        assert raw[4:] not in text
        assert raw[:12] not in text or raw.startswith(b"-----"), (cut, text)
        assert text.startswith(b"before it ")
        assert text.endswith(b" behind it")
        assert redactor.count == 1


@pytest.mark.parametrize("end", ["sk-", "glp", "ghp_", "Bear", "hunter2-C", "passw"])
def test_a_secret_that_ends_as_another_begins_is_not_cut(end: str) -> None:
    """What waits is all of it, wherever the network cuts."""
    for secret in (b"vtEga4_O5Nx" + end.encode(), b"sk-" + b"a1B2" * 8 + end.encode()):
        redactor = Redactor({"MY_TOKEN": "vtEga4_O5Nx" + end, "OTHER_KEY": _BARE})
        for cut in range(1, len(secret) + 1):
            pieces = PieceCleaner(redactor)
            text = pieces.feed(b"it is " + secret[:cut]) + pieces.feed(secret[cut:] + b" so")
            text += pieces.rest()
            assert not any(secret[at : at + 5] in text for at in range(len(secret) - 4)), text
            assert text.startswith(b"it is ")
            assert text.endswith(b" so")


def test_what_waits_is_little_and_comes_at_the_end() -> None:
    """Nothing that can't be a secret waits; a beginning that nothing follows is written."""
    pieces = PieceCleaner(Redactor({"MY_TOKEN": _BARE}))
    assert pieces.feed(b"hello, world") == b"hello, world"
    assert pieces.feed(b"and hunter2-") == b"and "
    assert pieces.rest() == b"hunter2-"
    assert pieces.feed(b"sk-ant-" + b"a" * 9000) != b"", "not more than 4 KiB"
    long = PieceCleaner(Redactor({"MY_TOKEN": "abc" * 3000 + "sk-"}))
    assert long.feed(b"abc" * 3000 + b"sk-") == b"[redacted:MY_TOKEN]", "nor for one that is whole"


def test_own_patterns_see_each_string_as_the_program_had_it() -> None:
    """Names of members too; structure, numbers and placeholders stay; empty matches are nothing."""
    if _backend.BACKEND == "pure":
        pytest.skip("literal strings only")
    redactor = Redactor({}, patterns=[r"^a\"b\n\w+$", r"\d{4}", "x*", ".*secret.*"])
    assert redactor.clean(
        b'{"k":"a\\"b\\nc","n":1234,"1234":"12345","z":"[redacted:1234] secret"}'
    ) == (
        b'{"k":"[redacted:redact-1]","n":1234,"[redacted:redact-2]":"[redacted:redact-2]5",'
        b'"z":"[redacted:1234][redacted:redact-4]"}'
    )
    with pytest.raises(ValueError, match=r"(?s)redact-2.*unclosed group"):
        Redactor({}, patterns=["fine", "("])


def test_the_pure_backend_takes_literals() -> None:
    """And says so."""
    if _backend.BACKEND != "pure":
        pytest.skip("of the pure backend")
    assert (
        Redactor({}, patterns=["a.b".replace(".", r"\.")]).clean(b'{"x":"a.b"}')
        == b'{"x":"[redacted:redact-1]"}'
    )
    with pytest.raises(ValueError, match="literal"):
        Redactor({}, patterns=["a.*b"])
