"""Owner of a real nats-server process: start, kill, restart on the same port."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from readiness.errors import MissingExtra, ReadinessError
from readiness.probe.lasting import LONGEST, lasting
from readiness.probe.process import Guard, Process, running
from readiness.probe.sockets import free_port

START_SECONDS = 10.0
READY = b"Server is ready"
"""What nats-server logs once it serves."""


def program() -> str:
    """The nats-server of this environment, else of PATH. Raises MissingExtra."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    if found is None:
        raise MissingExtra("sandbox", "starting a NATS server")
    return found


class NatsServer:
    """One server on loopback whose port survives kill and restart."""

    def __init__(self, guard: Guard, work: Path) -> None:
        self.port = free_port()
        self.monitor = free_port()
        self._guard = guard
        self._work = work
        self._process: Process | None = None
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[NatsServer]:
        async with self._stack:
            await self.start()
            yield self

    async def start(self) -> None:
        """Start the server and wait until it accepts connections. Raises ReadinessError if it does not."""
        log = self._work / "nats-server.log"
        before = log.stat().st_size if log.exists() else 0
        command = [program(), "-a", "127.0.0.1", "-p", str(self.port), "-m", str(self.monitor)]
        block = running(command, self._guard, log, os.environ, self._work, grace=2.0)
        self._process = await self._stack.enter_async_context(block)
        until = time.monotonic() + START_SECONDS
        while READY not in log.read_bytes()[before:]:  # that somebody accepts connections does not say that it is ours
            if self._process.exit_code is not None or time.monotonic() > until:
                raise ReadinessError(f"nats-server did not start: {self._process.tail(400)}")
            await asyncio.sleep(0.02)

    @asynccontextmanager
    async def frozen(self, seconds: float = LONGEST) -> AsyncIterator[None]:
        """The server stands still meanwhile: connections stay open, nobody answers. Raises FaultOutlived."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        async with self._process.paused("nats-server stood still", seconds):
            yield

    @asynccontextmanager
    async def killed(self, seconds: float = LONGEST) -> AsyncIterator[None]:
        """The server is gone meanwhile, as after a crash, and back on its port afterwards. Raises FaultOutlived."""
        await self.kill()
        async with lasting("nats-server was gone", self.start, seconds):
            yield

    async def subscriptions(self) -> int | None:
        """How many subscriptions all clients hold, as the server counts them; None where it does not say."""
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.monitor)
                writer.write(b"GET /subsz HTTP/1.0\r\n\r\n")
                answer = await reader.read()
                writer.close()
            return int(json.loads(answer.partition(b"\r\n\r\n")[2])["num_subscriptions"])
        except (OSError, TimeoutError, ValueError, KeyError):
            return None

    async def kill(self) -> None:
        """End the server as a crash would."""
        if self._process is not None:
            await self._process.kill()
