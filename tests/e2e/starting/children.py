"""Starts one child in the way that is named; the child makes one model call. Valid from Python 3.8 on."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import agent_module

HERE = os.path.dirname(os.path.abspath(__file__))
AGENT = os.path.join(HERE, "agent.py")
PY = sys.executable
LINE = f'"{PY}" "{AGENT}"'


def ended_well(pid):
    assert os.waitpid(pid, 0)[1] == 0


def run(*command, **named):
    subprocess.run(command, check=True, **named)


def run_fork():
    pid = os.fork()
    if not pid:
        agent_module.call()
        os._exit(0)
    ended_well(pid)


def in_process(method):
    context = multiprocessing.get_context(method)
    process = context.Process(target=agent_module.call)
    process.start()
    process.join()
    assert process.exitcode == 0


def pool():
    with multiprocessing.Pool(1) as workers:
        workers.apply(agent_module.call)


def executor():
    with ProcessPoolExecutor(1) as workers:
        workers.submit(agent_module.call).result()


def forked_exec(execute):
    pid = os.fork()
    if not pid:
        execute()
    ended_well(pid)


def spawned(*arguments, env=None):
    posix_env = os.environ if env is None else env
    ended_well(os.posix_spawn(PY, [PY, *arguments], posix_env))


async def awaited(how, *arguments, **named):
    process = await how(*arguments, **named)
    assert await process.wait() == 0


def on_uvloop(how, *arguments, **named):
    import uvloop

    loop = uvloop.new_event_loop()
    loop.run_until_complete(awaited(how, *arguments, **named))
    loop.close()


def with_clear_os_environ():
    os.environ.clear()
    run(PY, AGENT)


def mcp_server():
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    async def ask():
        server = StdioServerParameters(command=PY, args=[os.path.join(HERE, "mcp_server.py")])
        async with stdio_client(server) as pipes, ClientSession(*pipes) as session:
            await session.initialize()
            await session.call_tool("ask", {})

    asyncio.run(ask())


def in_terminal():
    import pty

    assert pty.spawn([PY, AGENT]) == 0


EXEC = asyncio.create_subprocess_exec
SHELL = asyncio.create_subprocess_shell

WAYS = {
    "subprocess.run": lambda: run(PY, AGENT),
    "subprocess.run -I": lambda: run(PY, "-I", AGENT),
    "subprocess.run -E -m": lambda: run(PY, "-E", "-m", "agent_module", cwd=HERE),
    "subprocess.run -S": lambda: run(PY, "-S", AGENT),
    "subprocess.run -Ic": lambda: run(PY, "-Ic", agent_module.CODE),
    "subprocess.run -I -": lambda: run(PY, "-I", "-", input=agent_module.CODE.encode()),
    "subprocess.run env={}": lambda: run(PY, AGENT, env={}),
    "subprocess.run env={} -I": lambda: run(PY, "-I", AGENT, env={}),
    "subprocess.run PYTHONPATH": lambda: run(PY, AGENT, env={"PYTHONPATH": HERE}),
    "subprocess.run executable": lambda: run("agent", "-I", AGENT, executable=PY),
    "subprocess.run cwd": lambda: run(PY, "-I", "agent.py", cwd=HERE),
    "subprocess.run shebang": lambda: run(os.path.join(HERE, "tool-isolated")),
    "subprocess.run env -i": lambda: run("env", "-i", PY, "-I", AGENT),
    "subprocess.run close_fds=False": lambda: run(PY, AGENT, env={}, close_fds=False),
    "subprocess shell": lambda: run(LINE, shell=True),
    "subprocess shell env={}": lambda: run(LINE, shell=True, env={}),
    "subprocess shell -I": lambda: run(f'"{PY}" -I "{HERE}/slow.py"; true', shell=True),
    "subprocess shell -S": lambda: run(f'"{PY}" -S "{HERE}/slow.py"; true', shell=True),
    "os.system": lambda: os.system(LINE),
    "os.popen": lambda: os.popen(LINE).read(),
    "os.environ.clear": with_clear_os_environ,
    "os.execv": lambda: os.execv(PY, [PY, AGENT]),
    "os.execv -I": lambda: os.execv(PY, [PY, "-I", AGENT]),
    "os.execve": lambda: os.execve(PY, [PY, AGENT], {}),
    "os.execlp": lambda: forked_exec(lambda: os.execlp(PY, PY, "-E", AGENT)),
    "os.posix_spawn": lambda: spawned(AGENT),
    "os.posix_spawn -I": lambda: spawned("-I", AGENT, env={}),
    "os.spawnv": lambda: os.spawnv(os.P_WAIT, PY, [PY, AGENT]),
    "os.spawnve -I": lambda: os.spawnve(os.P_WAIT, PY, [PY, "-I", AGENT], {}),
    "os.fork": run_fork,
    "pty.spawn": in_terminal,
    "multiprocessing Process fork": lambda: in_process("fork"),
    "multiprocessing Process spawn": lambda: in_process("spawn"),
    "multiprocessing Process forkserver": lambda: in_process("forkserver"),
    "multiprocessing Pool": pool,
    "multiprocessing ProcessPoolExecutor": executor,
    "asyncio exec": lambda: asyncio.run(awaited(EXEC, PY, AGENT)),
    "asyncio exec -I": lambda: asyncio.run(awaited(EXEC, PY, "-I", AGENT, env={})),
    "asyncio shell": lambda: asyncio.run(awaited(SHELL, LINE)),
    "uvloop exec": lambda: on_uvloop(EXEC, PY, AGENT),
    "uvloop exec -I": lambda: on_uvloop(EXEC, PY, "-I", AGENT, env={}),
    "uvloop shell": lambda: on_uvloop(SHELL, LINE, env={}),
    "MCP server": mcp_server,
}

if __name__ == "__main__":
    WAYS[sys.argv[1]]()
