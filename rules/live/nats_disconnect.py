"""A lost NATS server takes the service with it.

The server of the sandbox is killed and started again; at a running target, where the settings give the system account,
the gateway's connection is kicked, and the new one at once again. Meanwhile HTTP goes on serving and health says that NATS is gone; afterwards
requests over NATS are answered again by themselves, not once but every time, and health says so. nats-py gives up after
60 attempts by default, and a client that was closed stays closed.
"""

import asyncio
import time

from readiness.probe import Probe, Reply, Target, toy, unique
from readiness.probe.steady import Steady, readiness
from readiness.probe.system import Connection, System, SystemRefused

DOWN = 15.0
"""Seconds the server stays away at most, while health is watched, where none are declared (target.limits.recovery)."""
BACK = 30.0
"""Seconds within which requests must be answered again, where none are declared."""
SPARE = 60.0
"""Seconds beyond that time after which the server is started in any case."""
GONE = 5.0
"""Seconds the server stays away where no health is watched."""
UNTOLD = "no readiness endpoint was found that could lie about it (target.paths.ready names it)"
REPEATS = 5
"""A connection that is half dead serves one request and no other: ask again."""


OLD = 5.5
"""Seconds that a connection has been open before it is kicked: clients wait longer to replace a younger one."""


class Rule(Probe):
    item = "nats-connection-checked"
    needs = {"http", "nats"}
    risk = "disrupt"
    stains = True
    requests = 600
    asks = {"GET": 400, "NATS": 300, "chat": 4}
    good = [toy.Toy(nats="recovers"), toy.Toy(nats="recovers", health="none")]
    bad = [toy.Toy(nats="gives-up"), toy.Toy(nats="lies"), toy.Toy(nats="gives-up", health="none")]

    async def look(self, target: Target) -> None:
        self.by_status = False
        server, system = target.parts.nats, target.parts.system
        self.down = target.settings.limits.recovery or DOWN
        self.back = target.settings.limits.recovery or BACK
        before = await target.over_nats("hello")
        if not before.ok:
            self.leave(f"nobody answers well over NATS before anything is broken: {before}")
            return
        steady = await readiness(target)
        if server is None and system is not None:
            await self.kicked(target, system, steady)
            return
        if server is None:
            return
        async with server.killed(self.down + SPARE):
            await self.without(target, steady)
        await self.again(target, steady)

    async def kicked(self, target: Target, system: System, steady: Steady | None) -> None:
        """Close one connection of the gateway at its server, twice; without the right to, only look."""
        told = target.settings.nats
        try:
            found = await system.find(target.bus.subject, told.connection)
            if not found:
                self.leave(f"no connection at the NATS server subscribes to {target.bus.subject}")
                return
            if not system.kicks:
                each = ", ".join(f"{one.name or one.address} for {one.age:.0f} s" for one in found)
                self.notes.append(f"{target.bus.subject} is served by {each}")
                self.leave("to kick a connection the settings must name a user of the system account (system_user)")
                return
            await target.wait(OLD - found[0].age)
            await self.kick(target, system, found[0], len(found))
            await self.again(target, steady)
            later = await system.find(target.bus.subject, told.connection)
            fresh = [each for each in later if each.cid not in {one.cid for one in found}]
            if self.found or not fresh:
                return
            await self.kick(target, system, fresh[-1], len(found))
            await self.again(target, steady)
        except SystemRefused as problem:
            self.leave(str(problem))

    async def kick(self, target: Target, system: System, one: Connection, many: int) -> None:
        """One of the connections, and whether there are as many again."""
        await system.kick(one)
        subject, wanted = target.bus.subject, target.settings.nats.connection
        back = await system.replaced(one, many, subject, wanted, self.back)
        last = await target.get(target.settings.paths.models)
        if not last.ok:
            self.flag(last, f"HTTP answered {last} after a NATS connection was closed")
        if back:
            self.clear(
                last, f"a connection that was {one.age:.1f} s old and was kicked came back, allowed {self.back:g} s"
            )
        else:
            self.flag(last, f"{self.back:g} s after one of {many} connections was kicked it had not come back")

    async def without(self, target: Target, steady: Steady | None) -> None:
        chat = await target.patiently(lambda: target.chat(unique("hello")))
        if chat.ok:
            self.clear(chat, "HTTP served a chat while NATS was gone")
        else:
            self.flag(chat, f"HTTP answered {chat} while NATS was gone")
        if steady is None:
            self.notes.append(UNTOLD)
            await asyncio.sleep(min(self.down, GONE))
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
