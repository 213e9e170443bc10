"""Sixty secrets in every place that a recording sees, in one run: none reaches the trace, what the recorder prints, or
what a replay of it writes; and two hundred innocent texts stay as they are.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

import pytest
import zstandard

from tests.e2e.conftest import AGENTS, Bench, of_kind
from tests.secret_corpus import LOOK_ALIKES, SHAPED

# By what they look like, wherever they stand.
_SHAPED = re.findall(
    r"\w+",
    """body nested name path percent unicode binary prompt httpx ws_text ws_bytes ws_fragments ws_told
    child_argv child_stdin child_missing quiet_child child_shell mcp mcp_result gw_body gw_other gw_told gw_error
    stdout escaped stderr stdin cut cut_stderr exception sse cut_sse reasoning lines gzip answer error_body""",
)
# By the name in front of them, or by where they stand.
_NAMED = re.findall(
    r"\w+",
    """bearer header cookie proxy query member form multipart userinfo parameter refused ws_url child_option
    child_api gw_query gw_bearer gw_header gw_ws assigned dsn printed_header logged redirect set_cookie argv
    argv_option""",
)
PLANTED = dict(zip(_SHAPED, [secret for secret in SHAPED if "\n" not in secret]))
PLANTED.update({name: f"{name}.Hunter2-{n:06}Horse" for n, name in enumerate(_NAMED)})
PLANTED["private"] = SHAPED[-1]
VARIABLE = 'v"ariable\\s Hunter 2/50%'
INNOCENT = [text for text in LOOK_ALIKES if "\r" not in text and len(text) < 1000]
_INNOCENT = "\n".join(INNOCENT)


def _delta(**said: str) -> bytes:
    return b"data: %s\n\n" % json.dumps({"choices": [{"index": 0, "delta": said}]}).encode()


class _Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        answers: dict[str, Any] = {
            "/lines": (
                "application/x-ndjson",
                json.dumps({"x": PLANTED["lines"]}).encode() + b"\n",
            ),
            "/gzip": ("text/plain", gzip.compress(b"it is " + PLANTED["gzip"].encode())),
        }
        kind, body = answers.get(self.path, ("application/json", b'{"ok":true}'))
        location = f"http://h/?access_token={PLANTED['redirect']}"
        packed = {"content-encoding": "gzip"} if self.path == "/gzip" else {}
        self._send(200, kind, body, {**packed, "location": location})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if "/error" in self.path:
            said = json.dumps({"error": {"message": "bad " + PLANTED["gw_error"]}})
            self._send(401, "application/json", said.encode(), {})
        elif not self.path.startswith("/v1/chat"):
            self._send(200, "application/json", json.dumps({"got": PLANTED["answer"]}).encode(), {})
        elif json.loads(body).get("stream"):
            self._stream("gw_told" if b'"gw"' in body else "cut_sse")
        else:
            message = {"role": "assistant", "content": PLANTED["error_body"]}
            self._send(
                200,
                "application/json",
                json.dumps({"choices": [{"message": message}]}).encode(),
                {},
            )

    def _stream(self, key: str) -> None:
        self.send_response(200)
        for name, value in (("content-type", "text/event-stream"), ("connection", "close")):
            self.send_header(name, value)
        self.end_headers()
        whole = _delta(content=PLANTED[key])
        place = whole.index(PLANTED[key].encode())
        pieces = [_delta(content=PLANTED["sse"]), _delta(reasoning_content=PLANTED["reasoning"])]
        pieces += [whole[: place + 3], whole[place + 3 : place + 14], whole[place + 14 :]]
        pieces += [_delta(content="spelled "), *(_delta(content=c) for c in PLANTED["nested"])]
        for piece in [*pieces, b"data: [DONE]\n\n"]:
            self.wfile.write(piece)
            self.wfile.flush()
            threading.Event().wait(0.002)
        self.close_connection = True

    def _send(self, status: int, kind: str, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        own = {"content-type": kind, "set-cookie": "s=" + PLANTED["set_cookie"]}
        for name, value in {**own, **headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


# In a process of its own, as websockets' server is among the SDKs.
_WEBSOCKETS = """
import sys
from websockets.sync.server import serve
told = sys.argv[1]
def talk(connection):
    for message in connection:
        connection.send([told[:9], told[9:25], told[25:]] if message == "tell" else "ok")
with serve(talk, "127.0.0.1", 0) as server:
    print(server.socket.getsockname()[1], flush=True)
    server.serve_forever()
"""


@pytest.fixture
def servers(sdk_python: str) -> Iterator[tuple[str, str]]:
    """Servers that plant secrets in what they say: HTTP and websockets."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    other = subprocess.Popen(
        [sdk_python, "-c", _WEBSOCKETS, PLANTED["ws_told"]], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    yield f"http://127.0.0.1:{server.server_port}", f"ws://127.0.0.1:{int(other.stdout.readline())}"
    other.kill()
    other.communicate()
    server.shutdown()
    thread.join()
    server.server_close()


def _strings(value: object) -> Iterator[str]:
    """All strings, and what they spell in their turn."""
    if isinstance(value, str):
        yield value
        yield unquote(value)
        if value[:1] in ("{", "[", '"'):
            try:
                yield from _strings(json.loads(value))
            except ValueError:
                return
    elif isinstance(value, dict):
        if set(value) == {"base64"}:
            yield base64.b64decode(value["base64"]).decode("latin-1")
        for name, part in value.items():
            yield name
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


def _left(text: str, events: list[dict[str, Any]]) -> dict[str, str]:
    """Which secrets are still there, in whatever spelling, and the event's kind."""
    planted = {**PLANTED, "variable": VARIABLE}
    decoded = [(event["kind"], "\n".join(_strings(event["data"]))) for event in events]
    decoded.append(("the bytes", text))
    found = {}
    for place, secret in planted.items():
        raw = secret.encode()
        spelled = {secret, quote(secret), json.dumps(secret)[1:-1], base64.b64encode(raw).decode()}
        spelled |= {base64.b64encode(b"u:" + raw).decode()[4:-4], secret[-60:][:12]}
        for kind, what in decoded:
            if any(one in what for one in spelled):
                found[place] = kind
    return found


def _joined(events: list[dict[str, Any]], *kinds: str) -> str:
    pieces: dict[Any, str] = {}
    for event in of_kind(events, *kinds):
        key = (event["kind"], event.get("span_id"), event["data"].get("stream"))
        text = event["data"]["text"]
        text = text if isinstance(text, str) else base64.b64decode(text["base64"]).decode("latin-1")
        pieces[key] = pieces.get(key, "") + text
    return "\n".join(pieces.values())


def _record(bench: Bench, trace: str, command: list[object]) -> tuple[str, list[dict[str, Any]]]:
    """Records it into this file; the trace's text and events, which are whole and hold no secret."""
    (bench.folder / "planted.json").write_text(json.dumps(PLANTED))
    (bench.folder / "innocent.txt").write_text(_INNOCENT)
    (bench.folder / "typed.txt").write_text(f"piped {PLANTED['stdin']}\n{_INNOCENT}")
    with (bench.folder / "typed.txt").open() as stdin:
        ended = bench.run("record", "-o", trace, "--", *command, stdin=stdin)
    assert ended.status == 1, ended.stderr
    assert bench.report(trace)["status"] == "intact"
    raw = (bench.folder / trace).read_bytes()
    text = raw if raw[:1] == b"{" else zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    events = [json.loads(line) for line in text.splitlines()]
    assert _left(text.decode(), events) == {}
    summary = ended.stderr[ended.stderr.rindex("RuntimeError") :].partition("\n")[2]
    assert "secrets redacted" in summary
    assert _left(summary, []) == {}
    assert _joined(events, "stdout").count(_INNOCENT) == 2, "printed, and read from standard input"
    assert _INNOCENT in _joined(events, "stdin")
    return text.decode(), events


def _command(bench: Bench, python: str, url: str, ws_url: str) -> list[object]:
    bench.environment.update(PLANTED_PASSWORD=VARIABLE, OPENAI_BASE_URL=f"{url}/v1")
    agent = [python, AGENTS / "planting_everywhere.py", "planted.json", url, ws_url, "innocent.txt"]
    return [*agent, "--token=" + PLANTED["argv"], "--password", PLANTED["argv_option"]]


def test_the_corpus_is_as_large_as_it_should_be() -> None:
    """60 secrets and 200 look-alikes."""
    assert len(set(PLANTED.values())) >= 60
    assert len(set(INNOCENT)) >= 200


def test_no_secret_reaches_the_trace(
    bench: Bench, servers: tuple[str, str], sdk_python: str
) -> None:
    """Packed, from every place; `cat --redact` finds what is left: the words that a stream spells."""
    text, events = _record(bench, "t.jsonl.zst", _command(bench, sdk_python, *servers))
    kinds = {event["kind"] for event in events}
    assert kinds >= {"ws_send", "ws_receive", "process_chunk", "tool_call", "tool_result", "gap"}
    assert len([one for one in of_kind(events, "ws_send") if one["data"]["text"]]) >= 4
    pieces = _joined(events, "llm_chunk")
    assert PLANTED["nested"] in "".join(re.findall(r'"content": "(.)"', pieces))
    shared = bench.run("cat", "--redact", "-o", "shared.jsonl", "t.jsonl.zst")
    assert shared.status == 0
    assert re.match(r"agenttrace: \d secrets redacted", shared.stderr)
    assert bench.report("shared.jsonl")["status"] == "intact"
    again = _joined(bench.events("shared.jsonl"), "llm_chunk")
    assert PLANTED["nested"] not in "".join(re.findall(r'"content": "(.)"', again))
    assert _joined(bench.events("shared.jsonl"), "stdout") == _joined(events, "stdout")


def test_a_replay_matches_and_keeps_them_out(
    bench: Bench, servers: tuple[str, str], sdk_python: str
) -> None:
    """Removed on both sides; its own trace and its report are as clean. Children run, as one of them asks the gateway;
    websockets have their own tests.
    """
    command = _command(bench, sdk_python, servers[0], "-")
    _record(bench, "t.jsonl", command)
    with (bench.folder / "typed.txt").open() as stdin:
        again = bench.run(
            "replay",
            "--check",
            "--run-tools",
            "-o",
            "again.jsonl",
            "t.jsonl",
            "--",
            *command,
            stdin=stdin,
        )
    report = again.stderr[again.stderr.index("agenttrace: replay") :]
    assert again.status == 0, report
    told = (bench.folder / "again.jsonl").read_text()
    assert _left(told, bench.events("again.jsonl")) == {}
    assert "ran for real: sh -c" in report
    assert _left(report, []) == {}


def test_what_is_told_of_a_childs_arguments_is_cleaned_as_they_are_recorded(bench: Bench) -> None:
    """An option's secret stands in the next word. The child's input is open until it has ended: that is fine."""
    code = (
        "import os, subprocess, sys\n"
        "command = ['sh', '-c', 'read x; echo \"$x\"', 'sh', '--password', os.environ['WORD'], sys.argv[1]]\n"
        "child = subprocess.Popen(command, stdin=-1, stdout=-1)\n"
        "child.stdin.write(b'hello\\n'); child.stdin.flush()\n"
        "print(child.stdout.read(), child.wait())\n"
    )
    agent = ["python3", "-c", code]
    bench.environment["WORD"] = "hunter2.one"
    bench.run("record", "-o", "t.jsonl", "--", *agent, "a")
    bench.environment["WORD"] = "hunter2.two"
    same = bench.run("replay", "--check", "t.jsonl", "--", *agent, "a")
    assert same.status == 0, same.stderr
    other = bench.run("replay", "--check", "t.jsonl", "--", *agent, "b")
    assert "DIVERGED at the process sh -c" in other.stderr
    assert "hunter2" not in other.stderr + (bench.folder / "t.jsonl").read_text()
