"""What a Tracer and the hooks both see is in the trace once."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from agenttrace import Replayer
from agenttrace.errors import Divergence

from .conftest import AGENTS, of_kind

httpx = pytest.importorskip("httpx")


def check_seen_once(events: list[dict]) -> None:
    requests = of_kind(events, "llm_request")
    responses = of_kind(events, "llm_response")
    assert len(requests) == len(responses) == 2
    assert all("http" in request["data"] for request in requests)
    assert [response["data"]["usage"]["input_tokens"] > 0 for response in responses] == [True, True]
    (turn,) = of_kind(events, "span_start")
    assert {request["parent_span_id"] for request in requests} == {turn["span_id"]}
    (call,), (result,) = of_kind(events, "tool_call"), of_kind(events, "tool_result")
    assert call["span_id"] == result["span_id"]
    assert call["parent_span_id"] == requests[0]["span_id"]
    assert result["data"]["output"] == {"temp_c": 4}
    assert result["data"]["seen_by"] == "tracer"


def test_a_tracer_under_record_joins_its_trace(bench, server):
    """One trace; the exchange inside a Tracer's call is that call, its tool the tool that the model asked for."""
    ended = bench.run(
        "record", "-o", "t.jsonl", "--", sys.executable, AGENTS / "with_tracer.py", server.url
    )
    assert ended.status == 0, ended.stderr
    assert bench.report()["status"] == "intact"
    check_seen_once(bench.events())


def test_a_tracer_that_captures_sees_its_own_process(bench, server):
    """`Tracer(capture=True)` without a recorder: the same events in a file of its own."""
    command = [sys.executable, str(AGENTS / "with_tracer.py"), server.url, "own.jsonl"]
    subprocess.run(
        command, cwd=bench.folder, env=bench.environment, check=True, capture_output=True
    )
    assert bench.report("own.jsonl")["status"] == "intact"
    check_seen_once(bench.events("own.jsonl"))


def test_a_replayer_answers_this_process(bench, server, sdk_python):
    """The same code, the recorded answers; a changed prompt is a Divergence, swallowed or not."""
    bench.serve_from(server)
    bench.run(
        "record", "-o", "t.jsonl", "--", sdk_python, AGENTS / "every_client.py", "httpx_plain"
    )
    url = server.url + "/v1/chat/completions"
    body = server.requests[0]["body"]
    with Replayer(bench.folder / "t.jsonl") as replay:
        answer = httpx.post(url, json=body).json()
    assert answer["choices"][0]["message"]["content"]
    assert replay.report.matched == 1
    assert replay.report.unasked == ()
    with pytest.raises(Divergence, match=r"messages\[0\]"), Replayer(bench.folder / "t.jsonl"):
        httpx.post(url, json={**body, "messages": [{"role": "user", "content": "Something else."}]})
    assert len(server.requests) == 1


def test_hooks_and_tracer_share_one_span_whichever_was_first(bench, server):
    """A Tracer that is imported before anything is hooked: its spans hold what the hooks see later."""
    code = """
        import sys
        from agenttrace import Tracer
        with Tracer() as tracer, tracer.span("work"):
            import subprocess, urllib.request
            subprocess.run(["true"], check=True)
            urllib.request.urlopen(sys.argv[1]).read()
    """
    bench.run(
        "record", "-o", "t.jsonl", "--", sys.executable, "-c", textwrap.dedent(code), server.url
    )
    (span,) = of_kind(bench.events(), "span_start")
    for kind in ("process_start", "http_request"):
        assert of_kind(bench.events(), kind)[0]["parent_span_id"] == span["span_id"]
