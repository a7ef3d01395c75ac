"""What a toy does over NATS."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import nats
import nats.errors

from readiness.probe.toy import Toy
from readiness.probe.toy.hop import Hop
from readiness.probe.toy.refusal import Refused, error

AT_ONCE = 32
SUBJECT = "toy.chat"
TOOLS = "toy.tools"


class Bus:
    """The NATS port of a toy."""

    def __init__(self, toy: Toy, hop: Hop) -> None:
        self.toy, self.hop = toy, hop
        self.connection: Any = None
        self.busy = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.dead = False
        self.awake = toy.nats_fault != "waking"

    @asynccontextmanager
    async def serving(self, url: str | None) -> AsyncIterator[None]:
        """Answer meanwhile, where the toy speaks NATS."""
        if url is None:
            yield
            return
        self.connection = await nats.connect(
            url,
            allow_reconnect=self.toy.nats != "gives-up",
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.1,
            ping_interval=1 if self.toy.health != "flush" else 120,
            error_cb=_quiet,
            disconnected_cb=_takes_one if self.toy.nats_fault == "arity" else None,
            reconnected_cb=self._reconnected,
        )
        await self.connection.subscribe(SUBJECT, cb=self._take)
        await self.connection.subscribe("toy.self", cb=_answer)
        try:
            yield
        finally:
            with contextlib.suppress(Exception):
                await self.connection.close()
            for task in self.tasks:
                task.cancel()

    async def close(self) -> None:
        """Drop what is in flight."""
        if self.connection is not None:
            await self.connection.close()

    async def drain(self) -> None:
        """Answer what is in flight and take nothing more."""
        if self.connection is not None and self.connection.is_connected:
            await asyncio.gather(*self.tasks, return_exceptions=True)
            await self.connection.drain()

    async def well(self) -> bool:
        """What health says of NATS."""
        if self.connection is None or self.toy.nats == "lies":
            return True
        if self.toy.nats == "gives-up":
            return not self.connection.is_closed
        try:
            if self.toy.health == "flush":
                await self.connection.flush(timeout=1)
            else:
                await self.connection.request("toy.self", timeout=0.5)
        except (nats.errors.Error, OSError, TimeoutError):
            return False
        return bool(self.connection.is_connected)

    async def _reconnected(self) -> None:
        if self.toy.leaks == "subscriptions":
            await self.connection.subscribe("toy.more", cb=_answer)

    async def _take(self, message: Any) -> None:
        fault = self.toy.nats_fault
        if self.dead:
            return
        if fault == "one-by-one":
            await self._serve(message)
        elif self.busy >= AT_ONCE and fault != "unbounded":
            if fault != "drops":
                await message.respond(json.dumps(error(503, "busy").body).encode())
        else:
            self.busy += 1
            task = asyncio.create_task(self._serve(message))
            self.tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.busy -= 1
        self.tasks.discard(task)

    async def _serve(self, message: Any) -> None:
        try:
            found = await self._answered(message)
        except Refused as refused:
            found = refused.body
        if found is None:
            return
        with contextlib.suppress(nats.errors.Error, OSError):
            await message.respond(found if isinstance(found, bytes) else json.dumps(found).encode())

    async def _answered(self, message: Any) -> Any:
        if not self.awake:
            self.awake = True
            raise error(503, "not yet")
        if len(message.data) > (self.toy.body_limit or 2**40) and self.toy.nats_fault != "any-size":
            raise error(413, "the message is too large")
        try:
            body = json.loads(message.data)
            messages = body["messages"]
        except (ValueError, TypeError, KeyError, RecursionError) as problem:
            match self.toy.nats_fault:
                case "silent":
                    return None
                case "nak":
                    return b"-NAK"
                case "dies":
                    self.dead = True
                    return None
            raise error(400, "the message is not JSON") from problem
        if not isinstance(messages, list):
            raise error(422, "messages is wrong", param="messages")
        found = await self.hop.complete(body, dict(message.headers or {}), "nats")
        return await self._with_tools(body, found)

    async def _with_tools(self, body: dict[str, Any], found: Any) -> Any:
        """Call the tool that the upstream asks for."""
        calls = found["choices"][0]["message"].get("tool_calls") if found.get("choices") else None
        if not calls:
            return found
        subject = f"{TOOLS}.{calls[0]['function']['name']}"
        try:
            patience = 3600 if self.toy.nats_fault == "stuck-tool" else 1
            answer = await self.connection.request(subject, b"{}", timeout=patience)
        except (nats.errors.Error, TimeoutError) as problem:
            raise error(504, "the tool did not answer") from problem
        return {**found, "tool": answer.data.decode("utf-8", "replace"), "model": body["model"]}


async def _answer(message: Any) -> None:
    await message.respond(b"")


async def _quiet(problem: Exception) -> None:
    del problem


async def _takes_one(connection: Any) -> None:
    del connection
