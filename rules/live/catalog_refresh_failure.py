"""A failing list of models empties the gateway's own.

The list comes from a provider that fails now and then. Whatever it answers, an error, garbage, nothing, the last good
list is served on, chats go on, and a model that is new appears once the provider is well again.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from readiness.probe import Probe, Reply, Target, toy, unique
from readiness.probe.naming import listed
from readiness.probe.script import Behaviour

if TYPE_CHECKING:
    from readiness.probe.upstream import Upstream

REFRESHED = 35.0
"""Seconds within which the upstream's list must be asked for, where none are declared (target.limits.recovery)."""
FAULTS = (Behaviour.ERROR, Behaviour.GARBAGE, Behaviour.STRANGE, Behaviour.NO_MODELS, Behaviour.HTML)
SPARE = 10.0
"""Seconds beyond that time after which the upstream is well again in any case."""
TAKEN_IN = 0.5
"""Seconds after which what the upstream said has done to the gateway's list what it does."""
NEW = "readiness-new-model"


class Rule(Probe):
    item = "catalog-refresh-guarded"
    needs = {"http", "upstream"}
    risk = "disrupt"
    stains = True
    requests = 400
    asks = {"GET": 380, "chat": 20}
    good = [toy.Toy()]
    bad = [toy.Toy(catalog="live"), toy.Toy(catalog="clears"), toy.Toy(catalog="stuck")]

    async def look(self, target: Target) -> None:
        upstream = target.parts.upstream
        if upstream is None:
            return
        allowed = target.settings.limits.recovery or REFRESHED
        first = await self.listed(target)
        known = set(listed(first))
        if target.settings.model not in known:
            self.leave(f"the list of models was not seen: {first.request} is answered {first} with {sorted(known)[:5]}")
            return
        if not await self.asked(target, upstream, allowed):
            self.leave(
                f"the upstream's list of models was not asked for within {allowed:g} s: a refresh was not provoked"
            )
            return
        async with upstream.misbehaving((len(FAULTS) + 1) * (allowed + SPARE)):
            for fault in FAULTS:
                upstream.listing(fault)
                if not await self.asked(target, upstream, allowed):
                    self.leave(f"while the upstream's list was {fault} it was not asked for again within {allowed:g} s")
                    break
                await self.while_failing(target, fault, known)
            upstream.listing(None)
            upstream.models += (NEW,)
            await self.recovered(target, allowed)

    async def listed(self, target: Target) -> Reply:
        return await target.patiently(lambda: target.get(target.settings.paths.models))

    async def asked(self, target: Target, upstream: Upstream, seconds: float) -> bool:
        """Whether the upstream's list is asked for from now, by itself or because we ask for the gateway's."""
        before, until = len(upstream.lists), time.monotonic() + seconds
        while len(upstream.lists) == before and time.monotonic() < until:
            await self.listed(target)
            await asyncio.sleep(0.25)
        await asyncio.sleep(TAKEN_IN)
        return len(upstream.lists) > before

    async def while_failing(self, target: Target, fault: Behaviour, known: set[str]) -> None:
        reply, chat = await self.listed(target), await target.patiently(lambda: target.chat(unique("catalog")))
        if not reply.ok or not known <= set(listed(reply)):
            self.flag(
                reply,
                f"while the upstream's list is {fault} the gateway's own is {reply} with {len(listed(reply))} models",
            )
        elif not chat.ok:
            self.flag(chat, f"while the upstream's list is {fault} chats are answered {chat}")
        else:
            self.clear(reply, f"upstream's list {fault}: {len(known)} models served on")

    async def recovered(self, target: Target, allowed: float) -> None:
        started = time.monotonic()
        while True:
            reply = await self.listed(target)
            seconds = time.monotonic() - started
            if NEW in listed(reply):
                self.clear(reply, f"a new model was listed {seconds:.1f} s after the provider was well again")
                return
            if seconds > allowed:
                self.flag(reply, f"{seconds:.0f} s after the provider was well again a new model is not listed")
                return
            await asyncio.sleep(0.25)
