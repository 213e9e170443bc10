"""Websockets in a replay: no connection is made, messages are compared, and handed out as they were recorded."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time

import pytest

from .conftest import AGENTS, ROOT, Bench, Ended, of_kind
from .test_gateway_servers import certificate  # noqa: F401

CLIENTS = AGENTS / "websocket_clients.py"
# By client: where the word that is changed stands.
WORDS = {
    "threaded": ".text",
    "asynchronous": ".text",
    "legacy": ".text",
    "with_aiohttp": ".text",
    "secure": ".text",
    "realtime": ".item.content[0].text",
    "realtime_async": ".item.content[0].text",
    "gemini_live": ".client_content.turns[0].parts[0].text",
    "several": ".text",
    "reconnecting": ".text",
}


@pytest.fixture
def server(sdk_python, certificate, bench):  # noqa: F811
    """Starts a server; clients of the bench know its ports."""

    @contextlib.contextmanager
    def running():
        command = [sdk_python, AGENTS / "websocket_server.py", certificate]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for name in ("PORT", "TLS_PORT"):
                bench.environment[name] = process.stdout.readline().strip()
            try:
                yield
            finally:
                process.kill()

    bench.environment["SSL_CERT_FILE"] = certificate
    return running


@pytest.fixture
def talk(bench, sdk_python, server):
    """Records a client, with a server that is gone when it has ended."""

    def recorded(how: str, *options: str) -> Ended:
        with server():
            command = ["--", sdk_python, CLIENTS, how]
            return bench.run("record", "-q", "-o", "t.jsonl", *options, *command)

    return recorded


def _replayed(bench: Bench, python: str, how: str, *options: str, trace: str = "t.jsonl") -> Ended:
    return bench.run("replay", *options, trace, "--", python, CLIENTS, how)


@pytest.mark.parametrize("how", WORDS)
def test_a_client_gets_what_it_got_and_no_server_is_asked(bench, sdk_python, talk, how):
    """Messages, fragments, closings, refusals; a word that it did not say is shown by its path."""
    recorded = talk(how)
    assert recorded.status == 0, recorded.stderr
    again = _replayed(bench, sdk_python, how)
    assert (again.status, again.stdout) == (0, recorded.stdout), again.stderr
    assert "inexact" not in again.stderr

    bench.environment["WORD"] = "hallo"
    diverged = _replayed(bench, sdk_python, how)
    assert diverged.status == 123
    shown = [line.strip() for line in diverged.stderr.splitlines()]
    assert "DIVERGED at SEND ws" in diverged.stderr
    assert shown[shown.index("- recorded  + asked") + 1] == WORDS[how]
    assert '- "hello"' in shown
    assert '+ "hallo"' in shown
    assert "Traceback" not in diverged.stderr


def test_pieces_are_awaited_and_the_pace_is_kept_if_asked(bench, sdk_python, talk):
    """As fast as it goes, or at the recorded speed."""
    assert talk("slow").status == 0
    began_s = time.monotonic()
    assert _replayed(bench, sdk_python, "slow").status == 0
    fast_s = time.monotonic() - began_s
    assert _replayed(bench, sdk_python, "slow", "--speed", "0.2").status == 0
    slow_s = time.monotonic() - began_s - fast_s
    assert slow_s > fast_s + 2


def test_who_leaves_a_message_out_and_waits_has_diverged(bench, sdk_python, talk):
    """No answer without its question; and no waiting for ever."""
    assert talk("skipping").status == 0
    bench.environment["WORD"] = ""
    diverged = _replayed(bench, sdk_python, "skipping")
    assert diverged.status == 123
    assert "DIVERGED at RECEIVE ws://" in diverged.stderr
    assert '- "first"' in diverged.stderr
    assert "Traceback" not in diverged.stderr


def test_a_message_more_than_was_recorded_diverges(bench, sdk_python, talk):
    """Also where it says what was said before."""
    assert talk("saying_more").status == 0
    for more in ("another", "hello"):
        bench.environment["MORE"] = more
        diverged = _replayed(bench, sdk_python, "saying_more")
        assert diverged.status == 123
        assert "DIVERGED at SEND ws://" in diverged.stderr


def test_messages_that_were_recorded_and_not_sent_are_told(bench, sdk_python, talk):
    """Like requests that were recorded and not asked."""
    bench.environment["MORE"] = "another"
    assert talk("saying_more").status == 0
    del bench.environment["MORE"]
    short = _replayed(bench, sdk_python, "saying_more")
    assert short.status == 123
    assert "2 of 3 recorded requests and messages answered" in short.stderr
    last = of_kind(bench.events(), "ws_send")[-1]["seq"]
    assert f"recorded but not asked: 1 (events {last})" in short.stderr


@pytest.mark.parametrize("how", ["threaded", "asynchronous", "with_aiohttp", "realtime"])
def test_a_replay_s_own_trace_has_the_messages_and_replays(bench, sdk_python, talk, how):
    """With `-o`: the same events, but for ids and times."""
    recorded = talk(how)
    again = _replayed(bench, sdk_python, how, "-o", "again.jsonl")
    assert (again.status, again.stdout) == (0, recorded.stdout), again.stderr
    assert bench.report("again.jsonl")["status"] == "intact"
    assert _of_websockets(bench, "again.jsonl") == _of_websockets(bench, "t.jsonl")
    third = _replayed(bench, sdk_python, how, trace="again.jsonl")
    assert (third.status, third.stdout) == (0, recorded.stdout), third.stderr


def _of_websockets(bench: Bench, name: str) -> list[tuple[str, dict]]:
    events = of_kind(bench.events(name), "ws_send", "ws_receive", "ws_close")
    return sorted((one["kind"], repr({**one["data"], "url": None})) for one in events)


@pytest.mark.parametrize("how", ["saying_more", "with_aiohttp", "realtime"])
def test_a_trace_without_openings_and_ends_replays(bench, sdk_python, talk, how):
    """As they were recorded at first: messages alone, in a span of their own; aiohttp's beside its exchange."""
    recorded = talk(how)
    lines, opened = [], set()
    for event in bench.events():
        event["data"].pop("part", None)
        if event["kind"].startswith("ws_") and how == "with_aiohttp":
            opened.add(event["span_id"])
            event["span_id"] = event["span_id"][::-1]
        is_opening = event["kind"].startswith("http_") and how != "with_aiohttp"
        if event["kind"] != "ws_close" and not is_opening:
            del event["crc32c"]
            lines.append(json.dumps(event))
    (bench.folder / "edited.jsonl").write_text("\n".join(lines) + "\n")
    old = bench.run("cat", "--seal", "edited.jsonl")
    (bench.folder / "old.jsonl").write_text(old.stdout)
    again = _replayed(bench, sdk_python, how, trace="old.jsonl")
    # How it ended is not known.
    shown = [line for line in again.stdout.splitlines() if "Close" not in line]
    if how != "with_aiohttp":
        assert (again.status, again.stdout) == (0, recorded.stdout), again.stderr
    else:
        assert shown[:5] == recorded.stdout.splitlines()[:5]


def test_a_secret_in_a_message_matches_what_stands_for_it(bench, sdk_python, talk):
    """Whatever it is by now; in the trace it is not."""
    bench.environment["AGENT_TOKEN"] = bench.environment["WORD"] = "planted-token-0123456789abcdef"
    assert talk("saying_more").status == 0
    assert b"planted-token" not in (bench.folder / "t.jsonl").read_bytes()
    assert _replayed(bench, sdk_python, "saying_more").status == 0
    bench.environment["AGENT_TOKEN"] = bench.environment["WORD"] = "another-token-0123456789abcdef"
    assert _replayed(bench, sdk_python, "saying_more").status == 0


def test_one_that_was_not_recorded_goes_live(bench, sdk_python, talk, server):
    """With `--on-miss live`: it is recorded as part of the fork; one that is served can't go live, and that is told."""
    assert talk("saying_more").status == 0
    with server():
        forked = _replayed(bench, sdk_python, "threaded", "--on-miss", "live", "-o", "fork.jsonl")
    assert forked.status == 0, forked.stderr
    assert "goes live" in forked.stderr
    (bench.folder / "t.jsonl").unlink()
    again = _replayed(bench, sdk_python, "threaded", trace="fork.jsonl")
    assert (again.status, again.stdout) == (0, forked.stdout), again.stderr

    assert talk("saying_more").status == 0
    bench.environment["WORD"] = "hallo"
    served = _replayed(bench, sdk_python, "saying_more", "--on-miss", "live")
    assert served.status == 123
    assert "can't go live in a websocket" in served.stderr


def test_replayer_serves_websockets_in_its_own_process(bench, sdk_python, talk):
    """The same hooks; what was not said raises Divergence."""
    assert talk("saying_more").status == 0
    script = (
        "import runpy, sys\nfrom agenttrace import Replayer\nfrom agenttrace.errors import Divergence\n"
        "sys.argv[1:] = ['saying_more']\ntry:\n with Replayer('t.jsonl') as replay:\n"
        f"  runpy.run_path({str(CLIENTS)!r})\n"
        "except Divergence as error:\n print(error)\nprint(replay.report.matched, replay.report.unasked)\n"
    )
    ours = {**bench.environment, "PYTHONPATH": str(ROOT), "AGENTTRACE_BACKEND": "pure"}
    for word, told in (("hello", "2 ()"), ("hallo", "differs from event")):
        ended = subprocess.run(
            [sdk_python, "-c", script],
            cwd=bench.folder,
            env={**ours, "WORD": word},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert told in ended.stdout, ended.stderr
