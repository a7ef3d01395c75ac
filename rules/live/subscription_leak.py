"""Something is left behind by every client that leaves, or by every reconnect.

What is opened and never closed ends a process after days. Rounds of clients that leave in the middle of a call and of
lost NATS connections are made; after each the numbers of open descriptors and of subscriptions must come back.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

from readiness.probe import Probe, Reply, Target, happens, toy, unique

if TYPE_CHECKING:
    from readiness.probe.process import Process
    from readiness.probe.script import Asked

ROUNDS = 3
"""The first warms up: a healthy runtime grows for a while and then stays flat."""
LEAVERS = 20
"""Clients of a round, half of them in the middle of a stream."""
RECONNECTS = 3
"""Of a round."""
SETTLES = 8.0
"""Seconds within which what a round opened must be closed."""
GROWTH = 40_000_000
"""Bytes by which the process may grow from round to round."""

AFTER = f"after {LEAVERS} clients that left, a chat is not served"
NOT_OURS = "the process is not ours"


class Rule(Probe):
    item = "subscriptions-cleaned"
    needs = {"http", "upstream", "process"}
    risk = "disrupt"
    stains = True
    requests = 200
    asks = {"chat": 200, "NATS": 140}
    good = [toy.Toy(), toy.Toy(nats="recovers")]
    bad = [toy.Toy(leaks="clients"), toy.Toy(nats="recovers", leaks="subscriptions")]

    async def look(self, target: Target) -> None:
        process = target.parts.process
        if process is None:
            self.leave(NOT_OURS)
            return
        before, left = process.open_files(), len(self.left_open(target))
        files: list[int] = []
        subscriptions: list[int] = []
        memory: list[int] = []
        for _ in range(ROUNDS):
            await self.leave_often(target)
            reply = await self.reconnect(target)
            if not reply.ok:
                over = "NATS did not come back after its connection was cut" if self.speaks(target) else AFTER
                self.leave(f"{over}: {reply}")
                return
            await self.settled(process, files[-1] if files else before)
            files.append(process.open_files())
            memory.append(process.memory())
            count = await target.parts.nats.subscriptions() if target.parts.nats is not None else None
            subscriptions.append(count or 0)
        left = len(self.left_open(target)) - left
        if left < ROUNDS * LEAVERS / 2:
            self.leave(f"only {left} of {ROUNDS * LEAVERS} clients left in the middle of a call upstream")
        held = [each for each in self.left_open(target) if each.ended is None]
        why = f"; {len(held)} calls of clients that left are still open upstream" if held else ""
        self.judge(reply, "open descriptors", files, LEAVERS // 4, why)
        self.judge(reply, "bytes of memory", memory, GROWTH)
        if any(subscriptions):
            self.judge(reply, "subscriptions", subscriptions, RECONNECTS)

    async def leave_often(self, target: Target) -> None:
        """Clients that leave while the upstream is still at work, each from an address of its own."""
        plain, stream = unique("leaving [[upstream:hang]]"), unique("leaving [[upstream:silent]]")

        async def one(number: int) -> None:
            client = target.as_client(9100 + number)
            if number % 2:
                await client.chat(f"{stream} {number}", seconds=0.5, stream=True)
            else:
                await client.chat(f"{plain} {number}", seconds=0.5)

        await asyncio.gather(*(one(number) for number in range(LEAVERS)))

    def speaks(self, target: Target) -> bool:
        return target.parts.between is not None and bool(target.settings.nats.subject)

    async def reconnect(self, target: Target) -> Reply:
        """Lose the NATS connection some times; the last answer."""
        between = target.parts.between
        if between is None or not self.speaks(target):
            return await target.patiently(lambda: target.chat(unique("hello")))
        for _ in range(RECONNECTS):
            between.cut()
            for _ in range(40):
                await asyncio.sleep(0.25)
                reply = await target.over_nats(unique("hello"), seconds=1)
                if reply.ok:
                    break
        return reply

    async def settled(self, process: Process, before: int) -> None:
        """Until what was opened is closed, or time has shown that it is not."""
        await happens(lambda: process.open_files() <= before, SETTLES)

    def left_open(self, target: Target) -> list[Asked]:
        return target.parts.upstream.asked_for("leaving [[upstream:") if target.parts.upstream is not None else []

    def judge(self, reply: Reply, what: str, counts: list[int], allowed: int, why: str = "") -> None:
        """More from the first round to the second and again to the last: once is warming up."""
        grown = [later - earlier for earlier, later in pairwise(counts)]
        if min(grown) >= allowed:
            self.flag(reply, f"{what} grew in each round: {', '.join(f'{each:,}' for each in counts)}{why}")
        else:
            self.clear(reply, f"{what} after each round: {', '.join(f'{each:,}' for each in counts)}")
