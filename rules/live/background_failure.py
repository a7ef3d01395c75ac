"""Periodic work dies with the first failure of what it asks.

A loop whose exception nobody sees stops for good while the process looks healthy. The upstream fails in every manner for
several intervals; then the work must be seen to go on.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from readiness.probe import Probe, Target, happens, toy
from readiness.probe.script import Behaviour

if TYPE_CHECKING:
    from readiness.probe.upstream import Upstream

SEEN = 35.0
"""Seconds in which periodic work must show itself by asking the upstream, where none are declared
(target.limits.recovery)."""
FAULTS = (
    Behaviour.ERROR, Behaviour.GARBAGE, Behaviour.STRANGE, Behaviour.EMPTY, Behaviour.RESET, Behaviour.HANG,
    Behaviour.UNAUTHORIZED,
)  # fmt: skip
AGAIN = 3
"""Intervals, and SPARE seconds, within which it must go on."""
SPARE = 10.0


class Rule(Probe):
    item = "background-tasks-guarded"
    needs = {"http", "upstream"}
    risk = "disrupt"
    stains = True
    requests = 20
    asks = {"GET": 1}
    good = [toy.Toy()]
    bad = [toy.Toy(catalog="dies"), toy.Toy(catalog="stuck")]

    async def look(self, target: Target) -> None:
        upstream = target.parts.upstream
        if upstream is None:
            return
        seen = target.settings.limits.recovery or SEEN
        interval = await self.interval(upstream, seen)
        if interval is None:
            self.leave(f"within {seen:g} s nothing asked the upstream by itself: there was no periodic work to see")
            return
        async with upstream.misbehaving((len(FAULTS) + 1) * seen + SPARE):
            for fault in FAULTS:
                upstream.listing(fault)
                await happens(self.asked_again(upstream), min(interval * AGAIN, seen))
                await asyncio.sleep(min(interval / 4, 0.5))
            async with upstream.refusing():
                await asyncio.sleep(min(interval * 2, seen))
        allowed = interval * AGAIN + SPARE
        started = time.monotonic()
        resumed = await happens(self.asked_again(upstream, 2), allowed)
        reply = await target.get(target.settings.paths.models)
        seconds = time.monotonic() - started
        if resumed:
            self.clear(
                reply, f"work that came every {interval:.1f} s went on after failures in {len(FAULTS) + 1} manners"
            )
        else:
            self.flag(
                reply, f"work that came every {interval:.1f} s did not come again {seconds:.0f} s after the failures"
            )

    async def interval(self, upstream: Upstream, within: float) -> float | None:
        """Seconds between two times that the upstream's models are asked for while nobody asks for anything."""
        before = len(upstream.lists)
        await happens(lambda: len(upstream.lists) >= before + 3, within)
        seen = upstream.lists[before:]
        return (seen[-1] - seen[0]) / (len(seen) - 1) if len(seen) >= 2 else None

    def asked_again(self, upstream: Upstream, times: int = 1) -> Asked:
        return Asked(upstream, len(upstream.lists) + times)


class Asked:
    """Whether the upstream's models were asked for so many times."""

    def __init__(self, upstream: Upstream, times: int) -> None:
        self.upstream, self.times = upstream, times

    def __call__(self) -> bool:
        return len(self.upstream.lists) >= self.times
