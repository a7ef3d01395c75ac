"""What a reader judged of whole services before the rules were run names rules that exist, and each judgement once."""

from collections import Counter
from pathlib import Path

import pytest

from tests.precision import recall
from tests.scan.harness import RULES

KNOWN = {rule.info.id.partition("/")[2] for rule in RULES}

each_set = pytest.mark.parametrize("of", recall.SETS, ids=lambda of: of.name)


@each_set
def test_each_judgement_says_of_which_service_and_rule_it_is(of: Path) -> None:
    for each in recall.services(of):
        assert each["rule"] in KNOWN
        assert each["version"]
        assert each["by_hand"] in recall.BY_HAND
        assert each["said"] in recall.SAID


@each_set
def test_each_judgement_stands_once(of: Path) -> None:
    judged = [(each["package"], each["rule"]) for each in recall.services(of)]
    assert len(set(judged)) == len(judged)


def test_a_green_lie_is_counted_as_one() -> None:
    judged = [{"by_hand": "missing", "said": "pass"}, {"by_hand": "missing", "said": "fail"}]
    assert recall.said_of("missing", judged) == "| missing | 2 | 1 | 1 | 0 |"


def test_every_file_of_labels_belongs_to_a_set() -> None:
    assert {each.parent for each in recall.UNSEEN.rglob("*.toml")} == set(recall.SETS)


def test_no_package_is_in_two_sets() -> None:
    packages = [{package.split(" ")[0] for package, _, _ in recall.labels(of)} for of in recall.SETS]
    assert not set.intersection(*packages)


def test_the_catalogue_has_tables_for_each_set() -> None:
    listed = recall.markdown()
    for of, worth in recall.SETS.items():
        assert worth in listed
        assert recall.row("all", sum(recall.counts(of).values(), Counter())) in listed
