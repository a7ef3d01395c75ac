"""How long requests were not answered, and what health said meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from readiness.probe.reply import Reply
from readiness.probe.steady import Steady
from readiness.probe.target import Target

OFTEN = 0.25
"""Seconds between two samples."""
WELL = 3
"""Answers in a row after which an outage is over: a connection that is half dead serves one and no other."""


@dataclass
class Outage:
    """What the samples of one fault showed."""

    last: Reply
    back: bool = False
    longest: float = 0.0
    """Seconds for which no request was answered, the longest time."""
    lied: float = 0.0
    """Seconds of that for which health said without a break that all was well."""


async def sampled(
    target: Target,
    steady: Steady | None,
    ask: Callable[[], Awaitable[Reply]],
    over: Callable[[], bool],
    seconds: float,
) -> Outage:
    """Ask until a fault is over and some requests in a row were answered, or until so much time has passed.

    Only those count that were made when the fault was over: what was answered before may have been its last moment.
    """
    started = time.monotonic()
    good, failing, lying = 0, 0.0, 0.0
    ended = over()
    seen = Outage(await ask())
    while True:
        now = time.monotonic()
        good = good + 1 if seen.last.ok and ended else 0
        failing = 0.0 if seen.last.ok else failing or now - seen.last.took
        seen.longest = max(seen.longest, now - failing if failing else 0.0)
        told = await target.get(steady.path, anonymous=True, seconds=10) if steady is not None and failing else None
        well = told is not None and steady is not None and not steady.differs(told)
        lying = (lying or now) if well else 0.0
        seen.lied = max(seen.lied, time.monotonic() - lying if lying else 0.0)
        seen.back = good >= WELL
        if seen.back or now - started > seconds:
            return seen
        await asyncio.sleep(OFTEN)
        ended = over()
        seen.last = await ask()
