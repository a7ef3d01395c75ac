"""Requests as bytes on a socket: what no well-behaved client can be made to send.

Every exchange has a total deadline and a bound on what it reads, so that a server that drips, floods or falls silent
holds nobody.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

from readiness.probe.reply import NO_ANSWER, Reply

HEED = 0.3
"""Seconds between the head and the body: a server that refuses by the head alone closes, and a body that is already
on its way then destroys the answer before it is read."""
MOST = 2_000_000
"""Bytes of an answer that are read; the rest is not waited for."""

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect to, from which address, and whom to believe; `tls` is None for plain HTTP."""

    host: str
    port: int
    source: str | None = None
    tls: ssl.SSLContext | None = None

    @classmethod
    def of(cls, url: str, source: str | None, trust: ssl.SSLContext) -> "Endpoint":
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        return cls(parts.hostname or "", parts.port or (443 if secure else 80), source, trust if secure else None)


async def exchange(
    endpoint: Endpoint, label: str, pieces: AsyncIterator[bytes], seconds: float, *, linger: float = 0.0
) -> Reply:
    """Send the pieces until an answer comes, then read it. `seconds` bounds the whole exchange.

    For so many seconds more, within that bound, it is seen what the server does with the connection afterwards.
    """
    return await _spoken(_open(endpoint), label, pieces, seconds, linger)


async def volley(endpoint: Endpoint, label: str, data: bytes, count: int, seconds: float) -> list[Reply]:
    """The same request so many times at once: all connections are open before a byte is sent on any."""
    opening = [asyncio.ensure_future(_open(endpoint)) for _ in range(count)]
    await asyncio.wait(opening, timeout=seconds)
    return list(await asyncio.gather(*(_spoken(each, label, _once(data), seconds) for each in opening)))


async def _spoken(
    opening: Awaitable[Connection], label: str, pieces: AsyncIterator[bytes], seconds: float, linger: float = 0.0
) -> Reply:
    started = time.monotonic()
    seen = _Seen()
    try:
        async with asyncio.timeout(seconds):
            await _talk(await opening, pieces, seen, linger)
    except TimeoutError:
        seen.problem = f"{NO_ANSWER} {seconds:g} s"
    except (OSError, h11.RemoteProtocolError) as problem:
        seen.problem = f"{type(problem).__name__}: {problem}"
    return seen.reply(label, time.monotonic() - started)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


class _Seen:
    """An answer as it arrives."""

    def __init__(self) -> None:
        self.parser = h11.Connection(h11.CLIENT)
        self.parser.send(h11.Request(method="POST", target="/", headers=[("host", "x")]))
        self.parser.send(h11.EndOfMessage())
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""
        self.problem: str | None = None
        self.whole = False
        self.after: bytes | None = None

    def feed(self, data: bytes) -> bool:
        """Whether the answer is whole now."""
        self.parser.receive_data(data)
        while True:
            event = self.parser.next_event()
            if isinstance(event, h11.Response):
                self.status = event.status_code
                self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                self.body += bytes(event.data)[: MOST - len(self.body)]
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                self.whole = True
            elif event in (h11.NEED_DATA, h11.PAUSED):
                return self.whole or len(self.body) >= MOST
            if self.whole:
                return True

    def reply(self, label: str, took: float) -> Reply:
        problem = self.problem if not self.whole else None
        if self.status is None and problem is None:
            problem = "the connection was closed without an answer"
        return Reply(label, self.status, self.headers, self.body, took, problem, after=self.after)


async def _open(endpoint: Endpoint) -> Connection:
    source = (endpoint.source, 0) if endpoint.source else None
    return await asyncio.open_connection(endpoint.host, endpoint.port, ssl=endpoint.tls, local_addr=source)


async def _talk(connection: Connection, pieces: AsyncIterator[bytes], seen: _Seen, linger: float) -> None:
    reader, writer = connection
    sending = asyncio.ensure_future(_send(writer, pieces))
    try:
        while not seen.feed(await reader.read(65_536)):
            if reader.at_eof():
                break
        if linger and seen.whole:
            await _linger(reader, seen, linger)
    finally:
        sending.cancel()
        try:
            await asyncio.gather(sending, return_exceptions=True)
        finally:
            writer.transport.abort()


async def _linger(reader: asyncio.StreamReader, seen: _Seen, seconds: float) -> None:
    """What the parser has left over belongs to a second answer, which may already be there with the first."""
    rest = seen.parser.trailing_data[0]
    with contextlib.suppress(TimeoutError):
        seen.after = bytes(rest) or await asyncio.wait_for(reader.read(65_536), seconds)


async def _send(writer: asyncio.StreamWriter, pieces: AsyncIterator[bytes]) -> None:
    """Write until all is sent or the peer closes: then the answer, if any, is already on its way."""
    with contextlib.suppress(ConnectionError):
        first = True
        async for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(HEED if first else 0)
            first = False
