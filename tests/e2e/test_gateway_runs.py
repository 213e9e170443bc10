"""The gateway in a run: its variables, its life, its end; scripts replayed without their server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from .conftest import of_kind
from .plain_server import PlainServer, says
from .test_record_process import child_of, collector_of, wait_until
from .unhooked import RAW, UNHOOKED, lead_to, needs_curl, record


def gateway_of(record: subprocess.Popen) -> int | None:
    """The gateway's process of a running `record`."""
    collector = collector_of(record)
    return child_of(collector, lambda arguments: "agenttrace record" in arguments)


def test_a_gateway_that_is_killed_is_started_again(bench):
    """What was open is cut and told; the next request finds another one."""
    code = """
connection = connect()
print(ask(connection, "/ok").read(), flush=True)
sys.stdin.readline()
while True:
    try:
        print(ask(connect(), "/ok").read())
        break
    except (http.client.RemoteDisconnected, ConnectionError):
        time.sleep(0.05)
"""
    python = [*UNHOOKED, RAW + code]
    with PlainServer({"/v1/ok": says(b"HTTP/1.1 200 OK\nContent-Length: 2", b"ok")}) as server:
        lead_to(bench, server)
        running = bench.start("record", "-q", "-o", "t.jsonl", "--", *python, stdin=subprocess.PIPE)
        assert running.stdout.readline() == "b'ok'\n"
        os.kill(gateway_of(running), signal.SIGKILL)
        stdout, stderr = running.communicate("go\n", timeout=30)
    assert (running.returncode, stdout) == (0, "b'ok'\n")
    assert stderr.count("the gateway died") == 1
    reasons = [event["data"]["reason"] for event in of_kind(bench.events(), "gap")]
    assert sum("the gateway died" in reason for reason in reasons) == 1, reasons
    assert len(of_kind(bench.events(), "http_response")) == 2


def test_it_ends_with_the_run(bench, server):
    """An exchange that is open then is cut and told; no process stays."""
    bench.serve_from(server)
    code = """
import json, subprocess
body = json.dumps({"model": "never-ends", "stream": True, "messages": [{"role": "user", "content": "x"}]})
r, w = os.pipe()
if os.fork() == 0:
    answer = ask(connect(), "/chat/completions", "POST", body)
    os.write(w, b"x")
    os.dup2(os.open(os.devnull, os.O_RDWR), 1); os.dup2(1, 2)
    while answer.read1(): pass
    os._exit(0)
os.read(r, 1)
"""
    began = time.monotonic()
    record(bench, code)
    assert time.monotonic() - began < 5
    (response,) = of_kind(bench.events(), "llm_response")
    assert response["data"]["error"]["type"] == "Cut"
    wait_until(lambda: not _processes_of(bench))


def _processes_of(bench) -> list[str]:
    listing = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout
    return [line for line in listing.splitlines() if str(bench.folder) in line]


@needs_curl
def test_a_script_of_curls_is_replayed_without_its_server(bench, server):
    """The answers come from the trace, errors and streams as well; what else is asked diverges."""
    bench.serve_from(server)
    ask = """curl -sS "$OPENAI_BASE_URL/chat/completions" -H 'content-type: application/json' -d """
    (bench.folder / "agent.sh").write_text(
        ask + """'{"model":"gpt-5","messages":[{"role":"user","content":"Hello"}]}'\n"""
        + ask + """'{"model":"gpt-5","stream":true,"messages":[{"role":"user","content":"Hello"}]}'\n"""
        + ask + """'{"model":"error-500","messages":[{"role":"user","content":"Hello"}]}' -w '%{http_code}'\n"""
        + ask + """'{"model":"cut-stream","stream":true,"messages":[{"role":"user","content":"Hello"}]}'
        echo "status $?"\n"""
    )  # fmt: skip
    first = bench.run("record", "-q", "-o", "t.jsonl", "--", "sh", "agent.sh")
    assert "500" in first.stdout
    assert first.stdout.endswith("status 18\n")
    bench.environment["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1"
    again = bench.run("replay", "t.jsonl", "--", "sh", "agent.sh")
    assert again.status == 0, again.stderr
    assert again.stdout == first.stdout
    script = (bench.folder / "agent.sh").read_text().replace("Hello", "Good day", 1)
    (bench.folder / "agent.sh").write_text(script)
    assert bench.run("replay", "-q", "t.jsonl", "--", "sh", "agent.sh").status == 123


def test_the_variables(bench, server, sdk_python):
    """A hooked Python has the user's own, its children the gateway's; one exchange is told once."""
    bench.serve_from(server)
    code = """
import openai, os, subprocess
print(os.environ["OPENAI_BASE_URL"], os.environ.get("GOOGLE_GEMINI_BASE_URL"), flush=True)
openai.OpenAI().chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "x"}])
subprocess.run(["sh", "-c", 'echo "$OPENAI_BASE_URL"; echo "$GOOGLE_GEMINI_BASE_URL"'])
"""
    run = [sdk_python, "-c", code]
    own, first, second = bench.run("record", "-q", "-o", "t.jsonl", "--", *run).stdout.splitlines()
    assert own == f"{server.url}/v1 None"
    assert first.startswith("http://127.0.0.1:")
    assert first.endswith("/openai_base_url/v1")
    assert second.endswith("/google_gemini_base_url")
    (request,) = of_kind(bench.events(), "llm_request")
    assert request["data"]["http"]["url"] == f"{server.url}/v1/chat/completions"
    token = first.split("/")[3]
    assert len(token) == 32
    assert token not in (bench.folder / "t.jsonl").read_text()

    nothing = bench.run("record", "-q", "-o", "n.jsonl", "--no-http", "--", "env").stdout
    assert f"OPENAI_BASE_URL={server.url}/v1\n" in nothing
    assert "AGENTTRACE_GATEWAY" not in nothing


@needs_curl
def test_inside_another_record_each_server_is_the_users(bench, server):
    """The inner one's gateway leads to the user's server, not to the outer gateway."""
    bench.serve_from(server)
    inner = [sys.executable, "-m", "agenttrace", "record", "-q", "-o", "inner.jsonl", "--"]
    curl = ["sh", "-c", 'curl -sS "$OPENAI_BASE_URL/models"']
    ended = bench.run("record", "-q", "-o", "t.jsonl", "--", *inner, *curl)
    assert '"scripted"' in ended.stdout, ended.stderr
    (request,) = of_kind(bench.events("inner.jsonl"), "http_request")
    assert request["data"]["url"] == f"{server.url}/v1/models"
    assert of_kind(bench.events(), "http_request") == []
