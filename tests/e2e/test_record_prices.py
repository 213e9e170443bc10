"""What model calls cost: by the package's table, by one of the user's own, or not told."""

from __future__ import annotations

import json

from .conftest import AGENTS, of_kind
from .test_record_clients import recorded


def test_a_call_has_its_cost_and_the_trace_the_tables_version(bench, server, sdk_python):
    """By the counts of the answer and the list price of its model; summed up at the end, and in the summary."""
    ended, events = recorded(bench, server, sdk_python, AGENTS / "every_client.py", "openai_plain")
    (response,) = of_kind(events, "llm_response")
    usage = response["data"]["usage"]
    fresh = usage["input_tokens"] - usage["cached_input_tokens"]
    expected = (
        fresh * 1.25 + usage["cached_input_tokens"] * 0.125 + usage["output_tokens"] * 10
    ) / 1e6
    assert response["data"]["cost_usd"] == round(expected, 12)
    assert events[0]["data"]["prices"].startswith("litellm ")
    assert events[-1]["data"]["totals"]["cost_usd"] == round(expected, 9)
    assert events[-1]["data"]["totals"]["unpriced_calls"] == 0
    assert "$0.000" in ended.stderr
    for line in (bench.folder / "t.jsonl").read_bytes().split(b"\n"):
        assert b"e-0" not in line.partition(b'"cost_usd":')[2][:20]


def test_a_model_without_a_price_is_counted(bench, server, sdk_python):
    """There is no cost then, not zero."""
    _, events = recorded(bench, server, sdk_python, AGENTS / "every_client.py", "anthropic_plain")
    (response,) = of_kind(events, "llm_response")
    assert "cost_usd" not in response["data"]
    totals = events[-1]["data"]["totals"]
    assert totals["unpriced_calls"] == 1
    assert "cost_usd" not in totals


def test_own_prices_come_first(bench, server, sdk_python):
    """In litellm's form; a file that is none is refused before the command starts."""
    bench.serve_from(server)
    price = {"input_cost_per_token": 0.01, "output_cost_per_token": 0}
    (bench.folder / "p.json").write_text(json.dumps({"claude": price}))
    command = ("--", sdk_python, AGENTS / "every_client.py", "anthropic_plain")
    ended = bench.run("record", "-o", "t.jsonl", "--prices", "p.json", *command)
    assert ended.status == 0, ended.stderr
    events = bench.events()
    (response,) = of_kind(events, "llm_response")
    usage = response["data"]["usage"]
    assert response["data"]["cost_usd"] == round(usage["input_tokens"] * 0.01, 12)
    assert events[0]["data"]["prices"].startswith("sha256:")
    (bench.folder / "p.json").write_text("{}")
    refused = bench.run("record", "-o", "u.jsonl", "--prices", "p.json", *command)
    assert refused.status == 125
    assert "p.json: no prices in litellm's form" in refused.stderr
    assert not (bench.folder / "u.jsonl").exists()
