"""Secrets out of a trace that is there already: none survives, the trace is whole, and nothing else changes."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agenttrace import _backend
from agenttrace.encoding import bytes_value, value_bytes
from agenttrace.redacting import lines as redacting_lines
from agenttrace.redacting import streams
from agenttrace.redacting.events import EventCleaner
from agenttrace.redacting.leaves import Leaves, strings
from agenttrace.redacting.lines import StreamRedaction
from agenttrace.redaction import Redactor
from agenttrace.reseal import Resealer
from tests.secret_corpus import LOOK_ALIKES, SHAPED

_VALUE = 'hunter2 "Correct\\Horse" ö'
_ENVIRONMENT = {"MY_PASSWORD": _VALUE}
_SECRETS = [*(secret for secret in SHAPED if "\n" not in secret), _VALUE]
_PLACEHOLDER = re.compile(r"\[redacted:[\w.\-]+\]")
_SPAN = "00f067aa0ba902b7"
Event = tuple[str, dict[str, Any], str]


def _trace(tmp: Path, events: list[Event]) -> bytes:
    path = tmp / "t.jsonl"
    fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND, 0o600)
    writer = _backend.Writer(fd, "4" * 32, flush="batch")
    writer.write("trace_start", b'{"name":null,"command":["agent"],"redaction":["mine"]}')
    for kind, data, span_id in events:
        text = _backend.compact_json(json.dumps(data, ensure_ascii=False).encode())
        writer.write(kind, text, span_id or None)
    writer.end(b'{"status":"ok","totals":{"llm_calls":1}}')
    os.close(fd)
    return path.read_bytes()


class _Redacted:
    """A trace after it went through, a batch of lines at a time."""

    def __init__(self, raw: bytes, *, batch: int = 1000, **options: Any) -> None:
        self.left_out: list[str] = []
        patterns = options.pop("patterns", ())
        self.cleaner = EventCleaner(Redactor(_ENVIRONMENT, patterns=patterns))
        pieces = StreamRedaction(self.cleaner)
        resealer = Resealer(
            cleaner=self.cleaner, on_error=lambda *told: self.left_out.append(told[2]), **options
        )
        lines = raw.splitlines(keepends=True)
        out = []
        for start in range(0, len(lines), batch):
            out.append(resealer.feed(pieces.feed(b"".join(lines[start : start + batch]))))
        self.raw = b"".join([*out, resealer.feed(pieces.finish()), resealer.finish()])
        self.events = [json.loads(line) for line in self.raw.splitlines()]

    def status(self) -> Any:
        scanner = _backend.Scanner(judge="trace", deep=True)
        scanner.feed(self.raw)
        scanner.finish()
        return scanner.report()[0]

    def of_kind(self, *kinds: str) -> list[dict[str, Any]]:
        return [event["data"] for event in self.events if event["kind"] in kinds]


def _expanded(raw: bytes) -> list[dict[str, Any]]:
    conversations = _backend.Conversations()
    return [json.loads(conversations.expand(line)) for line in raw.splitlines(keepends=True)]


def _all_text(value: Any) -> str:
    """All that a reader comes upon: members, strings, bytes in base64, JSON in strings."""
    if isinstance(value, str):
        inner = ""
        if value[:1] in ("{", "["):
            try:
                inner = _all_text(json.loads(value))
            except ValueError:
                inner = ""
        return f"{value}\n{inner}"
    if isinstance(value, dict):
        if set(value) == {"base64"}:
            return base64.b64decode(value["base64"]).decode("latin-1")
        return "\n".join(_all_text(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return "\n".join(_all_text(part) for part in value)
    return ""


def _blanked(value: Any, secret: str) -> Any:
    """The value with one mark where the secret, or a placeholder, was."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub("□", value.replace(secret, "□"))
    if isinstance(value, dict):
        return {_blanked(name, secret): _blanked(part, secret) for name, part in value.items()}
    if isinstance(value, list):
        return [_blanked(part, secret) for part in value]
    return value


def _plain_events(secret: str, around: str) -> list[Event]:
    said = f"{around} {secret} {around}"
    return [
        ("user_input", {"text": said}, ""),
        ("log", {"level": "info", "message": said, secret: 1, "n": [1.50, 12345678901234567890]}, ""),
        ("error", {"type": "E", "message": said, "stack": said}, ""),
        ("tool_call", {"call_id": "c", "name": "t", "arguments": {"a": [{"b": said}]}}, _SPAN),
        ("tool_result", {"output": json.dumps({"deep": json.dumps({"k": said})})}, _SPAN),
        ("process_start", {"argv": ["curl", said], "cwd": "/"}, _SPAN),
        ("gap", {"reason": said}, ""),
        ("a_kind_nobody_knows", {"x": {"y": said}}, ""),
        ("stdout", {"text": bytes_value(b"\xff" + said.encode()), "fd": 1}, ""),
    ]  # fmt: skip


_AROUND = st.sampled_from([text for text in LOOK_ALIKES if len(text) < 400 and "\r" not in text])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(secret=st.sampled_from(_SECRETS), around=_AROUND)
def test_no_secret_survives_and_all_else_is_equal(tmp_path: Path, secret: str, around: str) -> None:
    """In whatever event it stands; the trace is whole and tells how many."""
    raw = _trace(tmp_path, _plain_events(secret, around))
    redacted = _Redacted(raw)
    assert redacted.status() == "intact"
    assert not redacted.left_out
    assert secret not in _all_text(redacted.events)
    assert json.dumps(secret)[1:-1] not in redacted.raw.decode()
    before = [json.loads(line) for line in raw.splitlines()]
    for old, new in zip(before[1:-1], redacted.events[1:-1]):
        assert (old["kind"], old["ts"], old["seq"]) == (new["kind"], new["ts"], new["seq"])
        if "base64" in str(old["data"].get("text")):
            for one in (old, new):
                one["data"]["text"] = value_bytes(one["data"]["text"]).decode("latin-1")
            wire = secret.encode().decode("latin-1")
            assert _blanked(new["data"], wire) == _blanked(old["data"], wire)
        elif old["kind"] == "tool_result":
            continue  # looked at below
        else:
            assert _blanked(new["data"], secret) == _blanked(old["data"], secret)
    inner = json.loads(json.loads(redacted.of_kind("tool_result")[0]["output"])["deep"])["k"]
    assert _blanked(inner, secret) == f"{around} □ {around}"
    start, end = redacted.events[0]["data"], redacted.events[-1]["data"]
    assert start["redaction"][:2] == ["mine", "MY_PASSWORD"]
    assert end["totals"]["redactions"] == redacted.cleaner.total >= len(before) - 2
    assert end["totals"]["llm_calls"] == 1


# How protocols spell a text over several events of a stream.
def _sse(value: Any) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


_SPELLINGS: dict[str, Callable[[str], bytes]] = {
    "openai": lambda w: _sse({"id": "c-1", "choices": [{"delta": {"content": w}, "index": 0}]}),
    "arguments": lambda w: _sse(
        {"choices": [{"delta": {"tool_calls": [{"index": 2, "function": {"arguments": w}}]}}]}
    ),
    "responses": lambda w: b"event: x\r\ndata: %s\r\n\r\n"
    % json.dumps({"type": "response.output_text.delta", "delta": w, "output_index": 0}).encode(),
    "anthropic": lambda w: b"event: content_block_delta\n"
    + _sse({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": w}}),
    "gemini": lambda w: _sse({"candidates": [{"content": {"parts": [{"text": w}]}, "index": 0}]}),
    "lines": lambda w: json.dumps({"message": {"content": w}, "done": False}).encode() + b"\n",
    "several lines": lambda w: b'data: {"a":\ndata: %s}\n\n' % json.dumps(w).encode(),
}  # fmt: skip


_cuts = st.lists(st.integers(1, 9), min_size=1, max_size=30)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    secret=st.sampled_from(_SECRETS),
    spelling=st.sampled_from(sorted(_SPELLINGS)),
    words=_cuts,
    pieces=st.integers(20, 300),
    batch=st.integers(1, 40),
)
def test_a_secret_spelled_over_events_of_a_stream_is_found(
    tmp_path: Path, secret: str, spelling: str, words: list[int], pieces: int, batch: int
) -> None:
    """A few letters in each, the bytes cut anywhere; what is around it stays, and so do the other events."""
    spelled, place = [], 0
    while place < len(secret):
        size = words[len(spelled) % len(words)]
        spelled.append(secret[place : place + size])
        place += size
    told = ["before ", *spelled, " behind"]
    wire = b"".join(_SPELLINGS[spelling](word) for word in told)
    events: list[Event] = []
    kind = "llm_chunk" if spelling != "lines" else "process_chunk"
    for start in range(0, len(wire), pieces):
        piece = {"text": bytes_value(wire[start : start + pieces]), "at_ns": start}
        events.append((kind, {**piece, "stream": "stdout"} if kind[0] == "p" else piece, _SPAN))
        events.append(("log", {"n": start}, ""))
    redacted = _Redacted(_trace(tmp_path, events), batch=batch)
    assert redacted.status() == "intact"
    left = b"".join(value_bytes(data["text"]) for data in redacted.of_kind(kind))
    said = "".join(leaf.text.decode() for leaf in _leaves_of(left) if leaf.text not in (b"c-1",))
    # What came before it could be told is out already: three letters at most.
    hidden = [f"before {secret[:letters]}□ behind" for letters in range(4)]
    assert _PLACEHOLDER.sub("□", said) in hidden
    assert redacted.of_kind("log") == [data for event, data, _ in events if event == "log"]
    assert secret[4:] not in left.decode()
    assert redacted.cleaner.total == 1


def _leaves_of(text: bytes) -> list[Any]:
    leaves = Leaves()
    return [*leaves.feed(text), *leaves.close()]


def test_texts_that_are_told_side_by_side_are_told_apart(tmp_path: Path) -> None:
    """Two choices in turns, and two connections: each is a text of its own."""
    key = SHAPED[0]
    events: list[Event] = []
    for number in range(0, len(key), 2):
        for index in (0, 1):
            word = key[number : number + 2] if index else "so "
            delta = _sse({"choices": [{"index": index, "delta": {"content": word}}]})
            events.append(("llm_chunk", {"text": delta.decode()}, _SPAN))
        events.append(("stdout", {"text": key[number : number + 2], "fd": 1}, ""))
        message = json.dumps({"type": "text.delta", "delta": key[number : number + 2]})
        events.append(("ws_receive", {"url": "wss://h/", "text": message}, _SPAN))
        events.append(("ws_send", {"url": "wss://h/", "text": key[number : number + 2]}, _SPAN))
    redacted = _Redacted(_trace(tmp_path, events))
    text = redacted.raw.decode()
    assert redacted.status() == "intact"
    assert redacted.cleaner.total == 4
    assert text.count('\\"so \\"') == (len(key) + 1) // 2
    assert [data["text"] for data in redacted.of_kind("stdout")] == ["[redacted:openai-key]"]
    assert len(redacted.of_kind("ws_receive")) == (len(key) + 1) // 2
    assert len(redacted.of_kind("ws_send")) == 1


@pytest.mark.parametrize("kind", ["stdout", "llm_chunk", "ws_send"])
def test_look_alikes_stay_whole_in_pieces_of_any_size(tmp_path: Path, kind: str) -> None:
    """Not a byte changes, and lines that nothing was taken out of keep their text as it was spelled."""
    events: list[Event] = []
    for number, text in enumerate(LOOK_ALIKES):
        raw = _sse({"t": text}) if number % 2 else text.encode() + b"\n"
        size = number % 7 + 1 if len(raw) < 500 else 400
        span = f"{number + 1:016x}"
        for start in range(0, len(raw), size):
            data = {"text": bytes_value(raw[start : start + size]), "stream": "stdout"}
            events.append((kind, data, span))
    raw = _trace(tmp_path, events)
    redacted = _Redacted(raw)
    before = [json.loads(line)["data"] for line in raw.splitlines()]
    assert [event["data"] for event in redacted.events][1:-1] == before[1:-1]
    assert redacted.cleaner.total == 0
    assert "redactions" not in redacted.events[-1]["data"]["totals"]


def test_conversations_stay_short_and_come_to_the_same(tmp_path: Path) -> None:
    """Each request expands to what its whole would be without secrets; the shared part is stored once."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": "long " * 200 + SHAPED[1]}]
    events: list[Event] = []
    for turn in range(20):
        messages.append({"role": "user", "content": f"{turn} {SHAPED[turn % 9]} " + "x" * 300})
        request = {"model": "m", "messages": list(messages), "tools": [{"d": "y" * 400}]}
        events.append(("llm_request", {"request": request}, _SPAN))
    raw = _trace(tmp_path, events)
    assert raw.count(b'"base":') >= 15
    redacted = _Redacted(raw)
    assert redacted.status() == "intact"
    assert redacted.raw.count(b'"base":') == raw.count(b'"base":')
    whole = [event["data"]["request"] for event in _expanded(redacted.raw)[1:-1]]
    for (_, data, _), found in zip(events, whole):
        assert (
            found == json.loads(Redactor(_ENVIRONMENT).clean(json.dumps(data).encode()))["request"]
        )
    full = _Redacted(raw, full=True)
    assert [event["request"] for event in full.of_kind("llm_request")] == whole


def test_a_request_that_no_longer_goes_with_its_base_is_written_in_full(tmp_path: Path) -> None:
    """A secret that is a member's name; and one in the first word behind the base's last."""
    key, filler = SHAPED[0], "f" * 600
    events: list[Event] = [
        ("llm_request", {"request": {"model": "m", key: filler}}, _SPAN),
        ("llm_request", {"request": {"model": "n", key: filler}}, _SPAN),
        ("llm_request", {"request": {"input": [filler, "--password"]}}, _SPAN),
        ("llm_request", {"request": {"input": [filler, "--password", "hunter2x"]}}, _SPAN),
    ]
    raw = _trace(tmp_path, events)
    assert raw.count(b'"base":') == 2
    redacted = _Redacted(raw)
    assert redacted.status() == "intact"
    assert b'"base":' not in redacted.raw
    assert key not in redacted.raw.decode()
    assert b"hunter2x" not in redacted.raw
    assert not redacted.left_out


def test_what_a_recording_leaves_out_is_left_out(tmp_path: Path) -> None:
    """Headers, parameters and passwords of URLs, fields of forms; numbers keep their digits."""
    http = {
        "method": "POST",
        "url": "https://me:pass.word@h/?page=1&mykey_sig=abcdefghijk",
        "headers": {"accept": "text", "x-secret-thing": "boo", "authorization": "Basic eHg6eXk="},
    }
    events: list[Event] = [
        ("llm_request", {"request": {"n": 0.1}, "http": http}, _SPAN),
        ("http_request", {**http, "body": "user=me&pwd=hunter2x"}, _SPAN),
        ("http_response", {"http": {"status": 302, "headers": {"set-cookie": "a=b", "location": http["url"]}}}, _SPAN),
        ("ws_send", {"url": http["url"], "text": "hello"}, _SPAN),
    ]  # fmt: skip
    raw = _trace(tmp_path, events).replace(b'"n":0.1', b'"n":0.10000000000000000001')
    raw = b"".join(
        _backend.seal(re.sub(rb',"crc32c":"\w{8}"\}\n', b"}\n", line))
        for line in raw.splitlines(keepends=True)
    )
    redacted = _Redacted(raw)
    assert b"0.10000000000000000001" in redacted.raw
    clean = "https://me:[redacted:url]@h/?page=1&mykey_sig=[redacted:url]"
    asked = redacted.of_kind("llm_request")[0]["http"]
    assert asked == {"method": "POST", "url": clean, "headers": {"accept": "text"}}
    form = redacted.of_kind("http_request")[0]
    assert (form["url"], form["headers"]) == (clean, {"accept": "text"})
    assert form["body"] == "user=me&pwd=[redacted:credential]"
    assert redacted.of_kind("http_response")[0]["http"]["headers"] == {"location": clean}
    assert redacted.of_kind("ws_send")[0]["url"] == clean


def test_what_waits_is_bounded_and_then_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that may be a secret's beginning is taken for one, and the rest is known by it."""
    monkeypatch.setattr(redacting_lines, "MAX_WAITING_BYTES", 10_000)
    key = SHAPED[5]
    events: list[Event] = [("stdout", {"text": f"it is {key[:30]}", "fd": 1}, "")]
    events += [("log", {"n": number, "x": "x" * 100}, "") for number in range(300)]
    events += [("stdout", {"text": f"{key[30:]} now", "fd": 1}, "")]
    cleaner = EventCleaner(Redactor({}))
    pieces = StreamRedaction(cleaner)
    out, most = [], 0
    for line in _trace(tmp_path, events).splitlines(keepends=True):
        out.append(pieces.feed(line))
        most = max(most, sum(len(one.line) for one in pieces._queue))
    assert most < 11_000
    texts = [json.loads(line)["data"].get("text", "") for line in b"".join(out).splitlines()]
    said = "".join(texts)
    assert said == f"it is [redacted:{streams.CUT}][redacted:anthropic-key] now"
    assert key[30:] not in said


def test_data_that_is_no_json_is_left_out_and_told(tmp_path: Path) -> None:
    """A seal that fits says nothing of what it covers."""
    raw = _trace(tmp_path, [("log", {"m": "x" * 40}, ""), ("stdout", {"text": "abc"}, "")])
    lines = raw.splitlines(keepends=True)
    lines[1] = _backend.seal(lines[1][:-22].replace(b'"m":', b'"m"=') + b"}\n")
    lines[2] = _backend.seal(lines[2][:-22].replace(b'"text":', b'"text"=') + b"}\n")
    redacted = _Redacted(b"".join(lines))
    assert len(redacted.left_out) == 2
    assert "can't be redacted" in redacted.left_out[0]
    assert [event["kind"] for event in redacted.events] == ["trace_start", "trace_end"]
    assert redacted.status() == "intact"


def test_own_patterns_see_the_text_that_is_spelled(tmp_path: Path) -> None:
    """As the program had it, over the cuts."""
    pattern = r'the "big\nplan"' if _backend.BACKEND == "native" else r'the "big'
    words = ["see t", "he", ' "b', "ig\npl", 'an" soon']
    events: list[Event] = [
        ("llm_chunk", {"text": _sse({"d": word}).decode()}, _SPAN) for word in words
    ]
    redacted = _Redacted(_trace(tmp_path, events), patterns=(pattern,))
    left = "".join(data["text"] for data in redacted.of_kind("llm_chunk"))
    said = "".join(json.loads(part)["d"] for part in re.findall("data: (.*)\n", left))
    assert said.startswith("see [redacted:redact-1]")
    assert said.endswith(" soon")


def test_hostile_json_is_looked_into_within_limits() -> None:
    """Depth, a line without an end, letters that are no JSON: the bytes pass, nothing raises, nothing piles up."""
    assert strings(b"[" * 100_000 + b"]" * 100_000, 0) == []
    assert strings(b'{"a":"\xff"}', 0) == []
    leaves = Leaves()
    for _ in range(40):
        assert leaves.feed(b'{"a":"' + b"x" * 60_000) == []
        assert (leaves.open_at is None) or leaves.open_at == 0
    assert leaves.open_at is None
    assert [leaf.text for leaf in leaves.feed(b'"}\n{"b":"c"}\n')] == [b"c"]
    assert Leaves().feed(b"data: {\ndata: \n\nplain {\n" * 10) == []
