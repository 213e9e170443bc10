"""Clouds name the model in the URL, in place of the body."""

from __future__ import annotations

import pytest

from agenttrace.providers import recognise

BEDROCK = "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-v1%3A0/invoke"
VERTEX = (
    "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/anthropic/models/"
)
AZURE = "https://it.openai.azure.com/openai/deployments/my-gpt/chat/completions?api-version=2026-01"
ANTHROPIC = {"anthropic_version": "any", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("url", "body", "model"),
    [
        (BEDROCK, ANTHROPIC, "us.anthropic.claude-v1:0"),
        (VERTEX + "claude-x@1:rawPredict", ANTHROPIC, "claude-x@1"),
        (VERTEX + "claude-x@1:streamRawPredict", ANTHROPIC, "claude-x@1"),
        (AZURE, {"messages": [{"role": "user", "content": "hi"}]}, "my-gpt"),
        (AZURE, {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}, "gpt-5"),
        ("https://api.openai.com/v1/chat/completions", {"messages": []}, None),
    ],
)
def test_the_model_that_a_url_names_is_the_one_that_is_asked(url, body, model):
    """What the body says goes before it."""
    found = recognise("POST", url, body)
    assert found is not None
    provider, operation = found
    assert provider.asked(operation, body, url).model == model
