"""Prices: exact names, tiers and caches, and no cost where one would be a guess."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from agenttrace import encoding, prices
from agenttrace.errors import AgentTraceError
from agenttrace.providers import provider_named

OPENAI = "https://api.openai.com/v1/chat/completions"
MILLION = 1_000_000
TABLE = prices.PriceTable(
    "test",
    {
        "openai": {
            "m": {"input": 2, "output": 10, "cached_input": 0.5},
            "m-2024-05-13": {"input": 5, "output": 15},
            "ft:m": {"input": 3, "output": 12},
            "embed": {"input": 0.02, "output": 0},
        },
        "anthropic": {
            "c": {"input": 3, "output": 15, "cached_input": 0.3, "cache_write_input": 3.75},
            "d": {"input": 3, "output": 15, "cache_write_input": 3.75, "cache_write_1h_input": 6},
        },
        "bedrock": {"eu.anthropic.c-v1:0": {"input": 4, "output": 20}},
        "gemini": {
            "g": {
                "input": 1,
                "output": 10,
                "cached_input": 0.1,
                "above": {
                    "128000": {"input": 2, "output": 12},
                    "200000": {"input": 4, "output": 20, "cached_input": 0.4},
                },
            }
        },
        "": {"local": {"input": 0, "output": 0}},
    },
)


def cost(provider: str, model: str, url: str = "http://127.0.0.1/x", **usage: int) -> float | None:
    return TABLE.cost_usd(provider, url, model, usage)


def of(provider: str, operation: str, usage: dict[str, Any], name: str) -> dict[str, int]:
    """The usage that this provider reads."""
    found = provider_named(provider)
    assert found is not None
    usage_read = found.answer(operation, 200, {name: usage}).usage
    assert usage_read is not None
    return usage_read


def test_what_is_written_for_an_hour_has_its_price() -> None:
    """Anthropic and Bedrock tell how much of the writing it is; without its price there is no cost."""
    told = {
        "input_tokens": 100,
        "output_tokens": 10,
        "cache_creation_input_tokens": 1000,
        "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600},
    }
    usage = of("anthropic", "messages", told, "usage")
    assert (usage["cache_write_input_tokens"], usage["cache_write_1h_input_tokens"]) == (1000, 600)
    dollars = (100 * 3 + 400 * 3.75 + 600 * 6 + 10 * 15) / MILLION
    assert cost("anthropic", "d", **usage) == pytest.approx(dollars)
    assert cost("anthropic", "c", **usage) is None
    same = {
        "inputTokens": 100,
        "outputTokens": 10,
        "cacheWriteInputTokens": 1000,
        "cacheDetails": [{"ttl": "5m", "inputTokens": 400}, {"ttl": "1h", "inputTokens": 600}],
    }
    assert of("bedrock", "converse", same, "usage") == usage


@pytest.mark.parametrize(
    "model",
    [
        "eu.anthropic.c-v1:0",
        "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.c-v1:0",
    ],
)
def test_bedrock_prices_have_the_regions_name(model: str) -> None:
    """The model's own name without it is another price, which is not guessed."""
    url = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/x/converse"
    assert cost("bedrock", model, url, input_tokens=MILLION, output_tokens=0) == 4
    assert cost("bedrock", "us." + model, url, input_tokens=1, output_tokens=0) is None


# Names


@pytest.mark.parametrize("model", ["m", "models/m", "m-2025-04-14", "m-20250414", "m@20250414"])
def test_a_model_is_found_by_its_name_without_a_date(model: str) -> None:
    """And without what `models/` ends."""
    assert cost("openai", model, input_tokens=MILLION, output_tokens=0) == 2


@pytest.mark.parametrize(
    ("model", "dollars"), [("m-2024-05-13", 5), ("ft:m:org::id", 3), ("ft:m-2025-04-14:org::i", 3)]
)
def test_the_exact_name_comes_first(model: str, dollars: int) -> None:
    """A dated model or a fine-tuned one can have a price of its own."""
    assert cost("openai", model, input_tokens=MILLION, output_tokens=0) == dollars


@pytest.mark.parametrize("model", ["m-mini", "M", "m-2025", "openai/m", "", "@1", "x" * 99])
def test_what_only_looks_alike_has_no_cost(model: str) -> None:
    """A guess would look like a fact."""
    assert cost("openai", model, input_tokens=1, output_tokens=1) is None


def test_the_host_says_whose_prices_hold() -> None:
    """A model of the same name elsewhere has another price, or none that is known."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    assert cost("openai", "m", OPENAI, **usage) is not None
    assert cost("openai", "m", "https://openrouter.ai/api/v1/chat/completions", **usage) is None
    assert cost("ollama", "m", **usage) is None
    assert cost("openai", "local", **usage) == 0
    assert prices.seller_of("gemini", "https://eu-aiplatform.googleapis.com/v1/x") == "vertex_ai"
    assert prices.seller_of("openai", "https://x.openai.azure.com/openai") == "azure"
    assert prices.seller_of("openai", "https://evil-api.example/api.x.ai") == "openai"
    assert prices.seller_of("openai", "http://[broken") == "openai"


# Counts


def test_cached_input_is_within_the_input_of_every_provider() -> None:
    """The same call costs the same, though Anthropic tells its input without the cache."""
    openai = of(
        "openai",
        "chat",
        {
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 60},
        },
        "usage",
    )
    anthropic = of(
        "anthropic",
        "messages",
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 60,
            "cache_creation_input_tokens": 30,
            "output_tokens": 10,
        },
        "usage",
    )
    gemini = of(
        "gemini",
        "generate_content",
        {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 60,
            "candidatesTokenCount": 4,
            "thoughtsTokenCount": 6,
        },
        "usageMetadata",
    )
    told = {"openai": (openai, "m"), "anthropic": (anthropic, "c"), "gemini": (gemini, "g")}
    found = {name: TABLE.cost_usd(name, "", model, usage) for name, (usage, model) in told.items()}
    assert found == {
        "openai": (40 * 2 + 60 * 0.5 + 10 * 10) / MILLION,
        "anthropic": (10 * 3 + 60 * 0.3 + 30 * 3.75 + 10 * 15) / MILLION,
        "gemini": (40 * 1 + 60 * 0.1 + 10 * 10) / MILLION,
    }


@pytest.mark.parametrize(
    ("tokens", "dollars"),
    [(128_000, 0.128), (128_001, 0.256002), (200_000, 0.4), (200_001, 0.800004)],
)
def test_a_long_input_makes_all_of_it_dearer(tokens: int, dollars: float) -> None:
    """Above a limit all tokens have that tier's price, at the limit not yet."""
    assert cost("gemini", "g", input_tokens=tokens, output_tokens=0) == dollars


def test_a_tier_keeps_the_prices_that_it_does_not_change() -> None:
    """The output's price changes with the input's length."""
    usage = {"input_tokens": 150_000, "cached_input_tokens": 150_000, "output_tokens": 1000}
    assert cost("gemini", "g", **usage) == (150_000 * 0.1 + 1000 * 12) / MILLION


def test_without_a_price_for_the_cache_it_costs_what_input_costs() -> None:
    """No discount is known."""
    usage = {"input_tokens": 100, "cached_input_tokens": 50, "output_tokens": 0}
    assert cost("openai", "m-2024-05-13", **usage) == 100 * 5 / MILLION


def test_counts_that_are_missing_give_no_cost() -> None:
    """Save output, where it costs nothing."""
    assert cost("openai", "m", input_tokens=1) is None
    assert cost("openai", "m", output_tokens=1) is None
    assert cost("openai", "embed", input_tokens=3) == 0.00000006


@pytest.mark.parametrize("value", [0.00000006, 0.000076, 1.5, 0.0, 12.0])
def test_costs_are_written_without_exponents(value: float) -> None:
    """jq would spell them anew, and the seal would not fit."""
    text = encoding.decimal(value).text.decode()
    assert re.fullmatch(r"\d+(\.\d+)?", text)
    assert float(text) == value


# Tables


def test_the_packages_table_knows_the_usual_models() -> None:
    """It is dated, names its source, and holds each seller's own names."""
    own = prices.own_prices()
    assert re.fullmatch(r"litellm [\d.]+, \d{4}-\d\d-\d\d", own.version)
    usage = {"input_tokens": MILLION, "output_tokens": 0}
    assert own.cost_usd("openai", OPENAI, "gpt-4o", {**usage, "input_tokens": 1000}) == 0.0025
    for provider, model in [
        ("openai", "gpt-5"),
        ("anthropic", "claude-sonnet-4-5-20250929"),
        ("gemini", "gemini-2.5-pro"),
    ]:
        assert own.cost_usd(provider, "", model, usage)
    told = json.loads(Path(prices.__file__).with_name("prices.json").read_text(encoding="utf-8"))
    assert "MIT" in told["licence"]
    assert "pypi.org" in told["source"]
    assert Path(prices.__file__).with_name("prices.json").stat().st_size < 300_000


def test_every_price_of_the_packages_table_is_a_plain_number() -> None:
    """Input and output in each, tiers with the same members."""
    told = json.loads(Path(prices.__file__).with_name("prices.json").read_text(encoding="utf-8"))
    for price in (one for models in told["models"].values() for one in models.values()):
        assert {"input", "output"} <= set(price)
        for part in (price, *price.pop("above", {}).values()):
            cache = {"cached_input", "cache_write_input", "cache_write_1h_input"}
            assert set(part) <= {"input", "output", *cache}
            assert all(0 <= value < 10_000 for value in part.values())


def test_a_file_of_prices_comes_before_the_packages_own(tmp_path: Path) -> None:
    """In litellm's form: per token, the seller in front of the name, tiers by their ending."""
    path = tmp_path / "prices.json"
    facts = {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}
    long = {"input_cost_per_token_above_200k_tokens": 3e-06}
    path.write_text(
        json.dumps(
            {
                "sample_spec": {"input_cost_per_token": 0},
                "openai/gpt-5": {"litellm_provider": "openai", **facts, **long},
                "house": facts,
                "no-price": {"litellm_provider": "openai", "max_tokens": 1},
                "odd": [1],
            }
        )
    )
    table = prices.read_prices(str(path))
    usage = {"input_tokens": 1000, "output_tokens": 1000}
    assert table.cost_usd("openai", OPENAI, "gpt-5", usage) == 0.003
    assert table.cost_usd("openai", OPENAI, "gpt-5", {**usage, "input_tokens": 300_000}) == 0.902
    assert table.cost_usd("ollama", "", "house", usage) == 0.003
    assert table.cost_usd("openai", OPENAI, "gpt-4o", usage) is not None
    assert table.cost_usd("openai", OPENAI, "no-price", usage) is None
    assert re.fullmatch(r"sha256:[0-9a-f]{16}, litellm .*", table.version)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"m": {"input_cost_per_token": "1"}}'])
def test_a_file_without_prices_is_refused(tmp_path: Path, text: str) -> None:
    """By a sentence, before anything is recorded."""
    path = tmp_path / "prices.json"
    path.write_text(text)
    with pytest.raises(AgentTraceError, match="litellm"):
        prices.read_prices(str(path))
    with pytest.raises(AgentTraceError, match="No such file"):
        prices.read_prices(str(tmp_path / "none"))
