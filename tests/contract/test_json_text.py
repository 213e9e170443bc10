"""`compact_json`, with the standard library's parser as the oracle."""

from __future__ import annotations

import json
from types import ModuleType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.contract.conftest import load

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip

SPELLED = [
    (b' { "a" : [ 1 , 2 ] } ', b'{"a":[1,2]}'),
    (rb'"\u0041\/\u00fc\ud83d\ude00"', '"A/ü😀"'.encode()),
    (rb'"\b\f\n\r\t\u0008\u000A\u001F\u0000"', rb'"\b\f\n\r\t\b\n\u001f\u0000"'),
    (rb'"\"\\\u0022\u005c"', rb'"\"\\\"\\"'),
    (b'"\x7f\\u007f"', b'"\x7f\x7f"'),
    (b"[-0,1E+2,1.50,123456789012345678901234567890]", b"[-0,1E+2,1.50,123456789012345678901234567890]"),
    (b"\t\r\n[ ]", b"[]"),
    (b'{"a":{},"b":[{}]}', b'{"a":{},"b":[{}]}'),
    (b"null", b"null"),
]  # fmt: skip

WRONG = [
    (b"", 0), (b"[1,]", 3), (b"{,}", 1), (b'{"a" 1}', 5), (b"01", 1), (b"1.", None), (b"+1", 0),
    (b"NaN", 0), (b"-Infinity", None), (b"tru", 0), (b'"\x01"', 1), (b'"a', None), (b'"\\x"', 1),
    (b"[1] 2", 4), (b"[1}", 2), (b"\xef\xbb\xbf1", 0), (b'"\xff"', 1), (b'"\xed\xa0\x80"', 1),
    (b'"\xc0\x80"', 1), (b'{"a":1,"a":2}', 7), (rb'{"a":1,"\u0061":2}', 7), (rb'"\ud800"', 1),
    (rb'"\ude00"', 1), (rb'"\ud800\u0041"', 1), (rb'"\ud800\ud800"', 1), (b"'a'", 0), (b"[1 2]", 3),
    (b"{1:2}", 1), (b'{"a":1,}', 7), (b"nul\x00", 0), (b"1e", None), (b"-", None), (b"[", 1),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), SPELLED)
def test_a_value_is_spelled_compactly(backend: ModuleType, text: bytes, wanted: bytes) -> None:
    """No white space, the fewest escapes, numbers digit for digit."""
    assert backend.compact_json(text) == wanted


@pytest.mark.parametrize(("text", "at"), WRONG)
def test_what_is_not_json_is_refused_with_its_place(
    backend: ModuleType, text: bytes, at: int | None
) -> None:
    """RFC 8259 and the format's profile; the message ends in the byte."""
    with pytest.raises(ValueError, match=r" at byte \d+$" if at is None else rf" at byte {at}$"):
        backend.compact_json(text)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_depth_is_counted_in_containers(backend: ModuleType, opening: bytes) -> None:
    """So many containers within each other are allowed, one more is not."""
    closing = b"]" if opening == b"[" else b"}"
    fits = opening * 126 + b"1" + closing * 126
    assert backend.compact_json(fits) == fits
    assert backend.compact_json(b"[[]]", 2) == b"[[]]"
    for text, depth in ((opening + fits + closing, 126), (b"[[]]", 1), (b"[]", 0)):
        with pytest.raises(ValueError, match="at byte"):
            backend.compact_json(text, depth)


def test_the_deepest_nesting_overflows_no_stack(backend: ModuleType) -> None:
    """A million brackets are too deep, not a crash."""
    with pytest.raises(ValueError, match="at byte 126"):
        backend.compact_json(b"[" * 1_000_000)


@pytest.mark.parametrize("name", ["native", "pure"])
@settings(max_examples=150)
@given(value=VALUES, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_any_value_means_what_it_meant(
    name: str, value: object, indent: int | None, ascii_only: bool
) -> None:
    """The standard library reads the same out of it, and would spell it so."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    spelled = load(name).compact_json(text)
    assert json.loads(spelled) == value
    assert spelled == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@settings(max_examples=300)
@given(text=st.binary(max_size=30) | st.text('[]{}",:\\u0dD8eE+-.123 tfn\x01é').map(str.encode))
@example(text=b'["\\ud83d\\ude00", 1e5]')
def test_both_backends_refuse_the_same(text: bytes) -> None:
    """Whatever the bytes: the same spelling, or both refuse at the same place."""

    def outcome(name: str) -> object:
        try:
            return load(name).compact_json(text)
        except ValueError as error:
            return type(error)

    assert outcome("native") == outcome("pure")
