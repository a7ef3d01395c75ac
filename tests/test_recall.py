"""What a reader judged of whole services before the rules were run names rules that exist, and each judgement once."""

from tests.precision import recall
from tests.scan.harness import RULES

KNOWN = {rule.info.id.partition("/")[2] for rule in RULES}


def test_each_judgement_says_of_which_service_and_rule_it_is() -> None:
    for each in recall.services():
        assert each["rule"] in KNOWN
        assert each["version"]
        assert each["by_hand"] in recall.BY_HAND
        assert each["said"] in recall.SAID


def test_each_judgement_stands_once() -> None:
    judged = [(each["package"], each["rule"]) for each in recall.services()]
    assert len(set(judged)) == len(judged)


def test_a_green_lie_is_counted_as_one() -> None:
    judged = [{"by_hand": "missing", "said": "pass"}, {"by_hand": "missing", "said": "fail"}]
    assert recall.said_of("missing", judged) == "| missing | 2 | 1 | 1 | 0 |"
