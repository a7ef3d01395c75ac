"""A lost NATS server takes the service with it.

The server is killed and started again. Meanwhile HTTP goes on serving and health says that NATS is gone; afterwards
requests over NATS are answered again by themselves, not once but every time, and health says so. nats-py gives up after
60 attempts by default, and a client that was closed stays closed.
"""

import asyncio
import time

from readiness.probe import Probe, Reply, Target, toy
from readiness.probe.steady import Steady, readiness

DOWN = 15.0
"""Seconds the server stays away at most, while health is watched, where none are declared (target.limits.recovery)."""
BACK = 30.0
"""Seconds within which requests must be answered again, where none are declared."""
SPARE = 60.0
"""Seconds beyond that time after which the server is started in any case."""
REPEATS = 5
"""A connection that is half dead serves one request and no other: ask again."""


class Rule(Probe):
    item = "nats-connection-checked"
    needs = {"http", "nats", "faults"}
    risk = "disrupt"
    stains = True
    requests = 600
    good = [toy.Toy(nats="recovers")]
    bad = [toy.Toy(nats="gives-up"), toy.Toy(nats="lies")]

    async def look(self, target: Target) -> None:
        self.by_status = False
        server = target.parts.nats
        if server is None:
            return
        self.down = target.settings.limits.recovery or DOWN
        self.back = target.settings.limits.recovery or BACK
        before = await target.over_nats("hello")
        if not before.ok:
            self.leave(f"nobody answers well over NATS before anything is broken: {before}")
            return
        steady = await readiness(target)
        async with server.killed(self.down + SPARE):
            await self.without(target, steady)
        await self.again(target, steady)

    async def without(self, target: Target, steady: Steady | None) -> None:
        chat = await target.chat("hello")
        if chat.ok:
            self.clear(chat, "HTTP served a chat while NATS was gone")
        else:
            self.flag(chat, f"HTTP answered {chat} while NATS was gone")
        if steady is None:
            self.leave("no readiness endpoint was found that could tell of the loss (target.paths.ready names it)")
            return
        told, last, seconds = await self.watch(target, steady, alike=False, seconds=self.down)
        if told:
            self.clear(last, f"health told of the loss after {seconds:.1f} s, allowed {self.down:g}")
        else:
            self.flag(last, f"NATS was gone for {seconds:.0f} s and {steady.path} went on saying the same")

    async def again(self, target: Target, steady: Steady | None) -> None:
        started = time.monotonic()
        reply = await target.over_nats("hello")
        while not reply.ok and time.monotonic() - started < self.back:
            await asyncio.sleep(0.25)
            reply = await target.over_nats("hello", seconds=2)
        if not reply.ok:
            self.flag(reply, f"NATS was back for {self.back:g} s and requests were still not answered")
            return
        self.clear(
            reply,
            f"requests over NATS were answered {time.monotonic() - started:.1f} s after the restart, allowed {self.back:g}",
        )
        for _ in range(REPEATS):
            await asyncio.sleep(0.5)
            reply = await target.over_nats("hello")
            if not reply.ok:
                self.flag(reply, "a request was answered after the restart, and a later one was not")
                return
        self.clear(reply)
        if steady is not None:
            same, last, seconds = await self.watch(target, steady, alike=True, seconds=self.back)
            if not same:
                self.flag(last, f"NATS was back for {seconds:.0f} s and {steady.path} did not say so")

    async def watch(self, target: Target, steady: Steady, *, alike: bool, seconds: float) -> tuple[bool, Reply, float]:
        """Ask for health until it says that all is well, or that it is not."""
        started = time.monotonic()
        while True:
            last = await target.get(steady.path, anonymous=True, seconds=10)
            passed = time.monotonic() - started
            well = last.ok if alike and self.by_status else not steady.differs(last)
            self.by_status = self.by_status or not last.ok
            if well is alike or passed > seconds:
                return well is alike, last, passed
            await asyncio.sleep(0.25)
