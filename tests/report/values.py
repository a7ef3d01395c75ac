"""Values to judge and to report: short makers of single ones, and strategies for any."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from readiness.checklist import evaluate
from readiness.identity import identify
from readiness.model import (
    Evidence,
    Exchange,
    Finding,
    Item,
    Kind,
    Location,
    Measurement,
    Report,
    RuleInfo,
    Run,
    Skipped,
    Tier,
)
from readiness.settings import Settings, Waiver

TODAY = datetime.date(2026, 11, 1)
REASON = "agreed with the owners"
ACCEPTED = "our own files, checked at start"
SETTINGS = Settings(root=Path("/nowhere"), base=Path("/nowhere"), today=TODAY)

laws = hypothesis_settings(
    max_examples=60,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""For properties: no clock decides whether one holds."""

ITEMS = (
    Item("first", "The first thing", Tier.MUST, "Must fix before production", "Why.", "Fix.", (20,)),
    Item("second", "The second thing", Tier.SHOULD, "Should fix", "Why not.", "Mend.", (400,)),
    Item("third", "The third thing", Tier.TEST, "Testing", "Because.", "Test.", (74,)),
)
RULES = tuple(
    RuleInfo(f"{folder}/{item.id}", item.id, kind, f"Fault of {item.id}", "The page.", "")
    for item in ITEMS
    for folder, kind in (("python", Kind.STATIC), ("live", Kind.LIVE))
)


def settings(waived_until: datetime.date | None = None, *, applies: bool = True) -> Settings:
    """Settings that may waive the first item, or declare that it does not apply."""
    waive = {"first": Waiver(REASON, waived_until)} if waived_until else {}
    declared = {} if applies else {"first": REASON}
    return Settings(root=Path("/nowhere"), base=Path("/nowhere"), waive=waive, not_applicable=declared, today=TODAY)


def place(path: str = "app/main.py", line: int = 3, code: str = "json.loads(body)") -> Location:
    return Location(path, line, 5, line, 21, code)


def finding(message: str = "parsed outside try", where: Location | Exchange | None = None, **given: Any) -> Finding:
    return Finding("0123456789ab", given.pop("rule", "python/first"), message, where or place(), **given)


def evidence(rule: str = "python/first", *findings: Finding, **given: Any) -> Evidence:
    """What a rule learnt; its item and side follow from its id."""
    folder, _, item = rule.partition("/")
    kind = Kind.LIVE if folder == "live" else Kind.STATIC
    return Evidence(rule, given.pop("item", item), kind, findings=tuple(findings), **given)


def passed(rule: str = "python/first") -> Evidence:
    return evidence(rule, examined=3)


def failed(rule: str = "python/first") -> Evidence:
    return evidence(rule, finding(rule=rule), examined=3)


def silenced(rule: str = "python/first", *, others: int = 0) -> Evidence:
    """One failure that a comment silences, beside so many places that are right."""
    return evidence(rule, finding(rule=rule, ignored=ACCEPTED), examined=others + 1)


def left_out(rule: str = "live/first", why: str = "no target was probed") -> Evidence:
    return evidence(rule, left_out=why)


def broken(rule: str = "python/first") -> Evidence:
    return evidence(rule, error="KeyError: 'x'")


def no_place(rule: str = "python/first") -> Evidence:
    return evidence(rule)


def report(*runs: Run, **given: Any) -> Report:
    """The runs judged together, as `audit.assemble` does it, with a checklist of three items."""
    told = [each for run in runs for each in run.evidence]
    verdicts, unjudged = evaluate(ITEMS, told, given.pop("rules", RULES), given.pop("settings", SETTINGS))
    return Report(
        subject={run.kind: run.subject for run in runs},
        verdicts=verdicts,
        unjudged=unjudged,
        skipped=tuple(each for run in runs for each in run.skipped),
        measurements=tuple(each for run in runs for each in run.measurements),
        version="1.2.3",
        started="2026-11-01T12:00:00+00:00",
        **given,
    )


def static(*told: Evidence, skipped: tuple[Skipped, ...] = ()) -> Run:
    return Run(Kind.STATIC, "src", told, skipped)


def live(*told: Evidence, measurements: tuple[Measurement, ...] = ()) -> Run:
    return Run(Kind.LIVE, "http://127.0.0.1:8080", told, measurements=measurements)


def judged(told: Sequence[Evidence], **given: Any) -> Report:
    """One scan and one probe run that brought this evidence, judged together."""
    sides = {kind: [each for each in told if each.kind is kind] for kind in Kind}
    return report(static(*sides[Kind.STATIC]), live(*sides[Kind.LIVE]), **given)


MIXED = report(
    static(
        evidence(
            "python/first",
            finding(),
            finding("also", place("app/other.py", 88)),
            finding("hushed", place("app/old.py", 5), ignored=ACCEPTED),
            examined=4,
        ),
        evidence("python/second", finding("look", place("b.py", 9), rule="python/second", advisory=True)),
        evidence("bandit/B307", finding("eval", place("c.py", 10), rule="bandit/B307", advisory=True), item=""),
        skipped=(Skipped("blind.py", "cannot be parsed", blind=True), Skipped("tests", "test code")),
    ),
    live(
        evidence("live/first", finding("500", Exchange("POST /v1/chat", 500, "oops", 0.2), rule="live/first")),
        left_out("live/second", "needs the process"),
        broken("live/third"),
        measurements=(Measurement("Load", "ms", ({"model": "a", "p95": 12.5},)),),
    ),
)
"""A report in which every section has something to say."""
READY = report(static(passed()), live(*(passed(f"live/{item.id}") for item in ITEMS)), rules=[])
"""One of which nothing is wrong or unknown."""


def crowded(findings: int, **given: Any) -> Report:
    """A report with so many findings of one rule."""
    many = [finding(f"number {each}", place(line=each + 1), **given) for each in range(findings)]
    return report(static(evidence("python/first", *many)))


# ---- any

words = st.text(max_size=30)
"""Any text, control characters, markup and lone surrogates included."""
hostile = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x1b\x07\r\n\t\x00\x9b\u2028\u202e\u2066\u200b\ud800\udcff<>&`*_[]()#!|~\\:@/. "),
    ),
    max_size=60,
)
numbers = st.integers(0, 10_000)
locations = st.builds(Location, words, numbers, numbers, numbers, numbers, words)
exchanges = st.builds(
    Exchange, words, st.none() | st.integers(100, 599), words, st.floats(0, 1e6, allow_nan=False, allow_infinity=False)
)


reasons = st.just("") | words
"""Why a comment silences a finding; mostly none does."""


def findings(rule: str, kind: Kind) -> st.SearchStrategy[Finding]:
    where = locations if kind is Kind.STATIC else exchanges
    return st.builds(
        Finding,
        st.text("0123456789abcdef", min_size=12, max_size=12),
        st.just(rule),
        words,
        where,
        advisory=st.booleans(),
        ignored=reasons if kind is Kind.STATIC else st.just(""),
        diff=st.just("") | hostile.map("+{}\n".format) if kind is Kind.STATIC else st.just(""),
    )


def told_by(rule: RuleInfo) -> st.SearchStrategy[Evidence]:
    """Anything that a rule may bring back."""
    reasons = st.none() | st.text(min_size=1, max_size=20)
    found = st.lists(findings(rule.id, rule.kind), max_size=3).map(identify)
    return st.builds(
        Evidence, st.just(rule.id), st.just(rule.item), st.just(rule.kind), numbers, found, reasons, reasons, reasons
    )


one_each = st.tuples(*(st.none() | told_by(rule) for rule in RULES)).map(
    lambda told: [each for each in told if each is not None]
)
"""Evidence of which no two are of one rule, as a single run has it."""
repeated = st.lists(st.sampled_from(RULES).flatmap(told_by), max_size=6)
"""Evidence of joined runs: a rule may speak several times."""
any_settings = st.builds(
    settings,
    st.none() | st.sampled_from([TODAY, TODAY - datetime.timedelta(1), TODAY + datetime.timedelta(400)]),
    applies=st.booleans(),
)
