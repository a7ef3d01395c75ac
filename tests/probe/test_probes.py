"""Every probe against its own examples, and against servers that deserve no pass."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from readiness import checklist, pack
from readiness.model import Evidence, Outcome
from readiness.pack import RuleFile
from readiness.probe import MISSING, Risk
from readiness.probe.target import Budget
from readiness.probe.toy import Toy
from tests.probe.harness import PROBES, examined, listening, looked, parts_for, run, serving, target
from tests.probe.hostile import QUICK, SLOW

ITEMS = {item.id for item in checklist.load([pack.builtin()])}
NEEDS = {"http", "nats", "upstream", "faults", "process", "logs"}
HOSTILE = QUICK | SLOW
DEADLINE = 120.0
"""Seconds, far beyond any request's 30, in which a probe must let go of a server that never ends."""

each_probe = pytest.mark.parametrize("rule", PROBES, ids=lambda rule: rule.info.id)


@each_probe
def test_a_probe_passes_its_good_toys_and_fails_its_bad_ones(rule: RuleFile) -> None:
    probe = rule.load()
    # What sends bursts would slow its neighbours down and be told by their figures: one at a time.
    slots = 1 if probe.risk == "load" else len(probe.good + probe.bad)

    async def all_of_them() -> list[Evidence]:
        free = asyncio.Semaphore(slots)

        async def one(toy: Toy) -> Evidence:
            async with free, serving(toy) as at:
                return await examined(rule, at)

        return await asyncio.gather(*(one(toy) for toy in probe.good + probe.bad))

    seen = run(all_of_them(), 150)
    wanted = [Outcome.PASS] * len(probe.good) + [Outcome.FAIL] * len(probe.bad)
    wrong = [
        f"{toy}: wanted {outcome}, got {evidence}"
        for toy, outcome, evidence in zip(probe.good + probe.bad, wanted, seen, strict=True)
        if evidence.outcome is not outcome or (evidence.rule, evidence.item) != (rule.info.id, probe.item)
    ]
    assert not wrong


@each_probe
def test_a_probe_says_what_it_feeds_what_it_risks_and_what_it_needs(rule: RuleFile) -> None:
    probe = rule.load()
    assert probe.item in ITEMS
    assert rule.info.title
    assert rule.info.page
    assert probe.risk.upper() in Risk.__members__
    assert probe.needs <= NEEDS
    assert len(probe.good) >= 1
    assert len(probe.bad) >= 2
    assert len({*probe.good, *probe.bad}) == len(probe.good + probe.bad)


@pytest.mark.parametrize(
    "rule", [rule for rule in PROBES if rule.load().needs - {"http"}], ids=lambda rule: rule.info.id
)
def test_a_probe_without_what_it_needs_knows_nothing_and_says_why(rule: RuleFile) -> None:
    at = target("http://127.0.0.1:9")
    evidence = run(examined(rule, at))
    assert evidence.outcome is Outcome.UNKNOWN
    assert evidence.left_out in MISSING.values()
    assert at.budget.made == 0


@pytest.mark.parametrize("rule", [rule for rule in PROBES if rule.load().risk != "read"], ids=lambda rule: rule.info.id)
def test_a_probe_beyond_the_allowed_risk_sends_nothing_and_names_the_flag(rule: RuleFile) -> None:
    at = target("http://127.0.0.1:9")
    evidence = run(examined(rule, at, Risk.READ))
    assert evidence.outcome is Outcome.UNKNOWN
    assert f"--risk {rule.load().risk}" in (evidence.left_out or "")
    assert at.budget.made == 0


# ---- servers that deserve no pass


async def against(server: str, rule: RuleFile) -> Evidence | BaseException:
    """A probe with everything it needs at hand, at a server that is wrong in all; or what it crashed with."""
    toy = Toy(nats="recovers" if "nats" in rule.load().needs else None)
    limits = replace(toy.settings().limits, timeout=1.0, recovery=1.0)
    async with parts_for(toy) as parts, toy.serving(parts), listening(HOSTILE[server]) as port:
        # One request may take its 30 s; a second of that kind is more than the test wants to wait for.
        budget = Budget(seconds=20.0)
        settings = replace(toy.settings(), limits=limits)
        at = target(f"http://127.0.0.1:{port}", settings, parts=parts, budget=budget)
        try:
            return await asyncio.wait_for(looked(rule, at.as_client(1)), DEADLINE)
        except Exception as problem:  # noqa: BLE001  the test shows it
            return problem


@pytest.fixture(scope="module")
def seen() -> Mapping[tuple[str, str], Evidence | BaseException]:
    """All probes at all hostile servers, at the same time: they mostly wait."""
    pairs = [(server, rule) for server in HOSTILE for rule in PROBES]

    async def everywhere() -> list[Evidence | BaseException]:
        return await asyncio.gather(*(against(*pair) for pair in pairs))

    found = run(everywhere(), 2 * DEADLINE)
    return {(server, rule.info.id): each for (server, rule), each in zip(pairs, found, strict=True)}


@pytest.mark.parametrize("server", HOSTILE)
@each_probe
def test_no_probe_hangs_crashes_or_passes_at_a_server_that(
    server: str, rule: RuleFile, seen: Mapping[tuple[str, str], Evidence | BaseException]
) -> None:
    evidence = seen[server, rule.info.id]
    assert isinstance(evidence, Evidence), repr(evidence)
    assert evidence.outcome in {Outcome.FAIL, Outcome.UNKNOWN}
    assert evidence.failures or evidence.left_out
