"""What the evidence says of each item, and the one object that every renderer shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from readiness.model.evidence import (
    Evidence,
    Finding,
    Handler,
    Item,
    Kind,
    Location,
    Measurement,
    Outcome,
    RuleInfo,
    Skipped,
    Tier,
)


class Sides(StrEnum):
    """Who proved a verdict."""

    NONE = "none"
    STATIC = "static"
    LIVE = "live"
    BOTH = "both"
    CONTRADICTION = "contradiction"


class Lapsed(NamedTuple):
    """Something accepted that no longer holds: a waiver past its day, a baseline entry that nothing matches."""

    what: str
    why: str
    """And what to do about it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one item, and from where."""

    item: Item
    outcome: Outcome
    reason: str
    evidence: tuple[Evidence, ...] = ()

    @property
    def sides(self) -> Sides:
        known = {
            kind: {each.outcome for each in self.evidence if each.kind is kind} & {Outcome.PASS, Outcome.FAIL}
            for kind in Kind
        }
        proven = [kind for kind in Kind if known[kind]]
        if not proven:
            return Sides.NONE
        if len(proven) == 1:
            return Sides(proven[0].value)
        failed = [Outcome.FAIL in known[kind] for kind in proven]
        return Sides.BOTH if failed[0] == failed[1] else Sides.CONTRADICTION


@dataclass(frozen=True, slots=True)
class Report:
    """The one object that every renderer shows."""

    subject: Mapping[Kind, str]
    verdicts: tuple[Verdict, ...]
    unjudged: tuple[Evidence, ...] = ()
    """Evidence that feeds no item: listed, never judged."""
    skipped: tuple[Skipped, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    rules: tuple[RuleInfo, ...] = ()
    version: str = ""
    started: str = ""
    """ISO 8601 with the offset from UTC."""
    deciding: frozenset[Tier] = field(default=frozenset({Tier.MUST, Tier.TEST}))
    """The tiers that decide; must and test, unless widened."""
    compared: str = ""
    """What tells old findings from new ones: a baseline file, or a revision."""
    lapsed: tuple[Lapsed, ...] = ()
    handlers: tuple[Handler, ...] = ()
    declared: Location | None = None
    """Where the settings name the target."""
    within: str = ""
    """The path of the project from the root of its repository: code hosts count from there."""
    content: str = ""
    stopped: str = ""
    """What ended a run before all was looked at: such a report is never ready."""

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return tuple(each for verdict in self.verdicts for each in verdict.evidence) + self.unjudged

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for each in self.evidence for finding in each.findings)

    @property
    def failing(self) -> tuple[Verdict, ...]:
        """Deciding items that are known to be wrong, or whose rule broke."""
        bad = {Outcome.FAIL, Outcome.ERROR}
        return tuple(each for each in self.verdicts if each.item.tier in self.deciding and each.outcome in bad)

    @property
    def undecided(self) -> tuple[Verdict, ...]:
        """Deciding items of which nothing is known. A test that was not run decides nothing."""
        tiers = self.deciding - {Tier.TEST}
        return tuple(each for each in self.verdicts if each.item.tier in tiers and each.outcome is Outcome.UNKNOWN)

    @property
    def ready(self) -> bool:
        known = bool(self.verdicts) and not self.stopped
        return known and not self.failing and not self.undecided and not self.lapsed
