"""The lines that a person gets at the end of a recording."""

from __future__ import annotations

from agenttrace.recorder.supervisor import summary_text

TOTALS = dict.fromkeys(("llm_calls", "input_tokens", "output_tokens", "tool_calls", "errors"), 0)


def _gap_lines(gaps: list[str]) -> list[str]:
    summary = {"events": 3, "totals": TOTALS, "gaps": gaps, "lost": 0, "left_running": 0}
    lines = summary_text(summary, 1.0).split("\n")
    return [line for line in lines if line.startswith("agenttrace: gap: ")]


def test_a_loss_that_came_again_and_again_is_one_line():
    """With how often it came."""
    assert _gap_lines(["lost", "cut", "lost"]) == [
        "agenttrace: gap: lost (2 times)",
        "agenttrace: gap: cut",
    ]


def test_of_many_losses_the_first_are_shown_and_the_others_counted():
    """None is left out in silence."""
    lines = _gap_lines([f"loss {number}" for number in range(14)])
    assert len(lines) == 11
    assert lines[-1] == "agenttrace: gap: and 4 more, in the trace"
