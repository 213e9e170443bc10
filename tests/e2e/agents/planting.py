"""Plants secrets wherever a program can: argv[1] names them, argv[2] the server."""

import base64
import http.client
import json
import os
import sys
import time
from urllib.parse import quote

with open(sys.argv[1]) as planted:
    p = json.load(planted)
url = sys.argv[2]
assert sys.argv[3] == "--password=" + p["argv"]
host = url.split("//")[1]


def ask(method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse().read()
    connection.close()
    return answer


ask(
    "POST",
    "/x?page=1&api_key=" + p["query"],
    json.dumps(
        {
            "a": [{"b": p["body"]}],
            "c": json.dumps({"d": json.dumps({"e": p["nested"]})}),
            p["key"]: 1,
        }
    ),
    {
        "Authorization": "Bearer " + p["request_header"],
        "Cookie": "s=" + p["cookie"],
        "Content-Type": "application/json",
    },
)
ask(
    "POST",
    "/login",
    "user=me&password=" + p["form"],
    {"Content-Type": "application/x-www-form-urlencoded"},
)
ask(
    "POST",
    "/parts",
    '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n' + p["multipart"] + "\r\n--b--",
    {"Content-Type": "multipart/form-data; boundary=b"},
)
ask(
    "POST",
    "/v1/chat/completions",
    json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "go"}]}),
    {"Content-Type": "application/json"},
)
ask("GET", "/error?u=" + quote(p["percent"], safe=""))
ask("POST", "/unicode", '{"k": "' + "".join(f"\\u{ord(c):04x}" for c in p["unicode"]) + '"}')
print(
    "out",
    p["stdout"],
    "basic",
    base64.b64encode(("u:" + os.environ["PLANTED_PASSWORD"]).encode()).decode(),
    json.dumps(json.dumps({"k": p["escaped"]})),
)
print("see postgres://app:" + p["userinfo"] + "@db/x", flush=True)
print(
    "log:",
    p["log"],
    p["event"],
    json.dumps({"arguments": json.dumps({"api_key": p["arguments"]})}),
    file=sys.stderr,
    flush=True,
)
for part in (p["cut"][:9], p["cut"][9:20], p["cut"][20:] + " end\n"):
    sys.stdout.write(part)
    sys.stdout.flush()
    time.sleep(0.05)
with open(sys.argv[4]) as innocent:
    print(innocent.read(), flush=True)
print(p["stderr"], file=sys.stderr)
raise RuntimeError("failed with " + p["exception"])
