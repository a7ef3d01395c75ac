"""Every probe against its own examples, and against servers that deserve no pass."""

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest

from readiness import checklist, pack
from readiness.model import Evidence, Outcome
from readiness.pack import RuleFile
from readiness.probe import Risk
from readiness.probe.budget import Budget
from readiness.probe.course import MISSING
from readiness.probe.toy import Toy
from tests.probe.harness import PROBES, examined, listening, looked, parts_for, run, served, target
from tests.probe.hostile import QUICK, SLOW

pytestmark = [
    pytest.mark.timeout(1200),  # the first test of all waits until everything was seen
    # nats-py leaves the writer of a server that was killed to the garbage collector.
    pytest.mark.filterwarnings("ignore:.*StreamWriter.__del__:pytest.PytestUnraisableExceptionWarning"),
]
ITEMS = {item.id for item in checklist.load([pack.builtin()])}
NEEDS = {"http", "nats", "upstream", "faults", "process", "logs"}
HOSTILE = QUICK | SLOW
DEADLINE = 120.0
"""Seconds, far beyond any request's 30, in which a probe must let go of a server that never ends."""

AT_ONCE = 8
"""Toys that are served at the same time."""
COUNTING = "live/rate-limit"
"""Judges how many came through while time passed: nothing else may be busy then."""

BURSTING = [rule for rule in PROBES if rule.load().risk == "load"]
# A burst at a server that never answers is only many times the same, and keeps the processor from the others.
# What is asked over NATS alone is not asked of these servers, which speak HTTP.
OVER_HTTP = [rule for rule in PROBES if "nats" not in rule.load().needs or "health" in rule.info.page.lower()]
PAIRS = [(server, rule) for rule in OVER_HTTP for server in HOSTILE if server in QUICK or rule not in BURSTING]

ADVISORY = {rule.info.id for rule in PROBES if rule.load().advisory}

each_probe = pytest.mark.parametrize("rule", PROBES, ids=lambda rule: rule.info.id)


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
    assert f"--risk {rule.load().risk}" in (evidence.left_out or evidence.note or "")
    assert at.budget.made == 0


# ---- what is served and looked at: all of it at the same time, for it mostly waits
ENDED = "the gateway ended with exit code"


@dataclass(frozen=True)
class Seen:
    toys: dict[str, list[Evidence]]
    """By probe: the evidence of its good toys, then of its bad ones."""
    hostile: dict[tuple[str, str], Evidence | Exception]
    """By server and probe; or what the probe crashed with."""


async def at_its_toys(rule: RuleFile, slots: asyncio.Semaphore) -> list[Evidence]:
    probe = rule.load()

    async def one(toy: Toy) -> Evidence:
        async with slots, served(rule, toy) as at:
            found = await examined(rule, at)
        if ENDED not in (found.left_out or ""):
            return found
        async with served(rule, toy) as at:  # what is judged is the probe, not a toy that the crowd has ended
            return await examined(rule, at)

    return await asyncio.gather(*(one(toy) for toy in probe.good + probe.bad))


async def against(server: str, rule: RuleFile) -> Evidence | Exception:
    """A probe with everything it needs at hand, at a server that is wrong in all."""
    toy = Toy(nats="recovers" if "nats" in rule.load().needs else None)
    limits = replace(toy.settings().limits, timeout=1.0, recovery=1.0, client=1.0, shutdown=1.0)
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(parts_for(toy))
        if toy.nats:
            await stack.enter_async_context(toy.serving(parts))
        port = await stack.enter_async_context(listening(HOSTILE[server]))
        # Enough for all that comes at once, and for one request that takes its 30 s.
        budget = Budget(seconds=10.0)
        settings = replace(toy.settings(), limits=limits)
        at = target(f"http://127.0.0.1:{port}", settings, parts=parts, budget=budget)
        try:
            return await asyncio.wait_for(looked(rule, at.as_client(1)), DEADLINE)
        except Exception as problem:  # noqa: BLE001  the test shows it
            return problem


async def look_at_all(rules: Sequence[RuleFile]) -> Seen:
    seen = Seen({}, {})

    async def toys(rule: RuleFile, at_once: asyncio.Semaphore) -> None:
        seen.toys[rule.info.id] = await at_its_toys(rule, at_once)

    async def hostile(server: str, rule: RuleFile) -> None:
        async with slots if server in QUICK else contextlib.nullcontext():
            seen.hostile[server, rule.info.id] = await against(server, rule)

    slots = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as waiting:
        for server, rule in PAIRS:
            if server in SLOW and rule in rules:  # slow servers keep nobody busy
                waiting.create_task(hostile(server, rule))
        await asyncio.gather(*(toys(rule, slots) for rule in rules if rule not in BURSTING))
        for rule in BURSTING:
            if rule in rules:
                await toys(rule, asyncio.Semaphore(1 if rule.info.id == COUNTING else 2))
        await asyncio.gather(*(hostile(server, rule) for server, rule in PAIRS if server in QUICK and rule in rules))
    return seen


@pytest.fixture(scope="module")
def seen(request: pytest.FixtureRequest) -> Seen:
    """All that the selected tests ask for."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    asking = [item for item in items if item.path == request.path]
    wanted = [item.callspec.params["rule"] for item in asking if "seen" in item.fixturenames]
    return run(look_at_all([rule for rule in PROBES if rule in wanted]), 8 * DEADLINE)


@each_probe
def test_a_probe_passes_its_good_toys_and_fails_its_bad_ones(rule: RuleFile, seen: Seen) -> None:
    probe = rule.load()
    toys = probe.good + probe.bad
    wanted = [Outcome.PASS] * len(probe.good) + [Outcome.FAIL] * len(probe.bad)
    wrong = [
        f"{toy}: wanted {outcome}, got {evidence}"
        for toy, outcome, evidence in zip(toys, wanted, seen.toys[rule.info.id], strict=True)
        if said(evidence) is not outcome or (evidence.rule, evidence.item) != (rule.info.id, probe.item)
    ]
    assert not wrong


def said(evidence: Evidence) -> Outcome:
    """The outcome; of what only advises, whether it found something to say or told what it saw."""
    if evidence.rule not in ADVISORY:
        return evidence.outcome
    assert evidence.outcome is Outcome.UNKNOWN
    assert evidence.advisory
    looked = evidence.examined or evidence.left_out
    return Outcome.FAIL if evidence.findings else Outcome.PASS if looked else Outcome.UNKNOWN


@pytest.mark.parametrize(("server", "rule"), PAIRS, ids=lambda each: each if isinstance(each, str) else each.info.id)
def test_no_probe_hangs_crashes_or_passes_at_a_server_that(server: str, rule: RuleFile, seen: Seen) -> None:
    evidence = seen.hostile[server, rule.info.id]
    assert isinstance(evidence, Evidence), repr(evidence)
    assert evidence.outcome in {Outcome.FAIL, Outcome.UNKNOWN}
    assert evidence.failures or evidence.left_out or rule.info.id in ADVISORY
