"""Plants secrets in every place that a recording sees: argv[1] names them, argv[2] the servers."""

import asyncio
import base64
import http.client
import json
import logging
import os
import subprocess
import sys
import time
from urllib.parse import quote

import httpx
from websockets.sync.client import connect

with open(sys.argv[1]) as planted:
    p = json.load(planted)
url, ws_url = sys.argv[2:4]
host = url.split("//")[1]
variable = os.environ["PLANTED_PASSWORD"]
JSON = {"Content-Type": "application/json"}


def ask(method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse().read()
    connection.close()
    return answer


def requests():
    said = {"a": [{"b": p["body"]}], "c": json.dumps({"d": json.dumps({"e": p["nested"]})})}
    head = {"Authorization": "Bearer " + p["bearer"], "X-Own-Thing": p["header"], **JSON}
    head.update({"Cookie": "s=" + p["cookie"], "Proxy-Authorization": "Basic " + p["proxy"]})
    ask("POST", "/x?page=1&api_key=" + p["query"], json.dumps(said), head)
    ask("POST", "/k", json.dumps({p["name"]: 1, "n": [{"client_secret": p["member"]}]}), JSON)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    ask("POST", "/login", "user=me&password=" + quote(p["form"]), form)
    part = 'Content-Disposition: form-data; name="password"\r\n\r\n{}\r\n'.format(p["multipart"])
    multipart = {"Content-Type": "multipart/form-data; boundary=b"}
    ask("POST", "/parts", "--b\r\n" + part + "--b--", multipart)
    ask("GET", "/path/{}/{}?u={}".format(p["path"], quote(variable), quote(p["percent"], safe="")))
    ask("POST", "/u", '{"k": "' + "".join(f"\\u{ord(c):04x}" for c in p["unicode"]) + '"}')
    ask("POST", "/bytes", b"\xff\xfe" + p["binary"].encode() + b"\xff")
    model = {"model": "m", "stream": True, "messages": [{"role": "user", "content": p["prompt"]}]}
    ask("POST", "/v1/chat/completions", json.dumps(model), JSON)
    model = {"model": "m", "messages": [{"role": "system", "content": variable + ' "x"'}]}
    ask("POST", "/v1/chat/completions", json.dumps(model), JSON)
    ask("GET", "/lines")
    ask("GET", "/gzip")
    ask("GET", "/redirect")


async def more():
    async with httpx.AsyncClient() as client:
        there = url.replace("//", "//me:{}@".format(p["userinfo"]))
        await client.post(there + "/json", json={"key": p["httpx"]}, params={"sig": p["parameter"]})
        try:
            await client.get("http://127.0.0.1:9/x?access_token=" + p["refused"])
        except httpx.ConnectError as error:
            print("no:", error, error.request.url, flush=True)


def websocket():
    with connect(ws_url + "/talk?token=" + p["ws_url"]) as connection:
        for message in (p["ws_text"], b"\xff" + p["ws_bytes"].encode()):
            connection.send(message)
            connection.recv()
        cut = p["ws_fragments"]
        connection.send([cut[:9], cut[9:20], cut[20:]])
        connection.recv()
        connection.send("tell")
        print(len(list(connection.recv_streaming())), "fragments")


def children():
    echo = "import sys; print(sys.stdin.readline(), end=''); print('%s', file=sys.stderr)"
    child = subprocess.Popen(
        ["sh", "-c", 'echo "$1"; read x; echo "$x"; echo "$PLANTED_PASSWORD" >&2; sleep 0.02', "sh"]
        + ["token " + p["child_argv"], "--password", p["child_option"], "--api-key=" + p["child_api"]],
        stdin=-1, stdout=-1, stderr=-1,
    )  # fmt: skip
    cut = p["child_stdin"].encode() + b"\n"
    for part in (cut[:9], cut[9:20], cut[20:]):
        child.stdin.write(part)
        child.stdin.flush()
    print(child.stdout.read().count(b"\n"), child.stderr.read().count(b"\n"), child.wait())
    try:
        subprocess.run(["/nowhere/" + p["child_missing"], "x"], check=False)
    except OSError as error:
        print("missing", error.errno)
    quiet = [sys.executable, "-S", "-I", "-c", echo % p["quiet_child"]]
    subprocess.run(["sh", "-c", 'exec "$0" "$@"', *quiet], input=b"x\n", capture_output=True)
    os.system("true " + p["child_shell"])


def mcp():
    server = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    said = {"content": [{"type": "text", "text": "got %s" % asked["params"]["secret"]}]}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": said}), flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", server], stdin=-1, stdout=-1)
    params = {"name": "t", "arguments": {"deep": [p["mcp"]]}, "secret": p["mcp_result"]}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    child.stdin.write(json.dumps(asked).encode() + b"\n")
    child.stdin.flush()
    print(child.stdout.readline().count(b"\n"))
    child.stdin.close()
    child.wait()
    child.stdout.close()


def gateway():
    """A client that no hook sees."""
    code = """
import http.client, json, os, sys
from urllib.parse import urlsplit
p = json.load(open(sys.argv[1]))
base = urlsplit(os.environ["OPENAI_BASE_URL"])
for path, key in (("/chat/completions", "gw_body"), ("/error?api_key=" + p["gw_query"], "gw_other")):
    connection = http.client.HTTPConnection(base.hostname, base.port, timeout=20)
    said = {"model": "gw", "stream": True, "messages": [{"role": "user", "content": p[key]}]}
    head = {"Authorization": "Bearer " + p["gw_bearer"], "api-key": p["gw_header"]}
    head["Content-Type"] = "application/json"
    connection.request("POST", base.path + path, json.dumps(said), head)
    connection.getresponse().read()
connection = http.client.HTTPConnection(base.hostname, base.port, timeout=20)
connection.putrequest("GET", base.path + "/ws?key=" + p["gw_ws"])
connection.putheader("Upgrade", "websocket")
connection.putheader("Connection", "Upgrade")
connection.endheaders()
connection.getresponse().read()
"""
    command = ["sh", "-c", 'exec "$0" "$@"', sys.executable, "-I", "-S", "-c", code, sys.argv[1]]
    subprocess.run(command, check=True)


def said():
    basic = base64.b64encode(("u:" + variable).encode()).decode()
    print("out", p["stdout"], basic, quote(variable), json.dumps(variable))
    print(json.dumps(json.dumps({"k": p["escaped"]})), "DB_PASSWORD=" + p["assigned"])
    print(
        "see postgres://app:" + p["dsn"] + "@db/x",
        "> X-Api-Key: " + p["printed_header"],
        flush=True,
    )
    logging.error("%s", {"password": p["logged"]})
    print(p["stderr"], p["private"], file=sys.stderr, flush=True)
    print(sys.stdin.read(), flush=True)
    for stream, key in ((sys.stdout, "cut"), (sys.stderr, "cut_stderr")):
        for part in (p[key][:9], p[key][9:20], p[key][20:] + " end\n"):
            stream.write(part)
            stream.flush()
            time.sleep(0.02)
    with open(sys.argv[4]) as innocent:
        print(innocent.read(), flush=True)


requests()
asyncio.run(more())
if ws_url != "-":
    websocket()
children()
mcp()
gateway()
said()
raise RuntimeError("failed with " + p["exception"])
