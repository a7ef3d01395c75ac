"""Owner of a real nats-server process: start, kill, restart on the same port; and a second one that takes over."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from readiness.errors import MissingExtra, ReadinessError
from readiness.probe.lasting import LONGEST, lasting
from readiness.probe.process import Guard, Process, running
from readiness.probe.sockets import kept_port
from readiness.probe.timeline import Fault

START_SECONDS = 10.0
CONFIG = """\
lame_duck_duration: "30s"
lame_duck_grace_period: "1s"
cluster { name: sandbox, listen: "127.0.0.1:%d", no_advertise: true%s }
"""
"""30 s is the least that a server takes; one with few clients is done much sooner. Clients of the sandbox come through
the proxy: no address of a server is told to them."""
JOINED = 10.0
"""Seconds within which two servers must have found each other."""
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
        self._guard = guard
        self._work = work
        self._process: Process | None = None
        self._stack = AsyncExitStack()
        self.faults: list[Fault] = []
        """What was done to it, for timelines."""
        self._settle("")

    def _settle(self, routes: str) -> None:
        """The ports and the configuration of the server that is started next."""
        ports = (self._stack.enter_context(kept_port()) for _ in range(3))
        self.port, self.monitor, self._cluster = ports
        self._config = self._work / f"nats-server-{self.port}.conf"
        self._config.write_text(CONFIG % (self._cluster, routes), "utf-8")

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
        ports = ["-p", str(self.port), "-m", str(self.monitor)]
        command = [program(), "-c", str(self._config), "-a", "127.0.0.1", *ports]
        block = running(command, self._guard, log, os.environ, self._work, grace=2.0)
        self._process = await self._stack.enter_async_context(block)
        until = time.monotonic() + START_SECONDS
        while READY not in log.read_bytes()[before:]:  # that somebody accepts connections does not say that it is ours
            if self._process.exit_code is not None or time.monotonic() > until:
                raise ReadinessError(f"nats-server did not start: {self._process.tail(400)}")
            await asyncio.sleep(0.02)
        for fault in self.faults:
            fault.end()

    @asynccontextmanager
    async def frozen(self, seconds: float = LONGEST) -> AsyncIterator[None]:
        """The server stands still meanwhile: connections stay open, nobody answers. Raises FaultOutlived."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        self.faults.append(fault := Fault("the NATS server stands still"))
        async with self._process.paused("nats-server stood still", seconds):
            try:
                yield
            finally:
                fault.end()

    @asynccontextmanager
    async def killed(self, seconds: float = LONGEST) -> AsyncIterator[None]:
        """The server is gone meanwhile, as after a crash, and back on its port afterwards. Raises FaultOutlived."""
        await self.kill()
        async with lasting("nats-server was gone", self.start, seconds):
            yield

    async def lame_duck(self) -> Process:
        """Have another server of the cluster take the place of this one, which sends its clients away and ends.

        As when a server is replaced in service: from now on the port is that of the other. Hands out the process that
        ends. Raises ReadinessError where the two do not find each other.
        """
        old = self._process
        if old is None:
            raise RuntimeError("the server is not running")
        self._settle(f', routes: ["nats://127.0.0.1:{self._cluster}"]')
        await self.start()
        until = time.monotonic() + JOINED
        while not (await self._monitored("/routez")).get("num_routes"):
            if time.monotonic() > until:
                raise ReadinessError("the two NATS servers of the sandbox did not find each other")
            await asyncio.sleep(0.05)
        old.signal(signal.SIGUSR2)
        return old

    async def subscriptions(self) -> int | None:
        """How many subscriptions all clients hold, as the server counts them; None where it does not say."""
        found = (await self._monitored("/subsz")).get("num_subscriptions")
        return found if isinstance(found, int) else None

    async def _monitored(self, path: str) -> dict[str, object]:
        """What the monitoring port tells; nothing where it does not answer."""
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.monitor)
                writer.write(b"GET %b HTTP/1.0\r\n\r\n" % path.encode())
                answer = await reader.read()
                writer.close()
            found = json.loads(answer.partition(b"\r\n\r\n")[2])
        except (OSError, TimeoutError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    async def kill(self) -> None:
        """End the server as a crash would."""
        self.faults.append(Fault("the NATS server is gone"))
        if self._process is not None:
            await self._process.kill()
