"""What a reader judged before the rules were run names rules that exist, and each judgement once."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.precision.table import PLACE
from tests.scan.harness import RULES

KNOWN = {rule.info.id.partition("/")[2] for rule in RULES}
JUDGED: dict[str, list[dict[str, Any]]] = tomllib.loads(
    (Path(__file__).parent / "precision" / "recall" / "nats_and_services.toml").read_text("utf-8")
)
ASKED = {"defect": "found", "trap": "flagged"}


@pytest.mark.parametrize("kind", JUDGED)
def test_each_judgement_says_of_which_package_and_rule_it_is(kind: str) -> None:
    for each in JUDGED[kind]:
        assert each["rule"] in KNOWN
        assert each["version"]
        if kind == "service":
            assert each["by_hand"] in {"missing", "present", "none"}
            assert each["said"] in {"fail", "pass", "unknown"}
        else:
            assert PLACE.fullmatch(each["place"])
            assert each[ASKED[kind]] in {True, False}
            assert each["why"]


def test_each_judgement_stands_once() -> None:
    places = [(each["package"], each["place"], each["rule"]) for kind in JUDGED for each in JUDGED[kind]]
    assert len(set(places)) == len(places)
