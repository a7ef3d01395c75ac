"""Requests that come at once fail, wait for each other, or get each other's answers.

Races show only when requests come at the same time: state that two of them share, a lock round a call to the upstream, an
answer that goes to the wrong client.
"""

import asyncio

from readiness.probe import Probe, Reply, Target, toy, unique

BURST = 100
"""Requests at once."""
CLIENTS = 5
"""Addresses they come from, where clients are told apart by address."""
PATIENCE = 30.0
"""Seconds within which each must be answered; twice target.limits.timeout, and 10 at least, where that is declared."""
ENOUGH = 10
"""Requests that must be admitted for a verdict."""


class Rule(Probe):
    item = "burst-stable"
    needs = {"http", "upstream"}
    risk = "load"
    stains = True
    requests = 170
    asks = {"chat": 100}
    good = [toy.Toy(timeout=10.0)]
    bad = [
        toy.Toy(timeout=10.0, burst="mixes"),
        toy.Toy(timeout=10.0, burst="breaks"),
        toy.Toy(timeout=100.0, burst="one-by-one"),
    ]

    async def look(self, target: Target) -> None:
        mark = unique("burst")
        texts = [f"{mark} number {number}, please [[upstream:echo]]" for number in range(BURST)]

        timeout = target.settings.limits.timeout
        patience = max(2 * timeout, 10.0) if timeout else PATIENCE

        async def one(number: int) -> Reply:
            return await target.as_client(9200 + number % CLIENTS).chat(texts[number], seconds=patience)

        replies = await asyncio.gather(*(one(number) for number in range(BURST)))
        asked = len(target.parts.upstream.asked_for(mark)) if target.parts.upstream is not None else 0
        served = [(reply, text) for reply, text in zip(replies, texts, strict=True) if reply.ok]
        failed = [reply for reply in replies if not reply.ok and reply.status not in {429, 503}]
        most = target.parts.upstream.most_at_once(mark) if target.parts.upstream is not None else 0
        if most == 1 and asked > 2:
            self.flag(
                replies[0], f"{asked} calls went to the upstream one after the other: requests wait for each other"
            )
            return
        if asked < ENOUGH:
            self.leave(
                f"of {BURST} requests at once {asked} reached the upstream: too few to judge, first {replies[0]}"
            )
            return
        if failed:
            self.flag(failed[0], f"{len(failed)} of {BURST} requests at once failed, first with {failed[0]}")
        else:
            self.clear(
                replies[0], f"{len(served)} of {BURST} requests at once were served, the others refused explicitly"
            )
        mixed = [reply for reply, text in served if text not in content(reply)]
        if mixed:
            self.flag(mixed[0], f"{len(mixed)} of {len(served)} answers belong to another request")
        elif served:
            self.clear(served[0][0])
        self.clear(replies[0], f"up to {most} calls were open upstream at the same time")


def content(reply: Reply) -> str:
    """What the assistant said."""
    body = reply.json()
    try:
        return str(body["choices"][0]["message"]["content"])
    except (KeyError, IndexError, TypeError):
        return ""
