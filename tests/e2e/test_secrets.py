"""Secrets that a program plants wherever it can: none reaches the trace, in its bytes or in what they spell."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from examples.model_server import ModelServer
from tests.e2e.conftest import AGENTS, Bench, of_kind
from tests.secret_corpus import LOOK_ALIKES, SHAPED

# One for each place; what has a name in front of it needs no shape.
_PLACES = [
    "request_header",
    "response_header",
    "userinfo",
    "query",
    "body",
    "nested",
    "key",
    "form",
    "multipart",
    "sse",
    "error",
    "argv",
    "stdout",
    "stderr",
    "escaped",
    "percent",
    "basic",
    "unicode",
    "cut",
    "arguments",
    "event",
    "log",
    "exception",
    "cookie",
    "whole_cut",
]
PLANTED = {place: SHAPED[number] for number, place in enumerate(_PLACES)}
PLANTED.update(
    form="form.Hunter-2",
    multipart="parts.Hunter-3",
    userinfo="user.Hunter-4",
    query="query.Hunter-5",
    basic="basic.Hunter-6",
)


class _Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._send(
            500,
            "application/json",
            json.dumps({"error": {"message": "bad key " + PLANTED["error"]}}).encode(),
        )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if not self.path.startswith("/v1/chat"):
            self._send(200, "application/json", b'{"ok":true}')
            return
        pieces = [_delta(PLANTED["sse"])]
        whole = _delta(PLANTED["whole_cut"])
        place = whole.index(PLANTED["whole_cut"].encode())
        pieces += [whole[: place + 3], whole[place + 3 : place + 14], whole[place + 14 :]]
        pieces += (
            [_delta("spelled ")]
            + [_delta(letter) for letter in PLANTED["nested"]]
            + [_delta("."), b"data: [DONE]\n\n"]
        )
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("set-cookie", "s=" + PLANTED["response_header"])
        self.send_header("connection", "close")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()
            threading.Event().wait(0.005)
        self.close_connection = True

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("set-cookie", "s=" + PLANTED["response_header"])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _delta(text: str) -> bytes:
    return (
        b"data: "
        + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode()
        + b"\n\n"
    )


@pytest.fixture
def planting():
    """A server that plants secrets in its answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        if set(value) == {"base64"}:
            return [base64.b64decode(value["base64"]).decode("latin-1")]
        return [text for pair in value.items() for part in pair for text in _strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in _strings(part)]
    return []


def test_no_planted_secret_reaches_the_trace(bench: Bench, planting: str) -> None:
    """Nor does one change what stands around it; look-alikes stay; what was removed is counted."""
    (bench.folder / "planted.json").write_text(json.dumps(PLANTED))
    innocent = [text for text in LOOK_ALIKES if "\r" not in text and len(text) < 1000]
    (bench.folder / "innocent.txt").write_text("\n".join(innocent))
    bench.environment["PLANTED_PASSWORD"] = PLANTED["basic"]
    arguments = [
        AGENTS / "planting.py",
        "planted.json",
        planting,
        "--password=" + PLANTED["argv"],
        "innocent.txt",
    ]
    ended = bench.run(
        "record", "-o", "t.jsonl", "--redact", r"innocen[t]\.txt", "--", "python3", *arguments
    )
    assert ended.status == 1
    assert PLANTED["stdout"] in ended.stdout, "the command's own output is its own"
    assert bench.report()["status"] == "intact"
    events = bench.events()
    raw = (bench.folder / "t.jsonl").read_text()
    decoded = "\n".join(text for event in events for text in _strings(event["data"]))
    left = {place for place, secret in PLANTED.items() if secret in raw or secret in decoded}
    assert not left
    outputs = {"stdout": "", "stderr": ""}
    for event in of_kind(events, "stdout", "stderr"):
        outputs[event["kind"]] += event["data"]["text"]
    assert "\n".join(innocent) in outputs["stdout"], "look-alikes are whole"
    assert PLANTED["cut"][12:] not in outputs["stdout"]
    assert PLANTED["cut"][:12] not in outputs["stdout"]
    chunks = "".join(event["data"]["text"] for event in of_kind(events, "llm_chunk"))
    assert PLANTED["whole_cut"][:12] not in chunks
    assert PLANTED["whole_cut"][12:] not in chunks
    answer = of_kind(events, "llm_response")[0]["data"]
    assert "spelled [redacted:" in answer["text"], "folded text is cleaned"
    assert events[0]["data"]["command"][-1] == "[redacted:redact-1]"
    assert events[-1]["data"]["totals"]["redactions"] >= 20
    assert "secrets redacted" in ended.stderr


def test_a_bad_pattern_is_wrong_usage(bench: Bench) -> None:
    """With the engine's own words, before anything runs."""
    ended = bench.run("record", "--redact", "(", "--", "touch", "ran")
    assert ended.status in (2, 125)
    assert "--redact" in ended.stderr
    assert not (bench.folder / "ran").exists()
    ended = bench.run("record", "--redact", "x", "--no-redact", "--", "touch", "ran")
    assert "exclude each other" in ended.stderr


def test_env_keeps_and_no_redact_keeps_all(bench: Bench) -> None:
    """`--env NAME`, `--no-redact`."""
    bench.environment["MY_TOKEN"] = "just.a-value.of-mine"
    command = ("--", "sh", "-c", 'echo "$MY_TOKEN"')
    bench.run("record", "-o", "a.jsonl", *command)
    assert "just.a-value" not in (bench.folder / "a.jsonl").read_text()
    bench.run("record", "-o", "b.jsonl", "--env", "MY_TOKEN", *command)
    assert "just.a-value" in (bench.folder / "b.jsonl").read_text()
    assert bench.run("replay", "--check", "--env", "MY_TOKEN", "b.jsonl", *command).status == 0
    bench.run("record", "-o", "c.jsonl", "--no-redact", *command)
    assert "just.a-value" in (bench.folder / "c.jsonl").read_text()


@pytest.mark.parametrize("key", ["sk-another-key-of-somebody-else-98765", None])
def test_a_replay_needs_another_key_or_none(
    bench: Bench, server: ModelServer, sdk_python: str, key: str | None
) -> None:
    """The agent wrote its key into a prompt, and into what it prints: neither is a divergence."""
    script = (
        "import os, openai; key = os.environ.get('OPENAI_API_KEY', ''); print('key', key)\n"
        "client = openai.OpenAI(api_key=key or 'none', max_retries=0)\n"
        "said = [{'role': 'user', 'content': f'My key is {key}. Say hello.'}]\n"
        "print(client.chat.completions.create(model='gpt-5', messages=said).choices[0].message.content)\n"
    )
    bench.serve_from(server)
    ended = bench.run("record", "-o", "t.jsonl", "--", sdk_python, "-c", script)
    assert ended.status == 0, ended.stderr
    assert bench.environment["OPENAI_API_KEY"] not in (bench.folder / "t.jsonl").read_text()
    asked = of_kind(bench.events(), "llm_request")[0]["data"]["request"]["messages"][0]["content"]
    assert asked == "My key is [redacted:OPENAI_API_KEY]. Say hello."
    bench.environment.pop("OPENAI_API_KEY")
    if key is not None:
        bench.environment["OPENAI_API_KEY"] = key
    again = bench.run("replay", "--check", "t.jsonl", "--", sdk_python, "-c", script)
    assert again.status == 0, again.stderr
    assert again.stdout.splitlines()[0] == f"key {key or ''}"
    assert again.stdout.splitlines()[1].startswith("You said “My key is [redacted:OPENAI_API_KEY].")


def test_a_replay_knows_the_patterns_that_it_is_given(
    bench: Bench, server: ModelServer, sdk_python: str
) -> None:
    """What `record --redact` hid matches with the same option only, and is not in the replay's own trace."""
    script = (
        "import openai, sys; word = 'Case ' + sys.argv[1] + ' of us.'; print(word)\n"
        "said = [{'role': 'user', 'content': word}]\n"
        "answer = openai.OpenAI(max_retries=0).chat.completions.create(model='gpt-5', messages=said)\n"
        "print(len(answer.choices))\n"
    )
    (bench.folder / "agent.py").write_text(script)
    bench.serve_from(server)
    hiding = ["--redact", "[A-Z]+ [0-9]{4}", "--redact", "of us"]
    command = ["--", sdk_python, "agent.py"]
    ended = bench.run("record", "-o", "t.jsonl", *hiding, *command, "NORTH 1234")
    assert ended.status == 0, ended.stderr
    for case in ("NORTH 1234", "SOUTH 5678"):
        again = bench.run("replay", "--check", *hiding, "t.jsonl", *command, case)
        assert (again.status, again.stderr.count("inexact")) == (0, 0), again.stderr
    kept = bench.run("replay", *hiding, "-o", "u.jsonl", "t.jsonl", *command, "SOUTH 5678")
    assert (kept.status, kept.stdout) == (0, "Case SOUTH 5678 of us.\n1\n"), kept.stderr
    assert "SOUTH" not in (bench.folder / "u.jsonl").read_text()
    assert bench.events("u.jsonl")[0]["data"]["redaction"][-2:] == ["redact-1", "redact-2"]

    unknown = bench.run("replay", "t.jsonl", *command, "NORTH 1234")
    assert unknown.status == 123
    assert "recorded with --redact: give replay the same" in unknown.stderr
    for options in (["-o", "v.jsonl"], ["--on-miss", "live"], [*hiding[:2], "-o", "v.jsonl"]):
        refused = bench.run("replay", *options, "t.jsonl", "--", "touch", "ran")
        assert (refused.status, refused.stderr.count("\n")) == (125, 1), refused.stderr
        assert "t.jsonl: was recorded with --redact" in refused.stderr
    assert not {"ran", "v.jsonl"}.intersection(path.name for path in bench.folder.iterdir())


def test_a_replay_takes_no_pattern_that_can_t_be_used(bench: Bench) -> None:
    """One that is none, one without a command, one for a trace that hides nothing."""
    bench.run("record", "-q", "-o", "t.jsonl", "--no-redact", "--", "true")
    for options, status, words in (
        (["--redact", "(", "t.jsonl", "--", "touch", "ran"], 2, "this pattern can't be used"),
        (["--redact", "x", "t.jsonl"], 2, "--redact needs a command"),
        (["--redact", "x", "t.jsonl", "--", "touch", "ran"], 125, "recorded without redaction"),
    ):
        ended = bench.run("replay", *options)
        assert (ended.status, words in ended.stderr) == (status, True), ended.stderr
    assert not (bench.folder / "ran").exists()


@pytest.mark.parametrize("how", [[], ["--no-redact"]], ids=["redacted", "not redacted"])
def test_the_gateways_token_is_in_no_trace(bench: Bench, how: list[str]) -> None:
    """Nor in a replay's own: it opens the gateway for whoever knows it, as long as the run lasts."""
    (bench.folder / "tell.sh").write_text(
        'echo "$OPENAI_BASE_URL" | tee seen; cut -d/ -f4 seen | base64 -w0\n'
    )
    bench.environment["OPENAI_BASE_URL"] = "http://127.0.0.1:1/v1"
    command = ["--", "sh", "tell.sh"]
    assert bench.run("record", "-q", *how, "-o", "t.jsonl", *command).status == 0
    tokens = [(bench.folder / "seen").read_text().split("/")[3]]
    bench.run("replay", "--run-tools", "-o", "again.jsonl", "t.jsonl", *command)
    tokens.append((bench.folder / "seen").read_text().split("/")[3])
    for token, trace in zip(tokens, ("t.jsonl", "again.jsonl")):
        text = (bench.folder / trace).read_text()
        assert token not in text
        assert base64.b64encode(token.encode()).decode()[4:-4] not in text
        assert "[redacted:AGENTTRACE_TOKEN]" in text


def test_secrets_of_urls_and_headers_are_counted_too(bench: Bench, sdk_python: str) -> None:
    """As many as there are placeholders."""
    url = "http://me:p-w@127.0.0.1:1/x?api_key=k-1&page=2&sig=s-2"
    code = (
        f"import contextlib, httpx\nwith contextlib.suppress(httpx.HTTPError): httpx.get({url!r})"
    )
    (bench.folder / "ask.py").write_text(code)
    assert bench.run("record", "-o", "t.jsonl", "--", sdk_python, "ask.py").status == 0
    (asked,) = of_kind(bench.events(), "http_request")
    assert asked["data"]["url"].count("[redacted:url]") == 3
    totals = bench.events()[-1]["data"]["totals"]
    assert totals["redactions"] == (bench.folder / "t.jsonl").read_text().count("[redacted:")
