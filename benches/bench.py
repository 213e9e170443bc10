"""`make bench`: what AgentTrace costs, against floors that are measured in the same run.

Absolute figures are the machine's; the ratios are what compares. Each is the median of several rounds, floor and
subject in turn, so that a machine that slows down slows both.
"""

from __future__ import annotations

import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import crc32c  # noqa: E402
import orjson  # noqa: E402

from agenttrace import Tracer  # noqa: E402
from examples.model_server import ModelServer  # noqa: E402
from tools.agent_environment import agent_python  # noqa: E402

ROUNDS = 7
AGENTTRACE = [sys.executable, "-m", "agenttrace"]


def median_of(*subjects, rounds=ROUNDS):
    """The median of what each subject returns, called in turn."""
    results = [[] for _ in subjects]
    for _ in range(rounds):
        for result, subject in zip(results, subjects):
            result.append(subject())
    return [statistics.median(result) for result in results]


def timed(function):
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


# -- writing ---------------------------------------------------------------------------------


def writing(folder: Path) -> None:
    print(
        "Tracer, one event, one write each      ns/event   floor: orjson + crc32c + os.write      ratio"
    )
    for name, padding in (("300 B", 90), ("1.2 KB", 990)):
        data = {"level": "info", "message": "x" * padding}
        ours, floor = median_of(
            functools.partial(tracer_ns, folder, data), functools.partial(floor_ns, folder, data)
        )
        batch = statistics.median(tracer_ns(folder, data, flush="batch") for _ in range(ROUNDS))
        print(
            f"  {name:>7}                               {ours:7.0f}   {floor:7.0f}{ours / floor:34.2f}"
        )
        print(
            f'  {name:>7}, flush="batch"                {batch:7.0f}   {floor:7.0f}{batch / floor:34.2f}'
        )


def tracer_ns(folder: Path, data: dict, events: int = 20_000, flush: str = "event") -> float:
    path = folder / "tracer.jsonl"
    path.unlink(missing_ok=True)
    with Tracer(path, flush=flush) as tracer:
        log = tracer.log
        began = time.perf_counter_ns()
        for _ in range(events):
            log(data["message"])
        return (time.perf_counter_ns() - began) / events


def floor_ns(folder: Path, data: dict, events: int = 20_000) -> float:
    path = folder / "floor.jsonl"
    path.unlink(missing_ok=True)
    frame = b'{"v":1,"trace_id":"%s","ts":"2026-11-22T06:40:00.123456789Z"' % (b"1" * 32)
    frame += b',"seq":%d,"kind":"log","data":'
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    began = time.perf_counter_ns()
    for seq in range(events):
        line = frame % seq + orjson.dumps(data) + b"}"
        os.write(fd, b'%s,"crc32c":"%08x"}\n' % (line[:-1], crc32c.crc32c(line)))
    spent = (time.perf_counter_ns() - began) / events
    os.close(fd)
    return spent


# -- verifying -------------------------------------------------------------------------------


def verifying(folder: Path, megabytes: int = 1024) -> None:
    """verify, net of its start-up, against tools that read the same bytes and do less with them."""
    one = trace_of(folder / "big.jsonl", megabytes << 20)
    parts = [trace_of(folder / f"part-{number:02}.jsonl", megabytes << 16) for number in range(16)]
    packed, empty = folder / "big.jsonl.zst", folder / "empty.jsonl"
    quiet(["zstd", "-q", "-f", one, "-o", str(packed)])
    empty.touch()
    verify = [*AGENTTRACE, "verify"]
    print(
        f"\n{megabytes / 1024:.0f} GiB, net of start-up            GB/s   against            time ratio"
    )
    for name, subject, floor, files in (
        ("verify, one file", verify, ["wc", "-l"], [one]),
        ("verify, one file", verify, ["cat"], [one]),
        ("verify, one file", verify, ["cksum"], [one]),
        ("verify, 16 files", verify, ["wc", "-l"], parts),
        ("verify, .zst", verify, ["zstd", "-dc"], [str(packed)]),
        ("verify --deep", [*verify, "--deep"], ["wc", "-l"], [one]),
        ("cat", [*AGENTTRACE, "cat"], ["cat"], [one]),
    ):
        ours, start, theirs = median_of(
            lambda: timed(lambda: quiet([*subject, *files])),  # noqa: B023 - called at once
            lambda: timed(lambda: quiet([*subject, str(empty)], check=False)),  # noqa: B023
            lambda: timed(lambda: quiet([*floor, *files])),  # noqa: B023
            rounds=5,
        )
        net = ours - start
        speed = (megabytes << 20) / net / 1e9
        print(f"  {name:<28} {speed:8.2f}   {' '.join(floor):<18} {net / theirs:10.2f}")


def trace_of(path: Path, size_bytes: int) -> str:
    """A trace of lines of 1.1 KB, a little over this size."""
    with Tracer(path, flush="batch") as tracer:
        while path.stat().st_size < size_bytes:
            for _ in range(500):
                tracer.log("x" * 900)
    return str(path)


def quiet(command: list[str], check: bool = True) -> None:
    subprocess.run(
        command, check=check, stdout=subprocess.PIPE if check is None else subprocess.DEVNULL
    )


# -- recording -------------------------------------------------------------------------------

CALLS = """
import statistics, sys, time, httpx
url, calls = sys.argv[1] + "/v1/chat/completions", int(sys.argv[2])
plain, first, start = [], [], time.perf_counter()
body = {"model": "gpt-5", "messages": [{"role": "user", "content": "Say something about rivers."}]}
with httpx.Client() as client:
    for number in range(calls):
        began = time.perf_counter()
        client.post(url, json=body).json()
        plain.append(time.perf_counter() - began)
    for number in range(calls // 4):
        began = time.perf_counter()
        with client.stream("POST", url, json={**body, "stream": True}) as answer:
            for piece in answer.iter_bytes():
                first.append(time.perf_counter() - began)
                break
print(statistics.median(plain) * 1e3, statistics.median(first) * 1e3)
"""


def recording(folder: Path) -> None:
    python = agent_python()
    with ModelServer() as server:
        agent = [python, "-c", CALLS, server.url, "200"]
        recorded = [
            *AGENTTRACE,
            "record",
            "-q",
            "-o",
            str(folder / "calls.jsonl"),
            "--force",
            "--",
            *agent,
        ]
        runs = [[], []]
        for _ in range(5):
            for run, command in zip(runs, (agent, recorded)):
                out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                run.append([float(figure) for figure in out.split()])
    bare, ours = ([statistics.median(column) for column in zip(*run)] for run in runs)
    print("\nrecording, ms (medians, in the agent)        without   recorded      added")
    for name, without, with_us in zip(("a plain call", "first piece of a stream"), bare, ours):
        print(f"  {name:<38} {without:10.3f} {with_us:10.3f} {with_us - without:+10.3f}")


def starting(folder: Path) -> None:
    path = folder / "small.jsonl"
    with Tracer(path) as tracer:
        tracer.log("x")
    typer = folder / "typer_program.py"
    typer.write_text(
        "import typer\napp = typer.Typer(add_completion=False, rich_markup_mode=None)\n"
        "@app.command()\ndef main(path: str): pass\napp()\n"
    )
    cat, verify, floor, nothing, record, true = median_of(
        lambda: timed(lambda: quiet([*AGENTTRACE, "cat", str(path)])),
        lambda: timed(lambda: quiet([*AGENTTRACE, "verify", str(path)])),
        lambda: timed(lambda: quiet([sys.executable, str(typer), "x"])),
        lambda: timed(lambda: quiet([sys.executable, "-c", "pass"])),
        lambda: timed(
            lambda: quiet(
                [
                    *AGENTTRACE,
                    "record",
                    "-q",
                    "--force",
                    "-o",
                    str(folder / "r.jsonl"),
                    "--",
                    "true",
                ]
            )
        ),
        lambda: timed(lambda: quiet(["true"])),
        rounds=15,
    )
    print(
        f"\nstart-up, ms: python -c pass {nothing * 1e3:.0f}; a Typer program that does nothing {floor * 1e3:.0f}"
    )
    print(
        f"  agenttrace cat    {cat * 1e3:6.0f}   ratio to Typer {cat / floor:.2f}, to python {cat / nothing:.2f}"
    )
    print(f"  agenttrace verify {verify * 1e3:6.0f}   ratio to Typer {verify / floor:.2f}")
    added = 1e3 * (record - true)
    print(f"  agenttrace record -- true {record * 1e3:.0f}, without {true * 1e3:.0f}: {added:+.0f}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writing(folder)
        verifying(folder)
        recording(folder)
        starting(folder)


if __name__ == "__main__":
    main()
