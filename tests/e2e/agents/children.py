"""An agent whose work is done by child processes. `children.py WAY…`; prints what they said.

Each child that is to be known by a replay leaves a mark in the file that MARKS names.
"""

import asyncio
import os
import subprocess
import sys
import threading

MARK = "echo ran >> $MARKS; "


def statuses():
    ended = subprocess.run(
        ["sh", "-c", MARK + "echo out; echo err >&2; exit 3"], capture_output=True
    )
    print(ended.stdout, ended.stderr, ended.returncode)
    print(subprocess.run(["sh", "-c", MARK + "echo x; kill -9 $$"], stdout=-1))
    print(subprocess.getstatusoutput(MARK + "echo both; echo both >&2; exit 2"))
    print(os.popen(MARK + "echo popen").read())
    print(os.system(MARK + "exit 7"))


def kinds():
    print(subprocess.check_output(["uname", "-p"], stderr=subprocess.DEVNULL, text=True))
    print(subprocess.check_output(["sh", "-c", r"printf '\377\000\303'"]))
    data = subprocess.check_output(
        ["sh", "-c", MARK + "head -c 5000000 /dev/zero | tr '\\0' '\\347'"]
    )
    print(len(data), set(data))
    print(subprocess.run(["cat"], input=b"\xff" * 300000, stdout=-1).stdout == b"\xff" * 300000)
    print(subprocess.run(["sort"], input="b\r\na\n", stdout=-1, text=True).stdout)
    try:
        subprocess.run(["/nowhere/at/all"])
    except FileNotFoundError as error:
        print(error)


def interactive():
    command = ["sh", "-c", MARK + "while read x; do echo got $x; done; exit 4"]
    child = subprocess.Popen(command, stdin=-1, stdout=-1, bufsize=1, text=True)
    for word in ("one", "two", "three"):
        child.stdin.write(word + "\n")
        print(child.stdout.readline(), end="")
    print(child.poll())
    child.stdin.close()
    print(child.wait())


def killed():
    child = subprocess.Popen(["sh", "-c", MARK + "echo up; exec sleep 60"], stdout=-1)
    print(child.stdout.readline())
    child.terminate()
    print(child.wait())
    polite = "trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done"
    child = subprocess.Popen(["sh", "-c", MARK + polite], stdout=-1)
    print(child.stdout.readline())
    child.terminate()
    print(child.wait())
    try:
        subprocess.run(["sh", "-c", "echo early; exec sleep 60"], stdout=-1, timeout=0.3)
    except subprocess.TimeoutExpired as error:
        print(error.output)


def early():
    """Its reader goes away."""
    child = subprocess.Popen(["sh", "-c", MARK + "while echo y; do :; done"], stdout=-1, stderr=-1)
    print(child.stdout.readline())
    child.stdout.close()
    child.stderr.close()
    print(child.wait())


def unbuffered():
    child = subprocess.Popen(["sh", "-c", MARK + "echo abc"], stdout=-1, bufsize=0)
    print(
        os.read(child.stdout.fileno(), 2), child.stdout.read(1), child.stdout.read(), child.wait()
    )


def threads():
    said = {}

    def ask(number):
        said[number] = subprocess.check_output(["sh", "-c", MARK + f"echo {number}"])

    crowd = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    print(sorted(said.items()))


def in_asyncio():
    async def ask(number):
        command = MARK + f"read x; echo $x {number}; cat; exit {number}"
        child = await asyncio.create_subprocess_exec(
            "sh", "-c", command, stdin=-1, stdout=-1, stderr=-1
        )
        child.stdin.write(b"first\n")
        return await child.stdout.readline(), await child.communicate(b"rest"), child.returncode

    async def main():
        print(await asyncio.gather(*map(ask, range(4))))
        child = await asyncio.create_subprocess_shell(MARK + "exec sleep 60")
        child.kill()
        print(await child.wait())

    asyncio.run(main())


def own_code():
    """A Python of the agent's own: it runs in a replay too."""
    code = "import os; open(os.environ['MARKS'], 'a').write('own\\n'); print('mine')"
    print(subprocess.check_output([sys.executable, "-c", code]))


def other():
    """Something that differs from run to run, by the environment."""
    print(subprocess.check_output(["sh", "-c", MARK + "echo " + os.environ.get("WORD", "word")]))


def other_input():
    word = os.environ.get("WORD", "word").encode()
    print(subprocess.run(["sh", "-c", MARK + "cat"], input=word + b"\n", stdout=-1).stdout)


def printing():
    print("before", flush=True)
    subprocess.run(["sh", "-c", MARK + "echo shown"])


if __name__ == "__main__":
    for way in sys.argv[1:]:
        globals()[way]()
