"""A burst from one client is never slowed down, or slows down all others.

One client in a retry loop takes the whole capacity from everybody. The limit must answer 429 with Retry-After, hold for
requests that come at once, count each client alone, not be escaped by a forged X-Forwarded-For, and let go again.
"""

import asyncio
import time

from readiness.probe import Probe, Reply, Target, pause, toy, unique
from readiness.probe.volley import at_once
from readiness.units import Rate

SANE = Rate(500, 60)
"""A burst that any limit should notice, where the settings declare none (target.limits.rate)."""
AT_ONCE = 128
"""Requests in flight: enough that a limiter which checks first and counts later lets several through."""
ADDRESS = "203.0.113.77"
FORGED = {"x-forwarded-for": ADDRESS, "x-real-ip": ADDRESS, "true-client-ip": ADDRESS, "forwarded": f"for={ADDRESS}"}
MADE_UP = dict.fromkeys(
    ("authorization", "x-api-key", "x-user-id", "x-client-id", "user-agent"), "readiness-made-up-7d31"
)
"""Names that nobody gave, where clients need no key."""
BURSTS = 3
"""How often the limit is reached again to compare other clients, should it let go meanwhile."""
BURSTS_IN_ALL = 3
"""Bursts that a verdict usually takes."""
LONGEST_RECOVERY = 70.0

Found = tuple[Reply, Reply, Reply | None]
"""What another client got, what a forged address did, and a made-up name, if it was tried."""


class Rule(Probe):
    item = "rate-limited"
    needs = {"http"}
    risk = "load"
    settles = False
    stains = True
    requests = 6000
    asks = {"chat": 6000, "GET": 6000}
    good = [toy.Toy()]
    bad = [
        toy.Toy(rate=None),
        toy.Toy(rate_fault="no-retry-after"),
        toy.Toy(rate_fault="everybody"),
        toy.Toy(rate_fault="trusts-forwarded"),
        toy.Toy(rate_fault="trusts-names"),
        toy.Toy(rate_fault="check-then-act"),
        toy.Toy(rate_fault="never-recovers"),
        toy.Toy(rate_fault="cooldown"),
    ]

    async def look(self, target: Target) -> None:
        declared = target.settings.limits.rate
        rate = declared or SANE
        count = rate.count + max(rate.count // 2, 10) if declared else rate.count
        if count * BURSTS_IN_ALL > target.budget.left // 2:
            self.leave(
                f"to exceed {rate.count} in {rate.seconds:g} s takes more requests than the budget of the run allows"
            )
            return
        unsettled = await target.settle()
        if unsettled:
            await self.before(target.as_client(9005), unsettled)
            return
        replies, seconds = await self.burst(target, count)
        if not any(reply.status == 429 for reply in replies):
            slow = declared is not None and self.excess(replies, rate, seconds) <= 0
            if slow:
                replies, seconds = await self.volley(target, count * 2)
            else:  # a window may have turned within it
                replies, seconds = await self.burst(target, count)
        refused = [reply for reply in replies if reply.status == 429]
        if not refused:
            self.without_refusal(target, replies, len(replies), self.excess(replies, rate, seconds) if declared else 1)
            return
        self.clear(refused[0], f"{len(replies) - len(refused)} of {len(replies)} were admitted in {seconds:.1f} s")
        if not any("retry-after" in reply.headers for reply in refused):
            self.flag(refused[0], "429 does not say when to come back: there is no Retry-After")
        await self.neighbours(target, count)
        if declared:
            await self.exact(target, declared, count)
        await self.recovers(target, rate)

    async def before(self, target: Target, unsettled: str) -> None:
        """The steady state never came: because even a client is refused that has asked for nothing yet, or not."""
        reply = await target.patiently(lambda: self.ask(target))
        if reply.status == 429:
            self.flag(reply, "a client that had not asked for anything before is answered 429 time and again")
        else:
            self.leave(unsettled)

    async def burst(self, target: Target, count: int) -> tuple[list[Reply], float]:
        slots = asyncio.Semaphore(AT_ONCE)
        started = time.monotonic()

        async def one() -> Reply:
            async with slots:
                return await self.ask(target)

        replies = await asyncio.gather(*(one() for _ in range(count)))
        return list(replies), time.monotonic() - started

    async def volley(self, target: Target, count: int) -> tuple[list[Reply], float]:
        """A burst in the shortest time: a busy machine makes of many clients a slow one."""
        started = time.monotonic()
        replies = await at_once(target, "hello", count)
        if count <= target.budget.concurrency:  # connections were open before the first was sent
            return replies, max((reply.took for reply in replies if reply.ok), default=0.0)
        return replies, time.monotonic() - started

    async def ask(self, target: Target, headers: dict[str, str] | None = None, text: str = "hello") -> Reply:
        """A chat where the upstream is ours and costs nothing, else the model list."""
        if target.parts.upstream is not None:
            return await target.chat(text, headers=headers)
        return await target.send("GET", target.settings.paths.models, headers=headers)

    def without_refusal(self, target: Target, replies: list[Reply], count: int, excess: int) -> None:
        failed = [reply for reply in replies if not reply.ok]
        if len(failed) > count // 10:
            self.leave(f"the burst was not answered: {len(failed)} of {count} failed, first with {failed[0]}")
        elif excess <= 0:
            self.leave(f"{count} requests came too slowly to exceed the declared limit: it was not reached")
        elif target.parts.upstream is None:
            self.leave(
                f"{count} requests for the model list met no 429; whether chats are limited is seen in the sandbox"
            )
        else:
            self.flag(replies[-1], f"{count} requests in a row and never a 429")

    async def neighbours(self, target: Target, count: int) -> None:
        """While the limit holds: another client is served, and a forged address helps nobody."""
        if (target.client.address is None or target.carries_key) and not target.settings.other_headers:
            self.leave("whether another client is punished was not seen: target.other_headers names a second client")
            return
        found = await self.others_while_refused(target, count)
        if found is not None and is_suspicious(*found):  # for want of room, perhaps, or for a place that just came free
            first = found
            await self.volley(target, count)
            found = await self.others_while_refused(target, count)
            found = found and twice(first, found)
        if found is None:
            self.leave("the limit always let go before other clients could be compared")
        else:
            self.compare(*found)

    async def others_while_refused(self, target: Target, count: int) -> Found | None:
        """What another client, a forged address and a made-up name get, in the same moment as two refusals."""
        second = target.as_client(9002, other=True)
        for _ in range(BURSTS):
            asking = self.ask(target), self.ask(second), self.ask(target, FORGED), self.ask(target)
            (refused, other, forged, again), named = await asyncio.gather(asyncio.gather(*asking), self.named(target))
            if refused.status == again.status == 429:
                return other, forged, named
            await self.volley(target, count)
        return None

    async def named(self, target: Target) -> Reply | None:
        """The answer to the same client under a name that it made up; None where it is no escape.

        Clients that need a key cannot make one up, and a key that goes on upstream is the upstream's to judge.
        """
        if target.carries_key:
            return None
        mark = unique("hello")
        reply = await self.ask(target, MADE_UP, mark)
        asked = target.parts.upstream.asked_for(mark) if target.parts.upstream is not None else []
        passed_on = any(MADE_UP["x-api-key"] in value for each in asked for value in each.headers.values())
        return None if passed_on else reply

    def compare(self, other: Reply, forged: Reply, named: Reply | None) -> None:
        if other.status == 429:
            self.flag(other, "one client's burst shuts out another client")
        else:
            self.clear(other)
        if forged.ok:
            self.flag(forged, "a forged address, as in X-Forwarded-For or X-Real-IP, escapes the limit")
        else:
            self.clear(forged)
        if named is not None and named.ok:
            self.flag(named, "a name that a client makes up, as a key or in User-Agent, escapes the limit")
        elif named is not None:
            self.clear(named)

    async def exact(self, target: Target, rate: Rate, count: int) -> None:
        """No more may be admitted than the limit and what it gives back meanwhile; an overshoot is tried again."""
        for client in (9003, 9004):
            replies, seconds = await self.volley(target.as_client(client), count)
            excess = self.excess(replies, rate, seconds)
            if excess <= 0:
                self.clear(replies[-1])
                return
        self.flag(
            replies[-1],
            f"{excess} more requests were admitted at once than {rate.count} in {rate.seconds:g} s allow",
        )

    def excess(self, replies: list[Reply], rate: Rate, seconds: float) -> int:
        admitted = sum(reply.ok for reply in replies)
        given_back = int(rate.count * seconds / rate.seconds) + 1
        return admitted - rate.count - given_back

    async def recovers(self, target: Target, rate: Rate) -> None:
        window = rate.seconds * 1.5 + 5
        patience = min(LONGEST_RECOVERY, window)
        until = time.monotonic() + patience
        while True:
            reply = await self.ask(target)
            if reply.status != 429:
                self.clear(reply)
                return
            if time.monotonic() > until:
                break
            await target.wait(min(pause(reply, 1.0), max(until - time.monotonic(), 0.1)))
        if patience < window:
            self.leave(
                f"whether the limit lets go was not seen: its window is {rate.seconds:g} s, waited {patience:g} s"
            )
        else:
            self.flag(reply, f"the limit did not let go within {patience:.0f} s")


def is_suspicious(other: Reply, forged: Reply, named: Reply | None) -> bool:
    return other.status == 429 or forged.ok or (named is not None and named.ok)


def twice(first: Found, second: Found) -> Found:
    """Of each the answer that is at fault only if it was so both times."""
    other, forged, named = first
    return (
        second[0] if other.status == 429 else other,
        second[1] if forged.ok else forged,
        second[2] if named is not None and named.ok else named,
    )
