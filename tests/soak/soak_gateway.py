"""Mixed load with faults: upstreams that flap, a NATS server that restarts, clients that leave.

SOAK_SECONDS says for how long; the limits are absolute and are those of a ten minute run.
"""

import asyncio
import json
import os
import random
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from readiness.probe.sockets import free_port
from tests.gateway.harness import NatsServer, wait_for
from tests.gateway.test_process import Process, process
from tests.gateway.test_tools import Tool, calling
from tests.gateway.test_tools import call as tool_call
from tests.gateway.test_upstreams import cut_before_headers, cut_plain, says
from tests.gateway.upstream import Script, Upstream, answer, chunk, hang, stream
from tests.soak.clients import Account, Bus, Clients

SECONDS = float(os.environ.get("SOAK_SECONDS") or 600)
WARM_UP = 0.15  # of the whole time: until caches and pools are full
MAX_GROWTH = 10_000_000  # bytes of memory after the warm-up
SUBJECT = "soak.chat"


class Monitored(NatsServer):
    """A NATS server that tells how many subscriptions it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.monitor = free_port()
        self.options = ("-m", str(self.monitor))

    def subscriptions(self) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}/subsz", timeout=5) as reply:
            found: int = json.load(reply)["num_subscriptions"]
            return found


async def broken_stream(request: web.Request) -> web.StreamResponse:
    return await stream(request, chunk("one"))


async def slow(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(random.uniform(0, 0.3))
    return await answer(request)


def with_tools(script: Script) -> Script:
    call = calling(tool_call("echo"))

    async def answered(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        return await (call if asked.get("tools") and not asked.get("stream") else script)(request)

    return answered


GOOD = [with_tools(answer), slow]
FAULTS = [broken_stream, says(500), says(429, **{"retry-after": "0"}), says(200, "<html>"), cut_plain, hang]
FAULTS += [cut_before_headers]


@dataclass(frozen=True)
class State:
    """What must not grow."""

    memory: float
    sockets: float
    tasks: float
    subscriptions: int


def state(gateway: Process, server: Monitored) -> State:
    text = gateway.get("/metrics").text.decode()
    samples = {
        sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples
    }
    memory, sockets = samples["process_resident_memory_bytes"], samples["process_open_fds"]
    return State(memory, sockets, samples["gateway_tasks"], server.subscriptions())


def settled(gateway: Process, server: Monitored) -> State:
    """The state once nothing changes any more: pools let their connections go after some seconds."""
    time.sleep(20)
    wait_for(gateway.ready, "readiness")
    return state(gateway, server)


async def flap(upstream: Upstream) -> None:
    for fault in cycle(FAULTS):
        upstream.script = random.choice(GOOD)
        await asyncio.sleep(random.uniform(0.5, 3))
        upstream.script = fault
        await asyncio.sleep(random.uniform(0.2, 1))


async def restart(server: NatsServer, bus: Bus, period: float) -> None:
    while True:
        await asyncio.sleep(period)
        bus.outages, bus.down = bus.outages + 1, True
        server.kill()
        await asyncio.sleep(random.uniform(0, 1.5))
        await asyncio.to_thread(server.start)
        await asyncio.sleep(1.5)  # until all have come back
        bus.outages, bus.down = bus.outages + 1, False


async def load(clients: Clients, upstream: Upstream, server: NatsServer, seconds: float) -> None:
    faults = [
        asyncio.create_task(flap(upstream)),
        asyncio.create_task(restart(server, clients.bus, max(4, seconds / 20))),
    ]
    running = asyncio.create_task(clients.run())
    await asyncio.wait([running, *faults], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    upstream.script = with_tools(answer)
    for fault in faults:
        fault.cancel()
        with suppress(asyncio.CancelledError):
            await fault
    if clients.bus.down:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
    clients.stop.set()
    await running


@pytest.fixture
def server() -> Iterator[Monitored]:
    server = Monitored()
    server.start()
    yield server
    server.kill()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream().running() as running:
        yield running


def test_load_with_faults_leaves_nothing_behind(server: Monitored, upstream: Upstream, tmp_path: Path) -> None:
    settings: Any = {
        "upstreams": json.dumps([{"name": "up", "base_url": upstream.url}]),
        "nats_url": server.url,
        "nats_subject": SUBJECT,
        "nats_tools": json.dumps(["echo"]),
        "nats_tool_timeout_seconds": "1",
        "rate_limit": "1000000/min",
        "request_timeout_seconds": "3",
        "breaker_rest_seconds": "0.3",
        "cache_bytes": "100000",
        "cache_seconds": "2",
        "check_period_seconds": "16",  # longer than an idle connection is kept: none is kept alive by checks alone
        "log_level": "error",
    }
    account = Account()
    log = (tmp_path / "gateway.log").open("w+b")
    with log, process(log=log.fileno(), **settings) as gateway, Tool(server.url).on("tools.execute.*"):
        states = []
        for seconds in (SECONDS * WARM_UP, SECONDS * (1 - WARM_UP)):
            clients = Clients(gateway.url, server.url, SUBJECT, account, Bus())
            asyncio.run(load(clients, upstream, server, seconds))
            states.append(settled(gateway, server))
        began, ended = states
        sys.stdout.write(
            f"\n{account.total} requests in {SECONDS:g} s: {dict(account.answers)}, left: {account.left}, "
            f"excused: {account.excused}\nbegan {began}\nended {ended}\n"
        )
        log.seek(0)
        unexpected = [line for line in log if b"unexpected" in line]
    assert unexpected == []
    assert account.unanswered == []
    assert account.answers["500"] == 0
    assert {"200", "502", "stream done", "stream error"} <= account.answers.keys()
    assert ended.tasks <= began.tasks
    assert ended.sockets <= began.sockets
    assert ended.subscriptions <= began.subscriptions
    assert ended.memory - began.memory <= MAX_GROWTH
