"""The frames between an agent's processes and the collector."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from agenttrace.capture import frames

HEADS = st.dictionaries(
    st.text(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
)


@given(HEADS)
def test_a_head_without_json_is_what_json_makes_of_it(head):
    """The first frames of a process are spelled without that module; the other side sees no difference."""
    wanted = json.dumps(head, ensure_ascii=True, separators=(",", ":"))
    assert frames._json_of(head) == wanted


@given(st.lists(st.tuples(HEADS, st.binary(max_size=50)), max_size=4), st.integers(1, 40))
def test_frames_come_out_as_they_went_in(sent, step):
    """Whatever the pieces that they travel in."""
    data = b"".join(frames.encode(head, body) for head, body in sent)
    decoder = frames.Decoder()
    got = []
    for start in range(0, len(data), step):
        got += decoder.feed(data[start : start + step])
    assert got == sent
    assert decoder.pending_bytes == 0
