"""A shutdown cuts what is in flight.

Every deployment sends SIGTERM. Readiness must turn, or the port close, so that no new work comes; what is in flight,
plain, streamed and over NATS, is finished; then the process ends by itself, within a time that is known.
"""

import asyncio
import signal
import time

from readiness.probe import Probe, Reply, Target, happens, toy, unique
from readiness.probe.process import Process
from readiness.probe.steady import readiness

ALLOWED = 40.0
"""Seconds from SIGTERM to the end, where none are declared (target.limits.shutdown). Orchestrators give 30."""
TURNS = 1.0
"""Seconds within which readiness must turn or the port close; the work in flight takes longer."""
ENDED = {0, -signal.SIGTERM, 128 + signal.SIGTERM}
"""Exit codes of a process that ended as it was told to."""


class Rule(Probe):
    item = "graceful-shutdown"
    needs = {"http", "upstream", "process"}
    risk = "disrupt"
    stains = True
    ends = True
    requests = 400
    good = [toy.Toy(), toy.Toy(nats="recovers")]
    bad = [
        toy.Toy(shutdown="cuts"),
        toy.Toy(shutdown="deaf"),
        toy.Toy(shutdown="lies"),
        toy.Toy(shutdown="fails"),
        toy.Toy(nats="recovers", nats_fault="close"),
    ]

    async def look(self, target: Target) -> None:
        process, upstream = target.parts.process, target.parts.upstream
        steady = await readiness(target)
        if process is None or upstream is None:
            return
        mark = unique("shutdown")
        allowed = target.settings.limits.shutdown or ALLOWED
        work = {
            "a plain chat": asyncio.ensure_future(target.chat(f"{mark} plain [[upstream:slow]]", seconds=allowed)),
            "a stream": asyncio.ensure_future(
                target.as_client(9001).chat(f"{mark} stream [[upstream:paced]]", stream=True, seconds=allowed)
            ),
        }
        if target.parts.nats is not None and target.settings.nats.subject:
            over_nats = target.over_nats(f"{mark} nats [[upstream:slow]]", seconds=allowed)
            work["a request over NATS"] = asyncio.ensure_future(over_nats)
        await happens(lambda: len(upstream.asked_for(mark)) >= len(work), 10)
        missing = len(work) - len(upstream.asked_for(mark))
        if missing:
            self.leave(f"{missing} of {len(work)} requests were not in flight upstream when SIGTERM was to come")
        process.signal(signal.SIGTERM)
        told = time.monotonic()
        watching = asyncio.ensure_future(self.turned(target, steady.path if steady else None, told))
        for what, asked in work.items():
            self.finished(await asked, what)
        turned, last = await watching
        if steady is None:
            self.leave("no readiness endpoint was found that could turn (target.paths.ready names it)")
        elif turned is None:
            self.flag(last, f"{TURNS:g} s after SIGTERM {steady.path} still said 2xx: new work goes on coming")
        else:
            self.clear(last, f"readiness turned, or the port closed, {turned:.1f} s after SIGTERM, allowed {TURNS:g}")
        await self.end(target, process, last, told)

    async def turned(self, target: Target, path: str | None, told: float) -> tuple[float | None, Reply]:
        """How long it took until readiness said no or nobody listened; None where it was not in time."""
        while True:
            reply = await target.get(path or "/", anonymous=True, seconds=2)
            seconds = time.monotonic() - told
            if not reply.ok:
                return seconds, reply
            if seconds > TURNS:
                return None, reply
            await asyncio.sleep(0.05)

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
