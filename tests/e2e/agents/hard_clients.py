"""Each client with each hard case, one after the other: prints what it got, or how it failed."""

import asyncio
import hashlib
import io
import json
import os
import sys
import urllib.request

PORTS = json.loads(os.environ["PORTS"])
PLAIN, TLS = f"http://127.0.0.1:{PORTS['http']}", f"https://localhost:{PORTS['https']}"
PROXY = f"http://127.0.0.1:{PORTS['proxy']}"
CHAT = "/v1/chat/completions"
BODY = json.dumps(
    {"model": "m", "messages": [{"role": "user", "content": os.environ.get("TOPIC", "Go.")}]}
).encode()
LARGE = json.dumps({"text": "y" * (20 << 20)}).encode()
LARGE_CLIENTS = ("httpx-httpx", "aiohttp", "requests")  # one of each kind; it takes long
JSON = {"content-type": "application/json"}

# By the case: URL, body, whether by the proxy, the limit in seconds.
CASES = {
    "tls": (TLS + "/tls" + CHAT, BODY, False, 20),
    "proxy": (PLAIN + "/proxy" + CHAT, BODY, True, 20),
    "tunnel": (TLS + "/tunnel" + CHAT, BODY, True, 20),
    "br": (PLAIN + "/br" + CHAT, BODY, False, 20),
    "zstd": (PLAIN + "/zstd" + CHAT, BODY, False, 20),
    "unknown": (PLAIN + "/compress/x", BODY, False, 20),
    "large_request": (PLAIN + "/identity" + CHAT, LARGE, False, 20),
    "large_answer": (PLAIN + "/large/x", BODY, False, 20),
    "stalls": (PLAIN + "/stalls/x", BODY, False, 0.4),
    "refused_upload": ("http://127.0.0.1:9/x", iter([BODY]), False, 20),
}


def with_httpx(module, url, body, proxy, limit_s):
    with module.Client(proxy=proxy, timeout=limit_s) as client:
        return client.post(url, content=body, headers=JSON).content


def with_httpx_async(module, url, body, proxy, limit_s):
    async def ask():
        pieces = made(body) if hasattr(body, "__next__") else body
        async with module.AsyncClient(proxy=proxy, timeout=limit_s) as client:
            return (await client.post(url, content=pieces, headers=JSON)).content

    return asyncio.run(ask())


async def made(pieces):
    for piece in pieces:
        yield piece


def with_http2(url, body, proxy, limit_s):
    import httpx

    with httpx.Client(proxy=proxy, timeout=limit_s, http2=True) as client:
        answer = client.post(url, content=body, headers=JSON)
        assert answer.http_version == "HTTP/2" or not is_recorded() or "https" not in url
        return answer.content


def with_http2_async(url, body, proxy, limit_s):
    import httpx

    async def ask():
        pieces = made(body) if hasattr(body, "__next__") else body
        async with httpx.AsyncClient(proxy=proxy, timeout=limit_s, http2=True) as client:
            answer = await client.post(url, content=pieces, headers=JSON)
            assert answer.http_version == "HTTP/2" or not is_recorded() or "https" not in url
            return answer.content

    return asyncio.run(ask())


def is_recorded():
    return os.environ.get("AGENTTRACE_MODE") != "replay"


def with_aiohttp(url, body, proxy, limit_s):
    import aiohttp

    async def ask():
        pieces = made(body) if hasattr(body, "__next__") else body
        limit = aiohttp.ClientTimeout(total=limit_s)
        how = {"data": pieces, "headers": JSON, "proxy": proxy, "timeout": limit}
        async with aiohttp.request("POST", url, **how) as answer:
            return await answer.read()

    return asyncio.run(ask())


def with_requests(url, body, proxy, limit_s):
    import requests

    proxies = {"http": proxy, "https": proxy} if proxy else None
    return requests.post(url, data=body, headers=JSON, proxies=proxies, timeout=limit_s).content


def with_urllib3(url, body, proxy, limit_s):
    import urllib3

    pool = urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager()
    with pool:
        return pool.request(
            "POST", url, body=body, headers=JSON, timeout=limit_s, retries=False
        ).data


def with_urllib(url, body, proxy, limit_s):
    proxies = urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else {})
    asking = urllib.request.Request(url, data=body, headers=JSON)
    with urllib.request.build_opener(proxies).open(asking, timeout=limit_s) as answer:
        return answer.read()


def with_httpcore(url, body, proxy, limit_s):
    import ssl

    import httpcore

    limits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), limit_s)}
    proxy = httpcore.Proxy(proxy) if proxy else None
    with httpcore.ConnectionPool(ssl.create_default_context(), proxy=proxy, http2=True) as pool:
        return pool.request("POST", url, content=body, headers=JSON, extensions=limits).content


def urllib3_http2():
    """It speaks nothing else, not with proxies, and reads answers whole."""
    import urllib3
    import urllib3.http2

    urllib3.http2.inject_into_urllib3()
    for body in (BODY, BODY.decode(), iter([BODY[:9], BODY[9:]]), io.BytesIO(BODY), None):
        method = "GET" if body is None else "POST"
        with urllib3.PoolManager(
            retries=False, timeout=5
        ) as pool:  # it serves two requests a connection
            answer = pool.request(method, TLS + "/h2" + CHAT, body=body, headers=JSON)
        print(answer.status, answer.version_string, hashlib.sha256(answer.data).hexdigest())
    for url in ("https://localhost:9/x", TLS.replace("localhost", "127.0.0.2") + "/x"):
        try:
            urllib3.PoolManager(retries=False, timeout=5).request("POST", url, body=BODY)
        except urllib3.exceptions.HTTPError as error:
            print(type(error).__name__)


def main(*clients):
    for client in clients:
        ask = globals()["with_" + client.partition("-")[0]]
        module = client.partition("-")[2]
        arguments = (__import__(module),) if module else ()
        for case, (url, body, is_proxied, limit_s) in CASES.items():
            body = iter([BODY]) if case == "refused_upload" else body
            if client not in LARGE_CLIENTS and "large" in case:
                url, body = PLAIN + "/identity" + CHAT, BODY
            try:
                got = ask(*arguments, url, body, PROXY if is_proxied else None, limit_s)
                said = f"{len(got)} {hashlib.sha256(got).hexdigest()[:8]}"
            except Exception as error:  # noqa: BLE001 - each library has its own
                said = type(error).__name__
            print(client, case, said, flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["urllib3_http2"]:
        urllib3_http2()
        sys.exit()
    main(*sys.argv[1:])
