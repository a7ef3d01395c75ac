"""Clients of a gateway that go on for a while, and keep account of what they were answered."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import nats.errors
from nats.aio.client import Client

from tests.gateway.harness import PATIENCE, body

JSON = {"content-type": "application/json"}
LONGEST = 60  # seconds until an answer is missed; the gateway gives up far earlier, but the machine may be busy


@dataclass
class Account:
    """What came of the requests; `unanswered` says which had neither an answer nor an excuse."""

    answers: Counter[str] = field(default_factory=Counter)
    left: int = 0
    excused: int = 0
    unanswered: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.answers.total() + self.left + self.excused + len(self.unanswered)


class Bus:
    """Whether the NATS server was there all the time."""

    def __init__(self) -> None:
        self.outages = 0
        self.down = False


@dataclass
class Clients:
    """Everything runs in one loop, until `stop` is set."""

    url: str
    nats_url: str
    subject: str
    account: Account
    bus: Bus
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=LONGEST)
        async with aiohttp.ClientSession(self.url, connector=connector, timeout=timeout) as http:
            client = Client()
            quiet: Any = {"error_cb": _nothing, "max_reconnect_attempts": -1, "reconnect_time_wait": 0.1}
            await client.connect(self.nats_url, **quiet)
            works = [
                *[lambda: self.plain(http)] * 4,
                *[lambda: self.stream(http)] * 3,
                *[lambda: self.leave(http)] * 3,
                *[lambda: self.message(client)] * 4,
                lambda: self.nonsense(http),
            ]
            try:
                await asyncio.gather(*(self._repeat(work) for work in works))
            finally:
                await client.close()

    async def _repeat(self, work: Callable[[], Awaitable[None]]) -> None:
        while not self.stop.is_set():
            await work()
            await asyncio.sleep(random.uniform(0, 0.02))

    async def plain(self, http: aiohttp.ClientSession) -> None:
        tools = random.choice([{}, {"tools": [{"type": "function", "function": {"name": "echo"}}]}])
        asked = body("m1", f"n {random.randrange(50)}", temperature=random.choice([0, 1]), **tools)
        try:
            async with http.post("/v1/chat/completions", data=asked, headers=JSON) as reply:
                self._told(reply.status, await reply.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            self.account.unanswered.append(f"plain: {error!r}")

    async def stream(self, http: aiohttp.ClientSession) -> None:
        try:
            async with http.post("/v1/chat/completions", data=body("m1", stream=True), headers=JSON) as reply:
                text = await reply.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.account.unanswered.append(f"stream: {error!r}")
            return
        if reply.status != 200:
            self._told(reply.status, text)
            return
        last = text.decode().strip().rpartition("\n\n")[2].removeprefix("data: ")
        if last != "[DONE]" and "error" not in last:
            self.account.unanswered.append(f"stream: ended with {last[:100]}")
            return
        self.account.answers["stream done" if last == "[DONE]" else "stream error"] += 1

    async def leave(self, http: aiohttp.ClientSession) -> None:
        """Go away at some moment before, in or after the answer."""
        with suppress(TimeoutError, aiohttp.ClientError):
            async with asyncio.timeout(random.uniform(0, 0.15)):
                asked = body("m1", stream=random.choice([True, False]))
                async with http.post("/v1/chat/completions", data=asked, headers=JSON) as reply:
                    await reply.read()
        self.account.left += 1

    async def nonsense(self, http: aiohttp.ClientSession) -> None:
        try:
            async with http.post("/v1/chat/completions", data=b'{"model": ', headers=JSON) as reply:
                self._told(reply.status, await reply.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            self.account.unanswered.append(f"nonsense: {error!r}")

    async def message(self, client: Client) -> None:
        before, was_down = self.bus.outages, self.bus.down
        try:
            message = await client.request(self.subject, body("m1"), timeout=PATIENCE)
        except (nats.errors.Error, OSError) as error:
            if was_down or self.bus.outages != before or isinstance(error, nats.errors.NoRespondersError):
                self.account.excused += 1
                await asyncio.sleep(0.1)
            else:
                self.account.unanswered.append(f"message: {error!r}")
            return
        self._told(int((message.headers or {}).get("Nats-Service-Error-Code", 200)), message.data)

    def _told(self, status: int, text: bytes) -> None:
        shape = json.loads(text)
        assert ("error" in shape) is (status != 200), shape
        self.account.answers[str(status)] += 1


async def _nothing(_: Exception) -> None:
    await asyncio.sleep(0)
