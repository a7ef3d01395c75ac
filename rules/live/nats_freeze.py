"""A NATS server that stands still leaves a connection that is up and answers nothing.

Nothing is closed, so nobody is told: is_connected stays true for minutes. Health must see it by a request of its own. One
that asks by flush() breaks the connection it tests: the late answer ends the read loop, and from then on every request
times out while health says that all is well.
"""

import asyncio
import time

from readiness.probe import Probe, Reply, Target, toy, unique
from readiness.probe.steady import Steady, readiness

FROZEN = 4.0
"""Seconds at least that the server stands still: longer than a usual health check waits."""
TOLD = 15.0
"""Seconds within which health must tell of it, where none are declared (target.limits.recovery)."""
BACK = 30.0
"""Seconds within which requests must be answered again, where none are declared."""
SPARE = 60.0
"""Seconds beyond that time after which it goes on in any case."""
REPEATS = 6
"""A connection that is half dead serves the first request after the thaw and none after it."""


class Rule(Probe):
    item = "nats-connection-checked"
    needs = {"http", "nats", "faults"}
    risk = "disrupt"
    stains = True
    requests = 500
    asks = {"GET": 400, "NATS": 200, "chat": 4}
    good = [toy.Toy(nats="recovers")]
    bad = [toy.Toy(nats="lies"), toy.Toy(nats="recovers", health="flush")]

    async def look(self, target: Target) -> None:
        server = target.parts.nats
        if server is None:
            return
        before = await target.over_nats(unique("hello"))
        if not before.ok:
            self.leave(f"nobody answers well over NATS before anything is frozen: {before}")
            return
        steady = await readiness(target)
        async with server.frozen((target.settings.limits.recovery or TOLD) + SPARE):
            await self.meanwhile(target, steady)
        await self.again(target, steady)

    async def meanwhile(self, target: Target, steady: Steady | None) -> None:
        started = time.monotonic()
        chat = await target.patiently(lambda: target.chat(unique("hello"), seconds=10))
        if chat.ok:
            self.clear(chat, "HTTP served a chat while NATS stood still")
        else:
            self.flag(chat, f"HTTP answered {chat} while NATS stood still")
        if steady is None:
            self.notes.append("no readiness endpoint was found that could lie about it (target.paths.ready names it)")
            await asyncio.sleep(FROZEN)
            return
        allowed = target.settings.limits.recovery or TOLD
        told = await self.until(target, steady, allowed, well=False)
        seconds = time.monotonic() - started
        if told is None:
            last = await target.get(steady.path, anonymous=True, seconds=10)
            self.flag(last, f"NATS stood still for {seconds:.0f} s and {steady.path} went on saying the same")
        else:
            self.clear(told, f"health told of it after {seconds:.1f} s, allowed {allowed:g}")
        await asyncio.sleep(max(0.0, FROZEN - seconds))

    async def again(self, target: Target, steady: Steady | None) -> None:
        allowed = target.settings.limits.recovery or BACK
        started = time.monotonic()
        reply = await target.over_nats(unique("hello"), seconds=2)
        while not reply.ok and time.monotonic() - started < allowed:
            await asyncio.sleep(0.25)
            reply = await target.over_nats(unique("hello"), seconds=2)
        if not reply.ok:
            self.flag(reply, f"NATS had thawed for {allowed:g} s and requests were still not answered")
            return
        for _ in range(REPEATS):
            await asyncio.sleep(0.5)
            if steady is not None:
                await target.get(steady.path, anonymous=True, seconds=10)
            reply = await target.over_nats(unique("hello"), seconds=3)
            if not reply.ok:
                self.flag(
                    reply, "a request was answered after the thaw, and a later one was not: the connection is half dead"
                )
                return
        self.clear(reply, f"requests over NATS were answered after the thaw, {REPEATS + 1} in a row")
        if steady is not None and await self.until(target, steady, allowed, well=True) is None:
            self.flag(reply, f"NATS had thawed for {allowed:g} s and {steady.path} did not say so")

    async def until(self, target: Target, steady: Steady, seconds: float, *, well: bool) -> Reply | None:
        """The first answer of health that is as wanted, None where none comes in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            reply = await target.get(steady.path, anonymous=True, seconds=10)
            if reply.ok if well else steady.differs(reply):
                return reply
            await asyncio.sleep(0.25)
        return None
