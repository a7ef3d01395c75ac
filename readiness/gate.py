"""From a report to an exit code."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from readiness.model import Report, Tier


class FailOn(StrEnum):
    """Which tiers decide."""

    MUST = "must"
    SHOULD = "should"
    NICE = "nice"
    NONE = "none"

    @property
    def tiers(self) -> frozenset[Tier]:
        """Must and test items always decide; with NONE they decide the verdict, not the exit code."""
        from readiness.model import Tier  # help and shell completion need no values of ours

        wider = {FailOn.SHOULD: {Tier.SHOULD}, FailOn.NICE: {Tier.SHOULD, Tier.NICE}}
        return frozenset({Tier.MUST, Tier.TEST} | wider.get(self, set()))


def exit_code(report: Report, fail_on: FailOn, *, one_sided: bool) -> int:
    """0 ready, 1 not ready.

    A scan or a probe alone shows one side, so what it leaves unknown does not count against it.
    """
    if fail_on is FailOn.NONE:
        return 0
    if report.failing or report.lapsed:
        return 1
    return 0 if one_sided else int(not report.ready)
