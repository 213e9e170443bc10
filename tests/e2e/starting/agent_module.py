"""Makes one model call; `URL` stands in a file beside it, for agents whose environment is cleared."""

import os

CODE = """
import http.client, json, os
body = json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": "hello"}]})
connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
connection.getresponse().read()
connection.close()
"""

_port = os.path.join(os.path.dirname(os.path.abspath(__file__)), "port")
with open(_port) as _file:
    CODE = CODE.replace("PORT", _file.read())


def call():
    """The call."""
    exec(CODE, {})


if __name__ == "__main__":
    call()
