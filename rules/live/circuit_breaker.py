"""An upstream that is down is asked again and again.

After repeated failures calls must fail at once, without asking upstream, for a while; then a trial closes the breaker
again. A breaker that never closes is worse than none.
"""

import asyncio
import time

from readiness.probe import Probe, Reply, Target, pause, toy, unique

FAILURES = 30
"""Failing calls in a row after which a breaker must be open."""
UNASKED = 3
"""Calls in a row that did not reach the upstream: it is open."""
CLOSES = 70.0
"""Seconds within which it must close again, where none are declared (target.limits.recovery)."""
REFUSALS = 8
"""How many answers of 429 are waited out before it is said that the limit hides the breaker."""


class Rule(Probe):
    item = "circuit-breaker"
    needs = {"http", "upstream"}
    risk = "disrupt"
    stains = True
    requests = 300
    asks = {"chat": 300}
    good = [toy.Toy(), toy.Toy(retry="none")]
    bad = [toy.Toy(breaker="none"), toy.Toy(breaker="stuck")]

    async def look(self, target: Target) -> None:
        upstream = target.parts.upstream
        if upstream is None:
            return
        made, last = await self.until_open(target)
        if last is None:
            return
        if made is None:
            self.flag(last, f"{FAILURES} failing calls in a row, and each of them was sent to the upstream")
            return
        self.clear(last, f"open after {made} failing calls: {last} without asking the upstream")
        if await self.closes(target):
            await self.only_failures(target, made + UNASKED)

    async def only_failures(self, target: Target, count: int) -> None:
        """As many calls that succeed are served: what refuses those too is a limit."""
        for _ in range(count):
            mark = unique("breaker")
            reply = await target.patiently(lambda: target.chat(mark, seconds=10))  # noqa: B023  asked in this turn
            asked = target.parts.upstream is not None and bool(target.parts.upstream.asked_for(mark))
            if not reply.ok and not asked:
                self.leave(
                    f"calls that do not fail are answered {reply} as well: that is a limit, and no breaker was seen"
                )
                return
        self.clear(reply, f"{count} calls that do not fail were all served")

    async def until_open(self, target: Target) -> tuple[int | None, Reply | None]:
        """Fail until calls no longer reach the upstream; how many it took, None where they always do."""
        unasked = refusals = made = 0
        while made < FAILURES:
            mark = unique("breaker")
            reply = await target.chat(f"{mark} [[upstream:error]]", seconds=60)
            if reply.status == 429 or reply.status is None:
                refusals += 1
                if refusals > REFUSALS:
                    self.leave(f"failing calls were answered {reply} time and again: a breaker was not provoked")
                    return None, None
                await target.wait(pause(reply, 1.0))
                continue
            made += 1
            asked = target.parts.upstream is not None and bool(target.parts.upstream.asked_for(mark))
            unasked = 0 if asked else unasked + 1
            if unasked == made == UNASKED:
                self.leave(f"the upstream was never asked: failing calls are answered {reply}")
                return None, None
            if unasked >= UNASKED:
                return made - UNASKED, reply
        return None, reply

    async def closes(self, target: Target) -> bool:
        allowed = target.settings.limits.recovery or CLOSES
        started = time.monotonic()
        while True:
            reply = await target.chat(unique("breaker"), seconds=10)
            seconds = time.monotonic() - started
            if reply.ok:
                self.clear(reply, f"closed again after {seconds:.1f} s, allowed {allowed:g}")
                return True
            if seconds > allowed:
                self.flag(reply, f"{seconds:.0f} s after the upstream was well again calls still fail with {reply}")
                return False
            await asyncio.sleep(min(pause(reply, 0.3), 2.0))
