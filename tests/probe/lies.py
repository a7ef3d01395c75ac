"""Find liars: each through the sandbox, by the probes of the item that it must fail."""

import asyncio
from collections.abc import Iterable

from readiness import checklist, pack, probe
from readiness.model import Outcome
from readiness.probe import Risk
from readiness.settings import Settings
from tests.probe.harness import PROBES, sandboxed
from tests.probe.liars import LIARS, Liar

AT_ONCE = 4
"""Liars that run at the same time; most of what they do is wait."""
ITEMS = {item.id: item for item in checklist.load([pack.builtin()])}


async def verdict(liar: Liar, settings: Settings) -> tuple[Outcome, str]:
    rules = [rule for rule in PROBES if rule.info.item == liar.item]
    async with sandboxed(liar.toy) as target:
        run = await probe.run(target, rules, Risk.DISRUPT, "a liar")
    judged = checklist.judge(ITEMS[liar.item], run.evidence, settings)
    return judged.outcome, judged.reason


async def verdicts(names: Iterable[str], settings: Settings) -> dict[str, tuple[Outcome, str]]:
    """What is said of each."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> tuple[str, tuple[Outcome, str]]:
        async with slots:
            return name, await verdict(LIARS[name], settings)

    return dict(await asyncio.gather(*map(one, names)))
