"""Health is missing, or does not tell the truth.

An orchestrator acts on health. Liveness looks at the process alone: if it asks the upstream, a provider's outage
restarts every healthy instance. Readiness turns when the upstream is gone, and comes back with it: if it lies, traffic
goes to an instance that fails every request. A service that answers 200 to every path has no health endpoint.
"""

import asyncio
import re
import secrets
import time

from readiness.probe import Probe, Reply, Target, toy
from readiness.probe.steady import Steady

LIVE = (
    "/livez", "/healthz", "/health/liveliness", "/health/liveness", "/health/live", "/live", "/liveness", "/alive",
    "/-/healthy", "/health", "/ping",
)  # fmt: skip
READY = ("/readyz", "/health/readiness", "/health/ready", "/ready", "/readiness", "/-/ready")
ASKED = "is the upstream there"
TURNS = 35.0
"""Seconds within which readiness must follow the upstream, where the settings declare none (target.limits.recovery).
Orchestrators ask every 10 s and want 3 failures."""


class Rule(Probe):
    item = "health-endpoint"
    needs = {"http"}
    risk = "read"
    stains = True
    requests = 700
    asks = {"GET": 700, "chat": 200}
    good = [toy.Toy()]
    bad = [
        toy.Toy(health="none"),
        toy.Toy(health="one"),
        toy.Toy(health="everything"),
        toy.Toy(health="everything-anew"),
        toy.Toy(health="blind"),
        toy.Toy(health="fragile"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.waits = False
        """Some readiness path answered 503: the service may still be starting."""
        self.everywhere: Steady | None = None
        """What stays the same in the answers to paths that are not there."""

    async def look(self, target: Target) -> None:
        unsettled = await target.settle() if target.parts.upstream is not None else None
        nonsense = await target.get(f"/{secrets.token_hex(8)}", anonymous=True)
        again = await target.get(f"/{secrets.token_hex(8)}", anonymous=True)
        self.everywhere = Steady("", [nonsense, again]) if nonsense.ok and again.json() is not None else None
        live = await self.find(target, target.settings.paths.live, LIVE, nonsense)
        ready = await self.find(target, target.settings.paths.ready, READY, nonsense)
        until = time.monotonic() + (target.settings.limits.recovery or TURNS)
        while live is not None and ready is None and self.waits and time.monotonic() < until:
            await asyncio.sleep(0.5)
            ready = await self.find(target, target.settings.paths.ready, READY, nonsense)
        if live is None and ready is None:
            self.missing(nonsense)
            return
        if live is None or ready is None:
            only = live or ready or nonsense
            self.flag(only, f"only {only.request} answers: liveness and readiness cannot be told apart")
            return
        for reply in (live, ready):
            if target.redactor.holds_secret(reply.text):
                self.flag(reply, "the health answer holds a secret")
            else:
                self.clear(reply)
        if target.parts.upstream is None:
            self.leave("whether readiness follows the upstream is seen only in the sandbox (target.launch)")
            return
        if unsettled:
            self.leave(unsettled)
            return
        if not target.parts.upstream.asked:
            self.leave("whether readiness follows the upstream was not seen: the gateway never asked the scripted one")
            return
        await self.without_upstream(target, live, ready)

    def missing(self, nonsense: Reply) -> None:
        """Neither was found. What is answered to a path that is not there tells why, perhaps."""
        if nonsense.status is not None and 300 <= nonsense.status < 400:
            to = nonsense.headers.get("location", "")
            self.leave(f"every path is answered {nonsense}, to {to[:80]!r}: is this the address of the gateway?")
            return
        every = f"; every path is answered {nonsense}" if nonsense.status not in {404, 405} else ""
        self.flag(nonsense, f"no health endpoint on the usual paths{every} (others are named by target.paths)")

    async def find(self, target: Target, declared: str | None, usual: tuple[str, ...], nonsense: Reply) -> Reply | None:
        """The first path that answers 2xx, and not as it answers to nonsense."""
        for path in (declared,) if declared else usual:
            reply = await target.get(path, anonymous=True)
            if reply.ok and not (nonsense.ok and self.alike(reply, nonsense)):
                return reply
            self.waits = self.waits or reply.status == 503
        return None

    def alike(self, one: Reply, other: Reply) -> bool:
        """The same status and body, without the path itself, numbers, and what changes with each answer."""
        same = self.everywhere is not None and bool(self.everywhere.said) and not self.everywhere.differs(one)
        return one.status == other.status and (same or essence(one) == essence(other))

    async def without_upstream(self, target: Target, live: Reply, ready: Reply) -> None:
        upstream = target.parts.upstream
        if upstream is None:
            return
        allowed = target.settings.limits.recovery or TURNS
        asked = len([each for each in upstream.chats if ASKED not in each.text])
        async with upstream.refusing(allowed + 60):
            turned, last, seconds = await self.watch(target, live, ready, allowed, wanted=False)
        if not turned:
            self.flag(last, f"the upstream was gone for {seconds:.0f} s and readiness went on saying 2xx")
        else:
            self.clear(last, f"readiness turned {seconds:.1f} s after the upstream was gone, allowed {allowed:g}")
        back, last, seconds = await self.watch(target, live, ready, allowed, wanted=True)
        if not back:
            self.flag(last, f"the upstream was back for {seconds:.0f} s and readiness still said no")
        elif turned:
            self.clear(last, f"readiness came back after {seconds:.1f} s")
        if len([each for each in upstream.chats if ASKED not in each.text]) > asked:
            self.flag(last, "asking for health made a chat call to the upstream, which is paid for")

    async def watch(
        self, target: Target, live: Reply, ready: Reply, allowed: float, *, wanted: bool
    ) -> tuple[bool, Reply, float]:
        """Ask until readiness is as wanted; liveness must answer 2xx all the while."""
        started = time.monotonic()
        fine = True
        while True:
            alive = await target.get(path_of(live), anonymous=True, seconds=10)
            if not alive.ok and fine:
                fine = False
                self.flag(alive, "liveness fails when the upstream is gone: an orchestrator would restart the process")
            await target.chat(ASKED, seconds=10)  # some know of an upstream only what its answers tell
            last = await target.get(path_of(ready), anonymous=True, seconds=10)
            seconds = time.monotonic() - started
            if last.ok is wanted or seconds > allowed:
                return last.ok is wanted, last, seconds
            await asyncio.sleep(0.5)


def path_of(reply: Reply) -> str:
    return reply.request.removeprefix("GET ")


def essence(reply: Reply) -> str:
    return re.sub(r"\d+", "", reply.text.replace(path_of(reply).lstrip("/"), ""))
