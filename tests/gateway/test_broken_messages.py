"""What is wrong with one NATS message, or with the server, never takes the answers of the others."""

import asyncio
import threading
from typing import Any

import pytest
from aiohttp import web

from tests.gateway.harness import PATIENCE, NatsServer, Running, body, gateway, nats_client, wait_for
from tests.gateway.upstream import Upstream, answer

CONNECT = b'CONNECT {"verbose":false,"headers":true}\r\n'


async def answers(running: Running, headers: bytes, reply: bytes) -> tuple[bytes, bytes]:
    """What is said to a message with these headers, and to a sound one after it, on a connection of bytes."""
    port = int((running.nats_url or "").rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def next_answer() -> bytes:
        line = await reader.readline()
        while not line.startswith(b"HMSG"):
            line = await reader.readline()
        return await reader.readexactly(int(line.split()[-1]))

    try:
        writer.write(CONNECT + b"SUB broken.* 1\r\n")
        size, whole = len(headers), len(headers) + len(body())
        writer.write(
            b"HPUB %s %s %d %d\r\n" % (running.subject.encode(), reply, size, whole) + headers + body() + b"\r\n"
        )
        first = await next_answer() if reply.isascii() else b""
        writer.write(b"PUB %s broken.2 %d\r\n" % (running.subject.encode(), len(body())) + body() + b"\r\n")
        return first, await next_answer()
    finally:
        writer.close()


def ask(running: Running, headers: bytes, reply: bytes = b"broken.1") -> tuple[bytes, bytes]:
    async def in_time() -> tuple[bytes, bytes]:
        # Without the guard the connection is back after some seconds: a sound message is answered at once.
        async with asyncio.timeout(3):
            return await answers(running, headers, reply)

    return asyncio.run(in_time())


@pytest.mark.parametrize(
    "headers",
    [
        b"N",
        b"\x00\x01\x02\x03",
        b"NATS/1.0 \xff\xff\xff x\r\n\r\n",
        b"NATS/1.0 100 \xff\xfe\r\nX-A: b\r\n\r\n",
        b"NATS/1.0\r\nX-A: \xff\r\n\r\n",
        b"NATS/1.0\r\nno colon\r\n\r\n",
        b"NATS/1.0 503 odd\r\n\r\n",
    ],
)
def test_headers_that_cannot_be_read_cost_nobody_an_answer(echo: Running, headers: bytes) -> None:
    first, second = ask(echo, headers)
    assert b"hello big world" in first
    assert b"hello big world" in second


def test_a_reply_subject_that_cannot_be_read_costs_nobody_else_an_answer(echo: Running) -> None:
    _, second = ask(echo, b"NATS/1.0\r\n\r\n", b"broken.\xff\xfe")
    assert b"hello big world" in second


def test_stopping_with_answers_that_a_frozen_server_does_not_take(own_nats: NatsServer, upstream: Upstream) -> None:
    frozen = threading.Event()

    async def late(request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(frozen.wait, PATIENCE)
        return web.json_response({"choices": [], "more": "x" * 900_000})

    async def publish() -> None:
        async with nats_client(own_nats.url) as client:
            for _ in range(30):
                await client.publish("llm.chat", body("m1"), reply="nobody.waits")
            await client.flush()

    own_nats.start()
    with gateway(nats_url=own_nats.url, shutdown_grace_seconds=0.3, **upstream.settings()) as running:
        upstream.script = late
        asyncio.run(publish())
        wait_for(lambda: len(upstream.seen) == 30, "the work to begin")
        own_nats.freeze()
        frozen.set()
        wait_for(lambda: b'transport="nats"' in running.get("/metrics").text, "an answer")
        upstream.script = answer


def test_a_message_that_is_cut_is_told_of(
    shared_nats: NatsServer,
    upstream: Upstream,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def publish() -> None:
        async with nats_client(shared_nats.url) as client:
            await client.publish("cut.chat", body("m1"), reply="nobody.waits", headers={"X-Request-ID": "cut-1"})
            await client.flush()

    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        raise AssertionError

    upstream.script = silent
    caplog.set_level("INFO", "readiness.gateway.logs")
    settings: Any = {"nats_url": shared_nats.url, "nats_subject": "cut.chat", "shutdown_grace_seconds": 0.1}
    with gateway(**settings, **upstream.settings()):
        asyncio.run(publish())
        assert upstream.asked.wait(PATIENCE)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if '"cut-1"' in line and '"request"' in line]
    assert '"status": 503' in line
