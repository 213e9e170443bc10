"""Makes agenttrace/prices.json of the price list in the package litellm: `python tools/make_prices.py [WHEEL]`.

The wheel is taken from the package index where none is named. Kept are models that answer with text
or embeddings, of companies whose prices for tokens are all that a call costs.
"""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from agenttrace.prices import from_litellm  # noqa: E402

LIST = "litellm/model_prices_and_context_window_backup.json"
MODES = ("chat", "responses", "completion", "embedding")
SELLERS = (
    "openai",
    "azure",
    "anthropic",
    "bedrock",
    "gemini",
    "vertex_ai",
    "mistral",
    "deepseek",
    "xai",
    "groq",
    "together_ai",
    "cerebras",
    "moonshot",
    "zai",
)
# Answers in other than text have a price that usage does not tell apart; so have live sessions.
_OTHER_OUTPUT = (
    "output_cost_per_audio_token",
    "output_cost_per_image_token",
    "output_cost_per_image",
)
# Each search has a price of its own.
_SEARCHES = re.compile(r"-search-|deep-research")


def main() -> None:
    """Write the table."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(sys.argv[1]) if len(sys.argv) > 1 else _downloaded(folder)
        with zipfile.ZipFile(wheel) as archive:
            told = json.loads(archive.read(LIST))
    release = wheel.name.split("-")[1]
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    table = {
        "version": f"litellm {release}, {today}",
        "source": f"https://pypi.org/project/litellm/{release}/, {LIST}",
        "licence": "MIT, Copyright (c) 2023 Berri AI",
        "unit": "US dollars for a million tokens",
        "models": _kept(told),
    }
    text = _text(table)
    (ROOT / "agenttrace" / "prices.json").write_text(text, encoding="utf-8")
    count = sum(map(len, table["models"].values()))
    print(f"agenttrace/prices.json: {count} models, {len(text)} bytes, {table['version']}")


def _downloaded(folder: str) -> Path:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q"]
    subprocess.run([*pip, "--no-deps", "--only-binary=:all:", "-d", folder, "litellm"], check=True)
    return next(Path(folder).glob("litellm-*.whl"))


def _kept(told: dict[str, Any]) -> dict[str, Any]:
    wanted = {
        name: facts
        for name, facts in told.items()
        if facts.get("mode") in MODES
        and not any(facts.get(member) for member in _OTHER_OUTPUT)
        and not _SEARCHES.search(name)
        # Free, or not known: the source tells neither apart.
        and (facts.get("input_cost_per_token") or facts.get("output_cost_per_token"))
        # Prices that depend on the region have the region's name in front.
        and not (str(facts.get("litellm_provider")).startswith("azure") and name.count("/") > 1)
        and not (str(facts.get("litellm_provider")).startswith("bedrock") and "/" in name)
    }
    models = from_litellm(wanted)
    return {seller: dict(sorted(models[seller].items())) for seller in SELLERS}


def _text(table: dict[str, Any]) -> str:
    """One line for each model, so that changes can be read."""
    models = table.pop("models")
    head = [f"{json.dumps(name)}: {json.dumps(value)}," for name, value in table.items()]
    table["models"] = models
    sellers = []
    for seller, prices in models.items():
        lines = [
            f"{json.dumps(model)}:{json.dumps(price, separators=(',', ':'))}"
            for model, price in prices.items()
        ]
        sellers.append(f"{json.dumps(seller)}: {{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + "\n".join(head) + '\n"models": {\n' + ",\n".join(sellers) + "\n}\n}\n"


if __name__ == "__main__":
    main()
