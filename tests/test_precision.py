"""The counted precision is of rules that exist, and each finding is named."""

import tomllib

import pytest

from readiness.pack import builtin
from tests.precision.table import ENOUGH, PLACE, Count, counts
from tests.scan.harness import RULES

COUNTS = counts()
BANDIT = tomllib.loads((builtin() / "bandit.toml").read_text("utf-8"))
KNOWN = {rule.info.id.partition("/")[2] for rule in RULES} | {f"bandit-{test}" for test in BANDIT}
ENOUGH_RIGHT = 0.85
"""Share of its findings that must be right before a test of bandit may fail an item."""

each_count = pytest.mark.parametrize("count", COUNTS, ids=lambda count: count.rule)


@each_count
def test_what_was_counted_is_a_rule(count: Count) -> None:
    assert count.rule in KNOWN


@each_count
def test_every_finding_is_named_once_and_what_is_wrong_says_why(count: Count) -> None:
    for package in count.packages:
        assert package.version
        judged = [PLACE.fullmatch(each) for each in (*package.right, *package.wrong)]
        assert all(judged), [each for each in (*package.right, *package.wrong) if not PLACE.fullmatch(each)]
        assert all((match := PLACE.fullmatch(each)) and match[3] for each in package.wrong)


@each_count
def test_there_are_enough_findings_or_a_reason_why_not(count: Count) -> None:
    assert count.right + count.wrong >= ENOUGH or count.few


@pytest.mark.parametrize("test", BANDIT)
def test_a_test_of_bandit_fails_an_item_only_where_it_was_counted_right(test: str) -> None:
    count = next((each for each in COUNTS if each.rule == f"bandit-{test}"), None)
    counted = count is not None and count.right + count.wrong >= ENOUGH
    right = count is not None and counted and count.right / (count.right + count.wrong) >= ENOUGH_RIGHT
    assert right or not BANDIT[test]["decides"]
