"""The whole matrix: each part left out fails its own item, and no other but those that are listed with a reason."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import NamedTuple

import pytest

from readiness.gateway import PARTS
from readiness.model import Outcome
from tests.test_matrix import BEHIND, PROBED, SECONDARY, audited_without, failed

AT_ONCE = 3
"""Gateways that are probed at the same time; most of it is waiting."""
ITEMS = sorted(PARTS & {rule.info.item for rule in PROBED})
NOTHING = [f"nothing {number}" for number in range(3)]


class Seen(NamedTuple):
    """What all probes said of one gateway."""

    failing: dict[str, str]
    outcomes: dict[str, Outcome]


def seen(what: str) -> Seen:
    report = audited_without(what.partition(" ")[0], PROBED)
    return Seen(failed(report), {each.rule: each.outcome for each in report.evidence})


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Seen]]]:
    """What the selected tests ask for, begun in their order."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function) and item.path == request.path]
    wanted = [str(item.callspec.params["item"]) for item in items if hasattr(item, "callspec")]
    wanted += NOTHING if len(wanted) < len(items) else []
    with ProcessPoolExecutor(AT_ONCE, multiprocessing.get_context("spawn")) as pool:
        yield {what: pool.submit(seen, what) for what in wanted}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("item", ITEMS)
def test_a_part_left_out_fails_its_own_item_alone(item: str, runs: dict[str, Future[Seen]]) -> None:
    failing = runs[item].result().failing
    assert item in failing
    others = {name: why for name, why in failing.items() if name not in {item, BEHIND.get(item)}}
    assert set(others) == set(SECONDARY.get(item, {})), others


def test_three_runs_with_nothing_left_out_are_alike(runs: dict[str, Future[Seen]]) -> None:
    first, *others = [runs[what].result() for what in NOTHING]
    assert not first.failing
    assert [each.outcomes for each in others] == [first.outcomes] * len(others)
