"""`record --rotate`: a long-lived command's trace goes on in the next file, and nothing is lost between them."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import of_kind

PRINTS = "import time\nfor i in range(200): print('line %03d' % i, 'x' * 100, flush=True); time.sleep(0.002)"


def _traces(bench, pattern: str = "t*.jsonl") -> list[list[dict]]:
    """The events of each file, in the order in which they were written."""
    names = sorted(
        (path.name for path in bench.folder.glob(pattern)),
        key=lambda name: int(name.split(".")[1]) if name.count(".") > 1 else 0,
    )
    return [bench.events(name) for name in names]


def test_full_files_are_followed_by_others(bench, sdk_python):
    ended = bench.run(
        "record", "-o", "t.jsonl", "--rotate", "8K", "--no-entropy", "--", sdk_python, "-c", PRINTS
    )
    assert ended.status == 0, ended.stderr
    traces = _traces(bench)
    assert len(traces) > 3
    text = "".join(
        event["data"]["text"] for events in traces for event in of_kind(events, "stdout")
    )
    assert text == ended.stdout
    for before, after in zip(traces, traces[1:]):
        start, end = after[0]["data"], before[-1]["data"]
        assert start["parent"] == {"trace_id": before[0]["trace_id"], "why": "rotated"}
        assert start["command"] == before[0]["data"]["command"]
        assert (end["status"], end["continued_in"]) == ("ok", after[0]["trace_id"])
    assert "continued_in" not in traces[-1][-1]["data"]
    reports = bench.run("verify", *sorted(path.name for path in bench.folder.glob("t*.jsonl")))
    assert reports.status == 0, reports.stdout
    assert f"{sum(map(len, traces))} events" in ended.stderr


def test_a_file_that_is_there_is_not_touched(bench, sdk_python):
    (bench.folder / "t.1.jsonl").write_text("mine")
    bench.run("record", "-o", "t.jsonl", "--rotate", "8K", "--", sdk_python, "-c", PRINTS)
    assert (bench.folder / "t.1.jsonl").read_text() == "mine"
    following = json.loads((bench.folder / "t.2.jsonl").read_text().split("\n")[0])
    assert following["data"]["parent"]["why"] == "rotated"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--rotate", "x"], "'x' is no size"),
        (["--rotate", "0"], "'0' is no size"),
        (["-o", "-", "--rotate", "1M"], "needs a file"),
        (["--sign", "key.pem", "--rotate", "1M"], "exclude each other"),
    ],
)
def test_wrong_usage(bench, options, words):
    ended = bench.run("record", *options, "--", "true")
    assert ended.status == 2
    assert words in ended.stderr
