"""The counted precision is of rules that exist, and each finding is named."""

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from readiness.pack import builtin
from tests.precision import recall
from tests.precision.table import ENOUGH, PLACE, Count, Package, counts, markdown
from tests.scan.harness import RULES

COUNTS = counts()
BANDIT = tomllib.loads((builtin() / "bandit.toml").read_text("utf-8"))
KNOWN = {rule.info.id.partition("/")[2] for rule in RULES}
OF_BANDIT = re.compile(r"bandit/B\d{3}")
"""A test of bandit. Those that were counted and are too often wrong to feed an item are kept, to show why."""
ENOUGH_RIGHT = 0.85
"""Share of its findings that must be right before a test of bandit may fail an item."""

each_count = pytest.mark.parametrize("count", COUNTS, ids=lambda count: count.rule)


@each_count
def test_what_was_counted_is_a_rule(count: Count) -> None:
    assert count.rule in KNOWN or OF_BANDIT.fullmatch(count.rule)


@each_count
def test_every_finding_is_named_once_and_what_is_wrong_says_why(count: Count) -> None:
    for package in count.packages:
        assert package.version
        judged = [PLACE.fullmatch(each) for each in (*package.right, *package.wrong)]
        assert all(judged), [each for each in (*package.right, *package.wrong) if not PLACE.fullmatch(each)]
        assert all((match := PLACE.fullmatch(each)) and match[3] for each in package.wrong)


@each_count
def test_there_are_enough_findings_or_a_reason_why_not(count: Count) -> None:
    assert count.judged >= ENOUGH or count.few


def may_decide(count: Count) -> bool:
    """Whether a test of bandit was right often enough, on enough findings, to fail an item."""
    return count.judged >= ENOUGH and count.share >= ENOUGH_RIGHT


@pytest.mark.parametrize("test", BANDIT)
def test_a_test_of_bandit_that_feeds_an_item_was_counted_and_decides_only_where_it_was_right(test: str) -> None:
    (count,) = [each for each in COUNTS if each.rule == f"bandit/{test}"]
    assert may_decide(count) or not BANDIT[test]["decides"]


@pytest.mark.parametrize(
    ("right", "wrong", "enough"), [(26, 4, True), (25, 5, False), (29, 0, False), (0, 0, False), (85, 15, True)]
)
def test_what_is_enough(right: int, wrong: int, *, enough: bool) -> None:
    places = tuple(f"a.py:{line}" for line in range(right + wrong))
    assert may_decide(Count("bandit/B501", (Package("a", "1", places[:right], places[right:]),))) is enough


def test_a_test_of_bandit_is_listed_as_bandit_and_its_test() -> None:
    listed = {line.split("|")[1].strip() for line in markdown().splitlines() if line.startswith("| `")}
    assert {f"`bandit/{test}`" for test in BANDIT} <= listed


@pytest.mark.parametrize("of", recall.SETS, ids=lambda of: of.name)
def test_every_label_of_unseen_code_names_a_rule_and_a_place_once_and_says_why(of: Path) -> None:
    labels = recall.labels(of)
    matched = [recall.LABEL.fullmatch(label) for _, _, label in labels]
    assert all(matched), [label for _, _, label in labels if not recall.LABEL.fullmatch(label)]
    assert {each[1] for each in matched if each} <= KNOWN
    assert {kind for _, kind, _ in labels} <= set(recall.LISTS)
    places = [(package, label.partition("  ")[0]) for package, _, label in labels]
    assert len(places) == len(set(places))


def test_recall_counts_what_the_first_scan_found_and_nothing_that_was_mended_after() -> None:
    count = Counter(found=3, missed=2, mended=5, sound=4, alarms=1, arguable=9)
    assert recall.row("all", count) == "| all | 3 of 10 | 30% | 1 | 5 | 5 |"
