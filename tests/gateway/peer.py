"""The other end of a connection, byte by byte: what no HTTP server would let through."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import uvloop

from readiness.gateway.connection import Answer
from readiness.gateway.origin import Origin
from tests.gateway.harness import PATIENCE

T = TypeVar("T")
GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


@dataclass
class Talk:
    """One connection, seen from the peer."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def heard(self) -> bytes:
        """The next request; nothing where there is none."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return head + await self.reader.readexactly(int(length or 0))

    async def say(self, *pieces: bytes) -> None:
        """Send each piece by itself."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            for _ in range(3):
                await asyncio.sleep(0)


Script = Callable[["Peer", Talk], Awaitable[None]]


@dataclass
class Peer:
    """Does with each connection what `script` says, then closes it."""

    script: Script
    port: int = 0
    scheme: str = "http"
    connections: int = 0
    heard: list[bytes] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)  # a connection is over

    def origin(self, host: str = "127.0.0.1", connect_timeout: float | None = PATIENCE) -> Origin:
        return Origin(f"{self.scheme}://{host}:{self.port}/v1", {}, connect_timeout=connect_timeout)

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.CancelledError):
            await self.script(self, Talk(reader, writer))
        writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()
        self.left.set()


@asynccontextmanager
async def peer(script: Script, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    it = Peer(script, scheme="https" if tls else "http")
    server = await asyncio.start_server(it.met, host, 0, ssl=tls)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()


@asynccontextmanager
async def asked(script: Script, **options: Any) -> AsyncIterator[tuple[Peer, Origin]]:
    """A peer, and the way to ask it."""
    async with peer(script, **options) as it:
        origin = it.origin()
        try:
            yield it, origin
        finally:
            await origin.close()


def says(*pieces: bytes) -> Script:
    """The same answer to each request of a connection."""

    async def script(it: Peer, talk: Talk) -> None:
        while request := await talk.heard():
            it.heard.append(request)
            await talk.say(*pieces)

    return script


def says_once(*pieces: bytes) -> Script:
    """An answer, and the end of the connection."""

    async def script(it: Peer, talk: Talk) -> None:
        it.heard.append(await talk.heard())
        await talk.say(*pieces)

    return script


async def hangs(it: Peer, talk: Talk) -> None:
    """Hear all, say nothing."""
    while request := await talk.heard():
        it.heard.append(request)
        it.asked.set()


async def body_of(answer: Answer) -> bytes:
    return b"".join([piece async for piece in answer.pieces()])


async def get(origin: Origin) -> tuple[int, dict[str, str], bytes]:
    with await origin.ask("GET", "/x", {}) as answer:
        return answer.status, answer.headers, await body_of(answer)


async def post(origin: Origin, body: bytes = b"{}") -> bytes:
    with await origin.ask("POST", "/x", {}, body) as answer:
        return await body_of(answer)


def run(work: Coroutine[Any, Any, T]) -> T:
    """On the loop that the gateway runs on; what is left to itself is a failure of its test."""
    faults: list[dict[str, Any]] = []

    async def watched() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        return await asyncio.wait_for(work, PATIENCE)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        told = runner.run(watched())
    assert faults == []
    return told
