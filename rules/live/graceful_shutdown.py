"""A shutdown cuts what is in flight.

Every deployment sends SIGTERM. Readiness must turn, or the port close, so that no new work comes; what is in flight,
plain, streamed and over NATS, is finished; then the process ends by itself, within a time that is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from typing import TYPE_CHECKING

from readiness.probe import Probe, Reply, Target, happens, toy, unique
from readiness.probe.steady import Steady, readiness

if TYPE_CHECKING:
    from readiness.probe.process import Process

ALLOWED = 40.0
"""Seconds from SIGTERM to the end, where none are declared (target.limits.shutdown). Orchestrators give 30."""
SOON = 0.5
"""Seconds in which nobody could have seen readiness turn."""
ENDED = {0, -signal.SIGTERM, 128 + signal.SIGTERM}
"""Exit codes of a process that ended as it was told to."""

NOT_OURS = "the process is not ours"


class Rule(Probe):
    item = "graceful-shutdown"
    needs = {"http", "upstream", "process"}
    risk = "disrupt"
    stains = True
    ends = True
    requests = 400
    asks = {"GET": 390, "chat": 12, "NATS": 2}
    good = [toy.Toy(), toy.Toy(nats="recovers")]
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

    async def look(self, target: Target) -> None:
        process, upstream = target.parts.process, target.parts.upstream
        steady = await readiness(target)
        first = await target.chat(unique("hello"))
        whole = await target.patiently(lambda: target.chat(unique("hello"), stream=True))
        if process is None or upstream is None:
            self.leave(NOT_OURS)
            return
        mark = unique("shutdown")
        allowed = target.settings.limits.shutdown or ALLOWED
        plain = target.chat(f"{mark} plain [[upstream:slow]]", seconds=allowed)
        work = {"a plain chat": asyncio.ensure_future(plain)}
        if whole.ok:
            stream = target.as_client(9001).chat(f"{mark} stream [[upstream:paced]]", stream=True, seconds=allowed)
            work["a stream"] = asyncio.ensure_future(stream)
        elif whole.status is None or whole.status >= 500:
            self.leave(f"a stream was not in flight when SIGTERM was to come: a whole one is answered {whole}")
        if target.parts.nats is not None and target.settings.nats.subject:
            over_nats = target.over_nats(f"{mark} nats [[upstream:slow]]", seconds=allowed)
            work["a request over NATS"] = asyncio.ensure_future(over_nats)
        await happens(lambda: len(upstream.asked_for(mark)) >= len(work), 10)
        missing = len(work) - len(upstream.asked_for(mark))
        if missing:
            self.leave(f"{missing} of {len(work)} requests were not in flight upstream when SIGTERM was to come")
        process.signal(signal.SIGTERM)
        told = time.monotonic()
        watching = asyncio.ensure_future(self.watched(target, steady.path if steady else "/", told))
        for what, asked in work.items():
            self.finished(await asked, what)
        finished = time.monotonic() - told
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        self.turned(steady, finished, first)
        await self.end(target, process, first, told)

    async def watched(self, target: Target, path: str, told: float) -> None:
        """Ask for readiness until it says no or nobody listens, and note when that was."""
        while True:
            reply = await target.get(path, anonymous=True, seconds=2)
            if not reply.ok:
                self.said_no = time.monotonic() - told
                return
            await asyncio.sleep(0.05)

    def turned(self, steady: Steady | None, finished: float, first: Reply) -> None:
        if steady is None:
            self.leave("no readiness endpoint was found that could turn (target.paths.ready names it)")
        elif self.said_no is None and finished < SOON:
            self.notes.append(
                f"nothing was in flight any more {finished:.1f} s after SIGTERM: too soon to see readiness turn"
            )
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
