"""A shutdown cuts what is in flight.

Every deployment sends SIGTERM. Readiness must turn, or the port close, so that no new work comes; what is in flight,
plain, streamed and over NATS, is finished; then the process ends by itself, within a time that is known.
"""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from readiness.probe import Probe, Reply, Target, happens, pause, toy, unique
from readiness.probe.script import HELD, Behaviour
from readiness.probe.steady import Steady, readiness

if TYPE_CHECKING:
    from readiness.probe.process import Process
    from readiness.probe.upstream import Upstream

ALLOWED = 40.0
"""Seconds from SIGTERM to the end, where none are declared (target.limits.shutdown). Orchestrators give 30."""
ENDED = {0, -signal.SIGTERM, 128 + signal.SIGTERM}
"""Exit codes of a process that ended as it was told to."""

TRIES = 3
"""How often work is sent, until all of it is in flight together."""
ARRIVES = 10.0
"""Seconds in which work reaches the upstream, where nothing is the matter."""
LASTS = 1.0
"""Seconds for which work goes on after SIGTERM."""
YOUNG = HELD - LASTS
"""Seconds with the upstream after which too little of the work is left to see what SIGTERM does to it."""
TURNS = 0.5
"""Seconds after SIGTERM in which readiness may still say what it said before."""

NOT_OURS = "the process is not ours"


@dataclass
class Work:
    """One request that is to be in flight when SIGTERM comes."""

    what: str
    mark: str
    asked: asyncio.Task[Reply]

    def arrived(self, upstream: Upstream) -> bool:
        return bool(upstream.asked_for(self.mark))

    def in_flight(self, upstream: Upstream) -> bool:
        now = time.monotonic()
        return any(each.ended is None and now - each.began < YOUNG for each in upstream.asked_for(self.mark))

    def why_not(self, upstream: Upstream) -> str:
        """Why it is not in flight."""
        if self.arrived(upstream):
            return f"{self.what} was no longer in flight when the others were"
        if self.asked.done():
            return f"{self.what} got {self.asked.result()} before it reached the upstream"
        return f"{self.what} had not reached the upstream after {ARRIVES:g} s"


class Rule(Probe):
    item = "graceful-shutdown"
    needs = {"http", "upstream", "process"}
    risk = "disrupt"
    stains = True
    ends = True
    requests = 400
    asks = {"GET": 390, "chat": 13, "NATS": 3}
    good = [toy.Toy(), toy.Toy(nats="recovers"), toy.Toy(nats="recovers", nats_fault="waking")]
    bad = [
        toy.Toy(shutdown="cuts"),
        toy.Toy(shutdown="deaf"),
        toy.Toy(shutdown="lies"),
        toy.Toy(shutdown="fails"),
        toy.Toy(nats="recovers", nats_fault="close"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.said_no: float | None = None
        """Seconds after SIGTERM, while work was still in flight."""
        self.said_yes = 0.0
        """Seconds after SIGTERM at which the last question was asked that got a yes."""

    async def look(self, target: Target) -> None:
        process, upstream = target.parts.process, target.parts.upstream
        steady = await readiness(target)
        first = await target.chat(unique("hello"))
        whole = await target.patiently(lambda: target.chat(unique("hello"), stream=True))
        if process is None or upstream is None:
            self.leave(NOT_OURS)
            return
        if not whole.ok and (whole.status is None or whole.status >= 500):
            self.leave(f"a stream was not in flight when SIGTERM was to come: a whole one is answered {whole}")
        with upstream.holding():
            work = await self.underway(target, upstream, streams=whole.ok)
            process.signal(signal.SIGTERM)
            told = time.monotonic()
            watching = asyncio.ensure_future(self.watched(target, steady.path if steady else "/", told))
            await asyncio.sleep(LASTS)
        for each in work:
            self.finished(await each.asked, each.what)
        finished = time.monotonic() - told
        watching.cancel()
        await asyncio.wait([watching])
        over = max((each.ended or 0.0 for one in work for each in upstream.asked_for(one.mark)), default=0.0) - told
        if self.said_no is not None and self.said_no > over > TURNS:
            self.said_no = None  # only once the work was done: the port had closed by then
        self.turned(steady, finished, first)
        await self.end(target, process, first, told)

    async def underway(self, target: Target, upstream: Upstream, *, streams: bool) -> list[Work]:
        """Work that the upstream has, all of it at the same time; sent again where some of it was answered before."""
        for number in range(TRIES):
            work = self.sent(target, streams=streams)
            await happens(partial(_landed, work, upstream), ARRIVES)
            missing = [each for each in work if not each.in_flight(upstream)]
            if not missing:
                return work
            if number + 1 < TRIES:
                await _let_go(work)
                answered = [each.asked.result() for each in missing if not each.asked.cancelled()]
                await target.wait(max([1.0, *map(pause, answered)]))
        self.leave(f"SIGTERM came without all of the work, {TRIES} times: {missing[0].why_not(upstream)}")
        await _let_go(missing)
        return [each for each in work if each not in missing]

    def sent(self, target: Target, *, streams: bool) -> list[Work]:
        """Work under way to the gateway."""
        held = Behaviour.HELD.switch
        allowed = target.settings.limits.shutdown or ALLOWED
        plain, stream, over_nats = (unique(f"shutdown {kind}") for kind in ("plain", "stream", "nats"))
        asking = [("a plain chat", plain, target.chat(f"{plain} {held}", seconds=allowed))]
        if streams:
            streamed = target.as_client(9001).chat(f"{stream} {held}", stream=True, seconds=allowed)
            asking.append(("a stream", stream, streamed))
        if target.parts.nats is not None and target.settings.nats.subject:
            asking.append(("a request over NATS", over_nats, target.over_nats(f"{over_nats} {held}", seconds=allowed)))
        return [Work(what, mark, asyncio.ensure_future(coroutine)) for what, mark, coroutine in asking]

    async def watched(self, target: Target, path: str, told: float) -> None:
        """Ask for readiness until it says no or nobody listens, and note when that was."""
        while True:
            asked = time.monotonic() - told
            reply = await target.get(path, anonymous=True, seconds=2)
            if not reply.ok:
                self.said_no = time.monotonic() - told
                return
            self.said_yes = asked
            await asyncio.sleep(0.05)

    def turned(self, steady: Steady | None, finished: float, first: Reply) -> None:
        if steady is None:
            self.leave("no readiness endpoint was found that could turn (target.paths.ready names it)")
        elif self.said_no is None and self.said_yes < TURNS:
            self.leave(f"the work was done {finished:.1f} s after SIGTERM, too soon to see whether readiness turns")
        elif self.said_no is None:
            self.flag(first, f"{finished:.1f} s after SIGTERM {steady.path} still said 2xx: new work goes on coming")
        else:
            self.clear(first, f"readiness turned, or the port closed, {self.said_no:.1f} s after SIGTERM")

    def finished(self, reply: Reply, what: str) -> None:
        if reply.ok and ("[DONE]" in reply.text or what != "a stream"):
            self.clear(reply, f"{what} in flight was finished")
        else:
            self.flag(reply, f"{what} in flight was cut by the shutdown: {reply.problem or reply}")

    async def end(self, target: Target, process: Process, last: Reply, told: float) -> None:
        allowed = target.settings.limits.shutdown or ALLOWED
        code = await process.ended(max(0.1, told + allowed - time.monotonic()))
        seconds = time.monotonic() - told
        if code is None:
            self.flag(last, f"{seconds:.0f} s after SIGTERM the process still runs, allowed {allowed:g}")
        elif code not in ENDED:
            self.flag(last, f"after SIGTERM the process ended with exit code {code}")
        else:
            self.clear(
                last, f"the process ended {seconds:.1f} s after SIGTERM with exit code {code}, allowed {allowed:g} s"
            )


def _landed(work: list[Work], upstream: Upstream) -> bool:
    """Whether each has reached the upstream, or was answered before."""
    return all(each.asked.done() or each.arrived(upstream) for each in work)


async def _let_go(work: list[Work]) -> None:
    """Wait for the answers of work that is not looked at, and for no answer that does not come."""
    await asyncio.wait([each.asked for each in work], timeout=ARRIVES)
    for each in work:
        each.asked.cancel()
    await asyncio.gather(*(each.asked for each in work), return_exceptions=True)
