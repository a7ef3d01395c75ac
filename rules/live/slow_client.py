"""A client that dribbles its request, or has gone, holds resources for ever.

A few sockets that send one byte a second take all connections of a server that waits between bytes only. A client that
left still costs a paid call, unless its leaving ends the call upstream.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from readiness.probe import Probe, Reply, Target, happens, toy, unique

ALLOWED = 95.0
"""Seconds a request may take to arrive, where none are declared (target.limits.client). Usual servers cut after 60 and
look for it every 30, so that less would be a coin toss."""
DRIP = 0.5
"""Seconds between bytes."""
HELD = 2 * DRIP
"""Seconds that a request must have been held at least; one that ends sooner was refused for another reason."""
CANCELLED = 6.0
"""Seconds within which a call must have ended whose client left; half of target.limits.timeout where that is less, for
by then the call would end anyhow."""
STAYS = 0.5
"""Seconds before the client leaves."""


class Rule(Probe):
    item = "requests-timed"
    needs = {"http"}
    risk = "write"
    stains = True
    requests = 20
    asks = {"chat": 20, "bytes": 2}
    good = [toy.Toy()]
    bad = [toy.Toy(client_timeout=None), toy.Toy(leaving="goes-on", timeout=20.0)]

    async def look(self, target: Target) -> None:
        if await self.served(target) is None:
            return
        allowed = target.settings.limits.client or ALLOWED
        wait = allowed + 1
        head, body, *_ = await asyncio.gather(
            target.octets("a request whose head never ends", dripping_head(target), seconds=wait),
            target.as_client(9001).octets("a request whose body never ends", dripping_body(target), seconds=wait),
            self.leavers(target.as_client(9002)),
        )
        self.judge(head, allowed)
        self.judge(body, allowed)
        await self.goes_on(target, "slow clients", clears=False)

    def judge(self, reply: Reply, allowed: float) -> None:
        if reply.timed_out:
            self.flag(reply, f"{reply.request}: still open after {reply.took:.0f} s, allowed {allowed:g} s")
        elif reply.status is not None and reply.ok:
            self.leave(f"{reply.request} was answered {reply} before it was whole: nothing was held")
        elif reply.took < HELD and reply.status != 408:
            self.leave(f"{reply.request} was ended at once, with {reply}: a slow one was not seen")
        else:
            self.clear(reply, f"{reply.request}: ended after {reply.took:.1f} s, allowed {allowed:g} s")

    async def leavers(self, target: Target) -> None:
        """A client that leaves, in the middle of a plain call and of a stream."""
        upstream = target.parts.upstream
        if upstream is None:
            self.leave(
                "whether a client that leaves ends the call upstream is seen only in the sandbox (target.launch)"
            )
            return
        allowed = min(CANCELLED, (target.settings.limits.timeout or 60) / 2)
        for what, switch in (("a plain call", "hang"), ("a stream", "silent")):
            mark = unique("leaving")
            more: dict[str, Any] = {"stream": True} if switch == "silent" else {}
            reply = await target.chat(f"{mark} [[upstream:{switch}]]", seconds=STAYS, **more)
            asked = upstream.asked_for(mark)
            if not asked or not reply.timed_out:
                self.leave(f"{what} whose client leaves was not provoked: it was answered {reply}")
                continue
            await happens(lambda: asked[0].ended, allowed)  # noqa: B023  waited for in this turn
            seconds = (asked[0].ended or time.monotonic()) - asked[0].began - STAYS
            if asked[0].ended:
                self.clear(
                    reply, f"{what} ended upstream {max(seconds, 0):.1f} s after its client left, allowed {allowed:g}"
                )
            else:
                self.flag(reply, f"{what} goes on upstream {allowed:g} s after its client left")


async def dripping_head(target: Target) -> AsyncIterator[bytes]:
    yield f"POST {target.settings.paths.chat} HTTP/1.1\r\nhost: {target.host}\r\nx-slow: ".encode()
    while True:
        await asyncio.sleep(DRIP)
        yield b"x"


async def dripping_body(target: Target) -> AsyncIterator[bytes]:
    given = {"host": target.host, "content-type": "application/json", **target.client.headers, "content-length": "9999"}
    lines = [f"POST {target.settings.paths.chat} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    yield ("\r\n".join(lines) + '\r\n\r\n{"model": "').encode("latin-1")
    while True:
        await asyncio.sleep(DRIP)
        yield b"x"
