"""The gateway as an operator starts it: `readiness gateway`, a process of its own."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from readiness.probe.sockets import free_port
from tests.gateway.harness import PATIENCE, Requests, wait_for
from tests.gateway.raw import exchange

READINESS = Path(sys.executable).with_name("readiness")
LONGEST = 70  # seconds that a client may keep a gateway waiting
ADDRESSES = itertools.count(1)


class Client(Requests):
    """A client with an address of its own, so that the rate limit counts it alone."""

    def __init__(self, port: int, address: str, process: psutil.Process) -> None:
        self.port, self.address, self.process = port, address, process

    def send(self, data: bytes) -> bytes:
        """What comes back for raw bytes until the server closes."""
        return exchange(self.port, data, self.address, LONGEST)

    def alive(self) -> bool:
        try:
            return self.get("/livez").status == 200
        except OSError:
            return False

    def memory(self) -> int:
        """Bytes of the process that are in memory."""
        rss: int = self.process.memory_info().rss
        return rss


@dataclass(frozen=True)
class Service:
    port: int
    process: psutil.Process

    def client(self) -> Client:
        number = next(ADDRESSES)
        return Client(self.port, f"127.2.{number // 250}.{number % 250 + 1}", self.process)


@contextmanager
def service(log: Path, **settings: str) -> Iterator[Service]:
    """Start it with settings from the environment, wait until it is ready; what it logs goes to a file."""
    port = free_port()
    variables = {f"READINESS_GATEWAY_{key.upper()}": value for key, value in settings.items()}
    with log.open("wb") as stream:
        child = subprocess.Popen(
            [READINESS, "gateway", "--port", str(port)], env={**os.environ, **variables}, stderr=stream
        )
    running = Service(port, psutil.Process(child.pid))
    try:
        client = running.client()
        wait_for(client.alive, "the gateway")
        wait_for(client.ready, "readiness")
        yield running
        child.terminate()
        assert child.wait(PATIENCE) == 0
    finally:
        child.kill()
        child.wait()
