"""The paths of `--ignore`: what they name, and nothing else."""

from __future__ import annotations

import pytest

from agenttrace.replay import json_path

VALUE = {
    "a": {"b": [1, {"c": 2, "d-e": 3}]},
    "x y": 4,
    "ids": [{"id": 1, "t": "p"}, {"id": 2, "t": "q"}],
}


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        (".a", {key: VALUE[key] for key in ("x y", "ids")}),
        ("$.a.b[1].c", {**VALUE, "a": {"b": [1, {"d-e": 3}]}}),
        (".a.b[1].d-e", {**VALUE, "a": {"b": [1, {"c": 2}]}}),
        ('["x y"]', {key: VALUE[key] for key in ("a", "ids")}),
        (".ids[*].id", {**VALUE, "ids": [{"t": "p"}, {"t": "q"}]}),
        (".ids[].id", {**VALUE, "ids": [{"t": "p"}, {"t": "q"}]}),
        (".a.*", {**VALUE, "a": {}}),
        (".ids[0]", {**VALUE, "ids": [None, {"id": 2, "t": "q"}]}),
        (".nothing.here", VALUE),
        (".a[0]", VALUE),
    ],
)
def test_a_path_takes_out_what_it_names(path: str, changed: object) -> None:
    """In jq's spelling or JSONPath's; what isn't there changes nothing."""
    before = repr(VALUE)
    assert json_path.without(VALUE, [json_path.parse(path)]) == changed
    assert repr(VALUE) == before


@pytest.mark.parametrize("path", ["", "$", "a", ".a..b", ".a[", ".a[-1]", "..", ".a[?(@.x)]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    """With the path in the message."""
    with pytest.raises(ValueError, match="path"):
        json_path.parse(path)
