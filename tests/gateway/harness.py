"""Real things to test against: a gateway in this process, and a NATS server."""

import asyncio
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import nats
import pytest

from readiness.gateway import build, load_settings
from readiness.gateway.server import Server
from readiness.probe.sockets import free_port

T = TypeVar("T")
PATIENCE = 20  # seconds; a safety net, no measure
KEY = "sk-canary-7f3a9c"
BOTH = pytest.mark.parametrize("port", ["http", "nats"])
NATS_SERVER = Path(sys.executable).parent / "nats-server"


def wait_for(condition: Callable[[], Any], what: str = "condition") -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


def body(model: str = "echo", content: Any = "hello big world", **more: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}], **more}).encode()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> dict[str, Any]:
        shape: dict[str, Any] = self.json["error"]
        assert set(self.json) == {"error"}
        assert set(shape) == {"message", "type", "param", "code"}
        return shape

    @property
    def events(self) -> list[str]:
        return [event.removeprefix("data: ") for event in self.text.decode().split("\n\n") if event]


class Requests:
    """What a client at `address` does to a gateway on `port`."""

    port: int
    address = "127.0.0.1"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(self, method: str, path: str, data: Any = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, PATIENCE, (self.address, 0))
        try:
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def chat(self, data: Any, **headers: str) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", "/v1/chat/completions", data, {"content-type": "application/json", **given})

    def ready(self) -> bool:
        return self.get("/readyz").status == 200

    def checks(self) -> dict[str, dict[str, str]]:
        checks: dict[str, dict[str, str]] = self.get("/readyz").json["checks"]
        return checks


class Running(Requests):
    """A gateway that runs in a thread of this process."""

    def __init__(self, server: Server, nats_url: str | None, subject: str) -> None:
        self.server, self.nats_url, self.subject = server, nats_url, subject
        self.port = server.port

    def message(self, data: bytes, headers: dict[str, str] | None = None) -> Answer:
        async def ask() -> Answer:
            async with nats_client(self.nats_url or "") as client:
                return await ask_nats(client, self.subject, data, headers)

        return asyncio.run(ask())

    def ask(self, port: str, data: bytes, **headers: str) -> Answer:
        """The same question over either port."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.chat(data, **headers) if port == "http" else self.message(data, given)


@asynccontextmanager
async def nats_client(url: str) -> AsyncIterator[Any]:
    client = await nats.connect(url, max_reconnect_attempts=2)
    try:
        yield client
    finally:
        await client.close()


async def ask_nats(client: Any, subject: str, data: bytes, headers: dict[str, str] | None = None) -> Answer:
    message = await client.request(subject, data, timeout=PATIENCE, headers=headers)
    told = {name.lower(): value for name, value in (message.headers or {}).items()}
    return Answer(int(told.get("nats-service-error-code", 200)), told, message.data)


@contextmanager
def gateway(*without: str, wait: bool = True, **overrides: Any) -> Iterator[Running]:
    """A running gateway on a free port; `wait` for its readiness."""
    # What an upstream does is seen as it is: asked once, and never left alone, unless a test says so.
    defaults = {
        "port": 0,
        "shutdown_notice_seconds": 0.0,
        "rate_limit": "100000/min",
        "upstream_attempts": 1,
        "breaker_failures": 1_000_000,
    }
    settings = load_settings(None, **{**defaults, **overrides})
    server = Server(build(settings, frozenset(without)))
    loops: list[asyncio.AbstractEventLoop] = []

    def run() -> None:
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            loops.append(runner.get_loop())
            runner.run(server.serve(sockets=[server.listener]))

    thread = threading.Thread(target=run)
    thread.start()
    running = Running(server, overrides.get("nats_url"), overrides.get("nats_subject", "llm.chat"))
    try:
        wait_for(lambda: server.started or not thread.is_alive(), "the server")
        if wait:
            wait_for(running.ready, "readiness")
        yield running
    finally:
        loops[0].call_soon_threadsafe(server.leave)
        thread.join(PATIENCE)
        assert not thread.is_alive()


class NatsServer:
    """A real nats-server process on one port, that can be killed and started again."""

    options: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [str(NATS_SERVER), "-a", "127.0.0.1", "-p", str(self.port), *self.options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self._listens, "nats-server")

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def freeze(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
