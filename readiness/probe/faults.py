"""A TCP proxy between the gateway and something it depends on, to break what lies between them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from readiness.probe.lasting import LONGEST, lasting

PIECE = 65_536
"""Bytes forwarded at a time."""


class Proxy:
    """Forwards one loopback port to another. A backend that refuses makes the proxy close at once."""

    def __init__(self, backend: int) -> None:
        self.backend = backend
        self.port = 0
        self._flows: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            self._open.set()
            await asyncio.gather(*self._flows, return_exceptions=True)

    def cut(self) -> None:
        """Drop every connection; new ones are accepted."""
        for flow in self._flows:
            flow.cancel()

    @asynccontextmanager
    async def stalled(self, seconds: float = LONGEST) -> AsyncIterator[None]:
        """Connections stay open and nothing passes meanwhile; afterwards all of it does. Raises FaultOutlived."""
        self._open.clear()
        async with lasting("the proxy let nothing pass", self._release, seconds):
            yield

    async def _release(self) -> None:
        self._open.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flow = asyncio.current_task()
        if flow is None:
            return
        self._flows.add(flow)
        flow.add_done_callback(self._flows.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._forward(reader, writer)
        await _closed(writer)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self.backend)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, back_writer))
                both.create_task(self._pump(back_reader, writer))
        except* OSError:
            pass
        finally:
            back_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(PIECE):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Close with what is still buffered sent, unless the peer is gone."""
    writer.close()
    with contextlib.suppress(OSError, asyncio.CancelledError):
        await writer.wait_closed()
