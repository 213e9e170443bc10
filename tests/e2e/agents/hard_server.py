"""A server for hard cases: TLS, HTTP/2, packed answers, streams that stall, websockets; and a proxy before it.

`FOLDER` gets ca.pem, and ports.json once it serves. It runs until its standard input ends.
"""

import asyncio
import json
import os
import sys

import brotli
import hypercorn.asyncio
import hypercorn.config
import trustme
import zstandard

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
PACKED = {
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "identity": bytes,
    "compress": bytes,  # names a packing that nobody knows
}


def answer_to(path, body):
    said = f"{path} got {len(body)} bytes"
    message = {"role": "assistant", "content": said}
    answer = {"id": "1", "model": "m", "choices": [{"index": 0, "message": message}]}
    # Without white space, which a trace doesn't keep.
    return json.dumps({**answer, "usage": USAGE}, separators=(",", ":")).encode()


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await talk(receive, send)
    else:
        await answer(scope, receive, send)


async def talk(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        said = {name: event[name] for name in ("bytes", "text") if event.get(name) is not None}
        await send({"type": "websocket.send", **said})


async def answer(scope, receive, send):
    body, more = b"", True
    while more:
        event = await receive()
        body, more = body + event.get("body", b""), event.get("more_body", False)
    path = scope["path"]
    name = path.split("/")[1]
    kind = b"text/event-stream" if name == "stalls" else b"application/json"
    headers = [(b"content-type", kind)]
    accepted = dict(scope["headers"]).get(b"accept-encoding", b"").decode()
    name = "identity" if name in ("br", "zstd") and name not in accepted else name
    if name in PACKED:
        headers.append((b"content-encoding", name.encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if name == "stalls":
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
    elif name == "large":
        await send({"type": "http.response.body", "body": b'"%b"' % (b"x" * (20 << 20))})
    else:
        data = PACKED.get(name, bytes)(answer_to(path, body))
        for at in range(0, len(data), 50):
            piece = {"type": "http.response.body", "body": data[at : at + 50], "more_body": True}
            await send(piece)
        await send({"type": "http.response.body"})


async def proxied(reader, writer):
    """One connection of the proxy: a tunnel, or a request that names its target; on to where its port says."""
    head = await reader.readuntil(b"\r\n\r\n")
    method, target = head.split(b" ", 2)[:2]
    place = target if method == b"CONNECT" else target.split(b"/")[2]
    onward = await asyncio.open_connection("127.0.0.1", int(place.rpartition(b":")[2]))
    if method == b"CONNECT":
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    else:
        path = b"/" + target.split(b"/", 3)[3]
        onward[1].write(head.replace(target, path, 1))
    print(method.decode(), flush=True)
    await asyncio.gather(copied(reader, onward[1]), copied(onward[0], writer))


async def copied(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def main(folder):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(f"{folder}/ca.pem")
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        f"{folder}/server.pem"
    )
    proxy = await asyncio.start_server(proxied, "127.0.0.1", 0)
    ports = {"proxy": proxy.sockets[0].getsockname()[1]}
    serving = []
    stopping = asyncio.Event()
    for scheme in ("http", "https"):
        config = hypercorn.config.Config()
        config.bind = ["127.0.0.1:0"]
        if scheme == "https":
            config.certfile = config.keyfile = f"{folder}/server.pem"
        sockets = config.create_sockets()
        listening = (sockets.secure_sockets or sockets.insecure_sockets)[0]
        ports[scheme] = listening.getsockname()[1]
        config.bind = [f"fd://{listening.detach()}"]
        config.graceful_timeout = 0
        serving.append(hypercorn.asyncio.serve(app, config, shutdown_trigger=stopping.wait))
    asyncio.gather(*serving)
    await asyncio.sleep(0.3)
    with open(f"{folder}/ports.new", "w", encoding="ascii") as file:
        json.dump(ports, file)
    os.rename(f"{folder}/ports.new", f"{folder}/ports.json")
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # streams that stall would hold it back


asyncio.run(main(sys.argv[1]))
