"""From a report to an exit code."""

import pytest

from readiness.gate import FailOn, exit_code
from readiness.model import Evidence, Tier
from tests.report.values import broken, evidence, failed, finding, judged, passed

READY = [passed(), passed("live/first")]


@pytest.mark.parametrize(
    ("told", "fail_on", "alone", "together"),
    [
        (READY, FailOn.MUST, 0, 0),
        ([failed(), passed("live/first")], FailOn.MUST, 1, 1),
        ([broken(), passed("live/first")], FailOn.MUST, 1, 1),
        ([passed()], FailOn.MUST, 0, 1),
        ([], FailOn.MUST, 0, 1),
        ([*READY, failed("python/second")], FailOn.MUST, 0, 0),
        ([*READY, failed("python/second")], FailOn.SHOULD, 1, 1),
        ([*READY, failed("python/second")], FailOn.NICE, 1, 1),
        (READY, FailOn.SHOULD, 0, 1),
        ([*READY, failed("live/third")], FailOn.MUST, 1, 1),
        ([*READY, evidence("python/third", finding(advisory=True))], FailOn.NICE, 0, 1),
        ([failed(), failed("live/first"), failed("live/third")], FailOn.NONE, 0, 0),
        ([], FailOn.NONE, 0, 0),
    ],
)
def test_the_exit_code(told: list[Evidence], fail_on: FailOn, alone: int, together: int) -> None:
    made = judged(told, deciding=fail_on.tiers)
    assert exit_code(made, fail_on, one_sided=True) == alone
    assert exit_code(made, fail_on, one_sided=False) == together


@pytest.mark.parametrize(
    ("fail_on", "tiers"),
    [
        (FailOn.MUST, {Tier.MUST, Tier.TEST}),
        (FailOn.SHOULD, {Tier.MUST, Tier.TEST, Tier.SHOULD}),
        (FailOn.NICE, {Tier.MUST, Tier.TEST, Tier.SHOULD, Tier.NICE}),
        (FailOn.NONE, {Tier.MUST, Tier.TEST}),
    ],
)
def test_the_tiers_that_decide(fail_on: FailOn, tiers: set[Tier]) -> None:
    assert fail_on.tiers == tiers
