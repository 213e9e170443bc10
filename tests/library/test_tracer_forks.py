"""Tracer: what becomes of it in a forked child that lives elsewhere: another folder, closed descriptors, no room."""

from __future__ import annotations

import os
import pathlib

from tests.library.reading import kinds, of_kind, report, run


def test_a_child_that_can_open_no_file_goes_on_and_says_so(tmp_path: pathlib.Path) -> None:
    """Told once, nothing is raised into the agent; a gap tells of it once the file can be made."""
    code = """
        import os, sys
        from agenttrace import Tracer
        os.mkdir("runs")
        tracer = Tracer("runs/run.jsonl")
        os.rename("runs", "away")
        pid = os.fork()
        if pid == 0:
            tracer.log("lost")
            tracer.log("lost too")
            os.rename("away", "runs")
            tracer.log("there")
            tracer.close()
            os._exit(0)
        sys.exit(os.waitpid(pid, 0)[1])
    """
    ended = run(f"import os\nos.chdir({str(tmp_path)!r})\n" + _plain(code))
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("losing events") == 1
    (child,) = [path for path in (tmp_path / "runs").iterdir() if path.name != "run.jsonl"]
    assert kinds(child) == ["trace_start", "gap", "log", "trace_end"]
    assert of_kind(child, "gap")[0].data["events"] == 2
    assert report(child)["status"] == "intact"


def test_a_childs_file_stands_beside_its_parents_wherever_it_goes(tmp_path: pathlib.Path) -> None:
    """A relative path is that of the folder in which the tracer was made."""
    code = """
        import os, sys
        from agenttrace import Tracer
        tracer = Tracer("run.jsonl")
        pid = os.fork()
        if pid == 0:
            os.mkdir("elsewhere")
            os.chdir("elsewhere")
            tracer.log("x")
            tracer.close()
            os._exit(0)
        os.waitpid(pid, 0)
    """
    ended = run(f"import os\nos.chdir({str(tmp_path)!r})\n" + _plain(code))
    assert ended.stderr == ""
    assert os.listdir(tmp_path / "elsewhere") == []
    assert len(list(tmp_path.glob("run.*.jsonl"))) == 1


def test_a_child_keeps_the_descriptors_that_took_the_place_of_ours(path: pathlib.Path) -> None:
    """A daemon closes all that it inherits, and opens its own: those are not ours to close."""
    code = """
        import os, sys
        from agenttrace import Tracer
        tracer = Tracer(sys.argv[1])
        pid = os.fork()
        if pid == 0:
            os.closerange(3, 64)
            own = [os.open(os.devnull, os.O_RDWR) for _ in range(8)]
            tracer.log("x")
            tracer.close()
            for fd in own:
                os.fstat(fd)
            os._exit(0)
        sys.exit(os.waitpid(pid, 0)[1])
    """
    ended = run(code, path)
    assert (ended.returncode, ended.stderr) == (0, "")


def _plain(code: str) -> str:
    import textwrap

    return textwrap.dedent(code)
