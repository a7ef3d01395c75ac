"""The whole matrix: each part left out fails its own item, and no other but those that are listed with a reason."""

import pytest

from readiness.gateway import PARTS
from tests.test_matrix import BEHIND, PROBED, SECONDARY, audited_without, failed


@pytest.mark.parametrize("item", sorted(PARTS & {rule.info.item for rule in PROBED}))
def test_a_part_left_out_fails_its_own_item_alone(item: str) -> None:
    failing = failed(audited_without(item, PROBED))
    assert item in failing
    others = {name: why for name, why in failing.items() if name not in {item, BEHIND.get(item)}}
    assert set(others) == set(SECONDARY.get(item, {})), others


def test_three_runs_with_nothing_left_out_are_alike() -> None:
    runs = [audited_without("nothing", PROBED) for _ in range(3)]
    outcomes = [{each.rule: each.outcome for each in report.evidence} for report in runs]
    assert outcomes[0] == outcomes[1] == outcomes[2]
