"""An event in full: the conversation, the answer, real line breaks, and the JSON behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agenttrace.event import Event
from agenttrace.tui.conversation import Message, messages
from agenttrace.tui.event_text import EventText
from agenttrace.tui.summary import summary
from tests.tui.stage import VECTORS, TraceFile, loaded, write_weather


def text_of(path: Path, row: int, limit: int = 1 << 20) -> str:
    """The text of a row's event."""
    index = loaded(path)
    lines = EventText(index, row, limit).lines
    index.close()
    return "\n".join("".join(piece for piece, _ in line.pieces) for line in lines)


def test_a_folded_request_shows_the_whole_conversation_and_the_answer() -> None:
    """What the line leaves out is found in the requests before it; what is new is marked."""
    text = text_of(VECTORS / "whole.jsonl", 6)
    assert "── conversation · 4 messages ──\nsystem\n  You answer in one sentence.\nuser\n" in text
    assert '── new in this call ──\nassistant\n  → forecast({"city":"Zürich"})\ntool\n' in text
    assert "── answer ──\n4 degrees.\n" in text
    assert "input 95 · output 4 · first token 31ms · ended by stop" in text
    assert '\n  "kind": "llm_request",\n' in text


def test_an_answer_shows_what_it_answers() -> None:
    """From the response the same exchange is reached."""
    text = text_of(VECTORS / "whole.jsonl", 9)
    assert text.index("── answer ──\n4 degrees.") < text.index("── conversation · 4 messages ──")


def test_interleaved_traces_are_not_mixed() -> None:
    """The base is looked for in the same trace."""
    index = loaded(VECTORS / "two-traces.jsonl")
    rows = [row for row in range(len(index)) if index.event(row).data.get("base")]
    index.close()
    assert rows
    assert "conversation · 4 messages" in text_of(VECTORS / "two-traces.jsonl", rows[0])


def test_a_missing_base_is_told() -> None:
    """What is there is shown, and that it isn't all."""
    index = loaded(VECTORS / "no-base.jsonl")
    rows = [row for row in range(len(index)) if index.event(row).data.get("base")]
    index.close()
    text = text_of(VECTORS / "no-base.jsonl", rows[0])
    assert "conversation: the earlier part is missing from this trace" in text
    assert '→ forecast({"city":"Zürich"})' in text


def test_a_failed_tool_shows_its_output_with_line_breaks(tmp_path: Path) -> None:
    """A stack trace reads as one."""
    text = text_of(write_weather(tmp_path / "t", chunks=2), 14)
    assert "── forecast failed ──\nTraceback:\n  line 7\nTimeoutError\n" in text


def test_a_long_event_is_cut_and_says_so(tmp_path: Path) -> None:
    """The screen is not held up by megabytes."""
    trace = TraceFile(tmp_path / "t")
    trace.add("stdout", text="x" * 3_000_000)
    text = text_of(trace.cut_off(), 0, 1000)
    assert len(text) < 3000
    assert text.endswith("… cut here: Enter shows more of it, `agenttrace filter` all")


@pytest.mark.parametrize(
    "data", [{"text": 7}, {"request": [1]}, {"usage": 3, "tool_calls": {"a": 1}}]
)
@pytest.mark.parametrize(
    "kind", ["llm_request", "llm_response", "tool_call", "stdout", "trace_end"]
)
def test_data_of_another_shape_is_shown_as_json(
    kind: str, data: dict[str, object], tmp_path: Path
) -> None:
    """A trace comes from anywhere; whatever is in it, the screen goes on."""
    trace = TraceFile(tmp_path / "t")
    if kind == "trace_end":
        path = trace.end(totals="none", **data)
    else:
        trace.add(kind, 1, **data)
        path = trace.cut_off()
    assert '"kind": "' in text_of(path, 0)
    index = loaded(path)
    assert isinstance(summary(index.event(0)), str)
    index.close()


@pytest.mark.parametrize(
    ("request_body", "said"),
    [
        ({"messages": [{"role": "user", "content": "hi"}]}, [("user", "hi")]),
        (
            {
                "system": "brief",
                "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
            },
            [("system", "brief"), ("user", "hi")],
        ),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "content": [{"type": "tool_use", "name": "f", "input": {"a": 1}}],
                    }
                ]
            },
            [("assistant", '→ f({"a": 1})')],
        ),
        ({"instructions": "brief", "input": "hi"}, [("system", "brief"), ("user", "hi")]),
        (
            {"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]},
            [("function_call", "→ f({})")],
        ),
        (
            {
                "systemInstruction": {"parts": [{"text": "brief"}]},
                "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            },
            [("system", "brief"), ("user", "hi")],
        ),
        ({"prompt": "hi"}, [("user", "hi")]),
        ("no object", []),
    ],
)
def test_conversations_of_all_providers(request_body: object, said: list[tuple[str, str]]) -> None:
    """Who said what, however the provider spells it."""
    assert messages(request_body) == [Message(*turn) for turn in said]


def test_a_piece_of_a_stream_is_summed_up_by_what_it_adds(tmp_path: Path) -> None:
    """Not by the protocol around it."""
    trace = TraceFile(tmp_path / "t")
    trace.add("llm_chunk", 1, text='data: {"delta":{"content":"4 \\"degrees\\""}}\n\n')
    line = trace.cut_off().read_bytes()
    assert summary(Event(line)) == '4 "degrees"'
