"""The processes that recorded Pythons start are events; Pythons without hooks are told of, and nothing else is."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from .conftest import of_kind
from .starting.ways import python_of

STARTS = {
    "run": ("subprocess.run(['sh', '-c', 'exit 3'])", ["sh", "-c", "exit 3"], 3),
    "Popen, poll": (
        "p = subprocess.Popen(['true'])\nwhile p.poll() is None: time.sleep(0.01)",
        ["true"],
        0,
    ),
    "shell": ("subprocess.call('exit 4', shell=True)", ["/bin/sh", "-c", "exit 4"], 4),
    "killed": ("subprocess.run(['sh', '-c', 'kill -9 $$'])", ["sh", "-c", "kill -9 $$"], -9),
    "system": ("os.system('exit 5')", ["sh", "-c", "exit 5"], 5),
    "spawnv": ("os.spawnv(os.P_WAIT, '/bin/true', ['true'])", ["true"], 0),
    "posix_spawn": (
        "os.waitpid(os.posix_spawn('/bin/sh', ['sh', '-c', 'exit 6'], {}), 0)",
        ["sh", "-c", "exit 6"],
        6,
    ),
    "posix_spawn inside subprocess": (
        "subprocess.run(['/bin/true'], close_fds=False)",
        ["/bin/true"],
        0,
    ),
    "asyncio": (
        "import asyncio\n"
        "async def main():\n"
        "    await (await asyncio.create_subprocess_exec('sh', '-c', 'exit 7')).wait()\n"
        "asyncio.run(main())",
        ["sh", "-c", "exit 7"],
        7,
    ),
    "fork": ("pid = os.fork()\nif not pid: os._exit(8)\nos.waitpid(pid, 0)", None, 8),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_child_is_two_events(bench, start):
    """What was started and how it ended, once each, in one span."""
    code, argv, status = start
    script = bench.folder / "parent.py"
    script.write_text(f"import os, subprocess, time\n{code}\n")
    ended = bench.run("record", "-o", "t.jsonl", "--", sys.executable, script)
    assert ended.status == 0, ended.stderr
    events = bench.events()
    began, over = of_kind(events, "process_start", "process_end")
    assert began["span_id"] == over["span_id"]
    assert began["data"]["cwd"] == str(bench.folder)
    if argv is None:
        assert began["data"]["fork"] is True
        assert began["data"]["argv"][-1] == str(script)
    else:
        assert began["data"]["argv"] == argv
    if status < 0:
        assert over["data"]["signal"] == signal.Signals(-status).name
    else:
        assert over["data"]["exit_code"] == status
    assert over["data"]["duration_ns"] > 0
    assert not of_kind(events, "gap")


ON_UVLOOP = """
import asyncio, sys, uvloop
async def main():
    start, pipe = asyncio.create_subprocess_exec, asyncio.subprocess.PIPE
    child = await start("cat", stdin=pipe, stdout=pipe)
    child.stdin.write(b"one ")
    print(await child.stdout.readexactly(4))
    child.stdin.writelines([b"t", b"w"])
    print(await child.communicate(b"o"), child.returncode)
    child = await asyncio.create_subprocess_shell("echo x >&2; exit 7", stderr=pipe)
    print(await child.communicate(), child.returncode)
    child = await start("sleep", "60")
    child.terminate()
    print(await child.wait())
    try:
        await start("no-such-program")
    except FileNotFoundError as error:
        print(error)
uvloop.run(main())
"""


def test_children_that_uvloop_starts_are_told_of(bench, sdk_python):
    """It starts them, and reads and writes their pipes, past subprocess and os."""
    script = bench.folder / "parent.py"
    script.write_text(ON_UVLOOP)
    ended = bench.run("record", "-o", "t.jsonl", "--", sdk_python, script)
    direct = subprocess.run([sdk_python, script], capture_output=True, text=True)
    assert (ended.status, ended.stdout) == (0, direct.stdout), ended.stderr
    events = bench.events()
    began, over = of_kind(events, "process_start"), of_kind(events, "process_end")
    assert [one["data"]["argv"][0] for one in began] == [
        "cat",
        "/bin/sh",
        "sleep",
        "no-such-program",
    ]
    assert [one["span_id"] for one in began] == [one["span_id"] for one in over]
    how = [one["data"].get("exit_code", one["data"].get("signal")) for one in over]
    assert how == [0, 7, "SIGTERM", None]
    assert over[3]["data"]["error"]["type"] == "FileNotFoundError"
    assert [one["data"]["signal"] for one in of_kind(events, "process_signal")] == ["SIGTERM"]
    pieces = [one["data"] for one in of_kind(events, "process_chunk")]
    passed = {}
    for piece in pieces:
        passed.setdefault(piece["stream"], []).append(piece["text"])
    joined = {stream: "".join(texts) for stream, texts in passed.items()}
    assert joined == {"stdin": "one two", "stdout": "one two", "stderr": "x\n"}
    assert all(texts[-1] == "" for texts in passed.values())
    assert pieces[0] == {"stream": "stdin", "text": "one "}


def test_what_a_child_does_is_part_of_it(bench, server, sdk_python):
    """A call in a child has the child's span as its parent; a child's child too."""
    bench.serve_from(server)
    call = (
        "import os, urllib.request\n"
        "urllib.request.urlopen(os.environ['MODEL_SERVER'] + '/v1/models').read()\n"
    )
    script = bench.folder / "parent.py"
    script.write_text(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {call!r}])\n")
    bench.run("record", "-o", "t.jsonl", "--", sdk_python, script)
    (began,) = of_kind(bench.events(), "process_start")
    (request,) = of_kind(bench.events(), "http_request")
    assert request["parent_span_id"] == began["span_id"]


def test_a_secret_on_a_command_line_is_kept_out(bench):
    """As everywhere."""
    script = bench.folder / "parent.py"
    script.write_text(
        "import os, subprocess\nsubprocess.run(['true', os.environ['OPENAI_API_KEY']])\n"
    )
    bench.run("record", "-o", "t.jsonl", "--", sys.executable, script)
    text = (bench.folder / "t.jsonl").read_text()
    assert '"process_start"' in text
    assert bench.environment["OPENAI_API_KEY"] not in text


@pytest.mark.parametrize(
    "line",
    [
        "{py} --version",
        "{py} -I -V",
        '{py} -c \'import os; os.execv("/bin/true", ["true"])\'',
        "{py} -c 'import os; os.kill(os.getpid(), 9)'; true",
        "sh -c 'exec {py} -c pass' & {py} nofile.py; wait",
        "{py} -c 'import multiprocessing as m; m.Process(target=print).start()'",
        '{py} -I -c \'import subprocess, sys; subprocess.run([sys.executable, "-I", "-c", ""])\'',
    ],
)
def test_no_false_alarm(bench, line):
    """Pythons that run nothing, or end before one can blink, or are reached after all, are no gap."""
    command = line.format(py=sys.executable)
    if "{py} -I -c" in line:  # the top-level command is reached; below a shell it would not be
        import shlex

        ended = bench.run("record", "-o", "t.jsonl", "--", *shlex.split(command))
    else:
        ended = bench.run("record", "-o", "t.jsonl", "--", "sh", "-c", command)
    assert "without hooks" not in ended.stderr
    assert not of_kind(bench.events(), "gap")


UNREACHED = {
    "-I below a shell": ("{py} -I -c '{nap}'; true", "started with -I"),
    "-S below a shell": ("{py} -S -c '{nap}'; true", "started with -S"),
    "a cleared environment below a shell": (
        "env -i {py} -c '{nap}'; true",
        "its environment was cleared",
    ),
    "PYTHONPATH replaced below a shell": (
        "PYTHONPATH=/ {py} -c '{nap}'; true",
        "PYTHONPATH was replaced",
    ),
    "Python 3.7": ("{python3.7} -c '{nap}'; true", "it is older than Python 3.8"),
}


@pytest.mark.parametrize("way", UNREACHED.values(), ids=UNREACHED)
def test_a_python_without_hooks_is_told(bench, way):
    """In a gap that names it and the reason, and at the end."""
    line, reason = way
    old = python_of("3.7")
    if "python3.7" in line and old is None:
        pytest.skip("Python 3.7 is not on this machine")
    words = {"{py}": sys.executable, "{python3.7}": str(old), "{nap}": "import time; time.sleep(1)"}
    for name, value in words.items():
        line = line.replace(name, value)
    ended = bench.run("record", "-o", "t.jsonl", "--", "sh", "-c", line)
    (gap,) = of_kind(bench.events(), "gap")
    assert gap["data"]["reason"].endswith(f"ran without hooks: {reason}")
    assert gap["data"]["argv"][-2] == "-c"
    assert gap["data"]["reason"] in ended.stderr
