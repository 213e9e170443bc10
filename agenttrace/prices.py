"""What a model call costs: a dated table of list prices, looked up by who serves a model and its exact name.

The table that comes with the package is `prices.json`, made by tools/make_prices.py out of a public
source that it names. What is not in a table has no cost; nothing here guesses. Costs are those of
text at the standard service tier: batches, priority tiers, sound, images and the provider's own
tools have prices of their own, which a usage does not tell of.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agenttrace.errors import AgentTraceError

# By the end of the host: whose prices hold there. Elsewhere (gateways, proxies) those of the
# company whose protocol is spoken; a host that resells under the same names belongs in this list.
_HOSTS = {
    "openai.azure.com": "azure",
    "cognitiveservices.azure.com": "azure",
    "services.ai.azure.com": "azure",
    "aiplatform.googleapis.com": "vertex_ai",
    "amazonaws.com": "bedrock",
    "api.deepseek.com": "deepseek",
    "api.mistral.ai": "mistral",
    "api.x.ai": "xai",
    "api.groq.com": "groq",
    "api.together.xyz": "together_ai",
    "api.together.ai": "together_ai",
    "api.cerebras.ai": "cerebras",
    "api.moonshot.ai": "moonshot",
    "api.moonshot.cn": "moonshot_cn",
    "api.z.ai": "zai",
    "openrouter.ai": "openrouter",
}
# A price, and what the source calls it.
_MEMBERS = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "cache_write_input": "cache_creation_input_token_cost",
    "cache_write_1h_input": "cache_creation_input_token_cost_above_1hr",
}
_ABOVE = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")
# What the source calls those whose prices are kept together here.
_SELLERS = {
    "text-completion-openai": "openai",
    "vertex_ai-language-models": "vertex_ai",
    "vertex_ai-embedding-models": "vertex_ai",
    "vertex_ai-anthropic_models": "vertex_ai",
    "azure_ai": "azure",
    "bedrock_converse": "bedrock",
}
_DATE = re.compile(r"(?:-\d{4}-\d\d-\d\d|-\d{8}|@[\w.-]+)$")
_MILLION = 1_000_000


class PriceTable:
    """Prices in US dollars for a million tokens: `models[seller][model]` = {"input", "output", perhaps
    "cached_input", "cache_write_input", "cache_write_1h_input", and "above": {"200000": the same for
    inputs longer than that}}. The seller "" stands for any.
    """

    def __init__(self, version: str, models: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        self.version = version
        self._models = models

    def over(self, other: PriceTable) -> PriceTable:
        """These prices, and for what they don't hold the other's."""
        sellers = {*self._models, *other._models}
        models = {
            seller: {**other._models.get(seller, {}), **self._models.get(seller, {})}
            for seller in sellers
        }
        return PriceTable(f"{self.version}, {other.version}", models)

    def cost_usd(
        self, provider: str, url: str, model: str | None, usage: Mapping[str, int]
    ) -> float | None:
        """What this usage costs; None where the price or a count that it needs isn't known.

        provider: whose protocol the URL was asked in. usage: as `Answer.usage` has it.
        """
        price = self._price(seller_of(provider, url), model) if model else None
        tokens = usage.get("input_tokens")
        if price is None or tokens is None:
            return None
        output = usage.get("output_tokens")
        limits = [limit for limit in price.get("above", {}) if tokens > int(limit)]
        if limits:
            price = {**price, **price["above"][max(limits, key=int)]}
        if output is None and price["output"]:
            return None
        # Without a price of its own, cached input costs what other input costs.
        cached, written, for_an_hour = (
            min(usage.get(f"{name}_tokens", 0), tokens)
            for name in ("cached_input", "cache_write_input", "cache_write_1h_input")
        )
        for_an_hour = min(for_an_hour, written)  # it is a part of that
        if for_an_hour and "cache_write_1h_input" not in price:
            return None
        fresh = max(0, tokens - cached - written)
        cost = (
            fresh * price["input"]
            + cached * price.get("cached_input", price["input"])
            + (written - for_an_hour) * price.get("cache_write_input", price["input"])
            + for_an_hour * price.get("cache_write_1h_input", 0)
            + (output or 0) * price["output"]
        )
        return round(float(cost) / _MILLION, 12)

    def _price(self, seller: str, model: str) -> Mapping[str, Any] | None:
        for name in _names(model):
            for told in (seller, ""):
                price = self._models.get(told, {}).get(name)
                if price is not None:
                    return price
        return None


def seller_of(provider: str, url: str) -> str:
    """Whose prices hold for a request to this URL, in this provider's protocol."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    for known, seller in _HOSTS.items():
        if host == known or host.endswith(("." + known, "-" + known)):
            return seller
    return provider


def _names(model: str) -> Iterator[str]:
    """The names under which a model's price may stand, the exact one first.

    Left out are what stands before `models/` and that itself; of Amazon's `arn:…/ID` all but the id;
    of a fine-tuned `ft:BASE:ORG::ID` all after the base; and a date at the end: `-2025-04-14`,
    `-20250414`, `@20250414` (`@` and any word).
    """
    yield model
    name = model.rpartition("/" if model.startswith("arn:") else "models/")[2]
    if name.startswith("ft:"):
        name = ":".join(name.split(":")[:2])
    yield name
    yield _DATE.sub("", name)


@functools.lru_cache(maxsize=1)
def own_prices() -> PriceTable:
    """The table that comes with the package; read when first asked for."""
    told = json.loads(Path(__file__).with_name("prices.json").read_text(encoding="utf-8"))
    return PriceTable(told["version"], told["models"])


def read_prices(path: str) -> PriceTable:
    """A file of prices in litellm's form, before the package's own. AgentTraceError if it is none."""
    try:
        text = Path(path).read_bytes()
        told = json.loads(text)
    except OSError as error:
        raise AgentTraceError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise AgentTraceError(f"{path}: not JSON; prices are told in litellm's form") from None
    models = from_litellm(told) if isinstance(told, dict) else {}
    if not models:
        raise AgentTraceError(f"{path}: no prices in litellm's form in it")
    version = f"sha256:{hashlib.sha256(text).hexdigest()[:16]}"
    return PriceTable(version, models).over(own_prices())


def from_litellm(told: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """The models of a table in the form of litellm's `model_prices_and_context_window.json`.

    A model's `litellm_provider` is its seller, whose name in front of the model's is left out; without
    one the price holds wherever the model is asked. Models without prices for tokens are left out.
    """
    models: dict[str, dict[str, dict[str, Any]]] = {}
    for name, facts in told.items():
        if not isinstance(facts, dict) or name == "sample_spec":
            continue
        price = _price_in(facts, "")
        price.update({"output": 0} if facts.get("mode") == "embedding" else {})
        if "input" not in price or "output" not in price:
            continue
        for limit in sorted(int(found[1]) for key in facts if (found := _ABOVE.fullmatch(key))):
            above = _price_in(facts, f"_above_{limit}k_tokens")
            price.setdefault("above", {})[str(limit * 1000)] = above
        source = str(facts.get("litellm_provider") or "")
        seller = _SELLERS.get(source, source)
        prefixes = tuple(f"{prefix}/" for prefix in (source, seller) if prefix)
        prefix = next((prefix for prefix in prefixes if name.startswith(prefix)), "")
        models.setdefault(seller, {})[name[len(prefix) :]] = price
    return models


def _price_in(facts: Mapping[str, Any], ending: str) -> dict[str, Any]:
    price = {}
    for name, member in _MEMBERS.items():
        value = facts.get(member + ending)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1:
            price[name] = round(value * _MILLION, 6)
    return price
