"""Clients that no hook sees, for tests of the gateway."""

from __future__ import annotations

import shutil
import sys

import pytest

CURL = shutil.which("curl")
needs_curl = pytest.mark.skipif(CURL is None, reason="curl is not installed")
# A client that no hook sees: a Python without its site, started by what is none.
UNHOOKED = ["sh", "-c", 'exec "$0" "$@"', sys.executable, "-I", "-S", "-c"]
RAW = """
import os, socket, sys, http.client, time
from urllib.parse import urlsplit
base = urlsplit(os.environ["OPENAI_BASE_URL"])
def connect():
    return http.client.HTTPConnection(base.hostname, base.port, timeout=20)
def ask(connection, path, method="GET", body=None, headers={}, **named):
    connection.request(method, base.path + path, body, headers, **named)
    return connection.getresponse()
def raw(data):
    with socket.create_connection((base.hostname, base.port), timeout=20) as peer:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR) if b"HALF" in data else None
        answer = b""
        while True:
            piece = peer.recv(65536)
            if not piece:
                return answer
            answer += piece
"""


def record(bench, code: str, *options: str):
    """Runs Python code as a client that no hook sees."""
    python = [*UNHOOKED, RAW + code]
    ended = bench.run("record", "-q", "-o", "t.jsonl", *options, "--", *python)
    assert ended.status == 0, ended.stderr
    return ended


def lead_to(bench, server) -> None:
    """Points the client at this server."""
    bench.environment["OPENAI_BASE_URL"] = f"{server.url}/v1"
