"""The sharpest test of probes, checklist and gateway together: each part left out fails its own item.

Here each part is looked at by its own item's probes; that it fails no other is looked at by `make soak`.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from readiness import audit, settings
from readiness.gateway import PARTS
from readiness.model import Kind, Outcome, Report, Tier
from readiness.pack import RuleFile
from tests.probe.liars import LIARS

ROOT = Path(__file__).parents[1]
SERVE = Path(__file__).with_name("gateway_without.py")
KNOWN = audit.knowledge(settings.load(ROOT))
PROBED = [rule for rule in KNOWN.rules if rule.info.kind is Kind.LIVE]
ADVISORY = {rule.info.id for rule in PROBED if rule.load().advisory}
SECONDARY = {
    "json-guarded": {
        "schema-validation": "NaN, names that come twice and 5000 levels are refused where a body is parsed",
    },
}
"""Part left out -> another item that fails with it, and why. At most one each."""
BEHIND = {"backpressure": "rate-limited"}
"""Part left out -> the part before it that must be out too: a flood of one client ends at the rate limit."""


def audited_without(item: str, rules: Sequence[RuleFile]) -> Report:
    chosen = settings.load(ROOT)
    without = ",".join([item, *filter(None, [BEHIND.get(item)])])
    words = [sys.executable, str(SERVE), without, "{port}", "{work}/gateway.toml"]
    chosen = replace(chosen, target=replace(chosen.target, launch=shlex.join(words)))
    known = replace(KNOWN, rules=tuple(rules))
    run = audit.probe(chosen, known, None, lambda what, done, total: None)
    return audit.assemble([run], chosen, known, frozenset(Tier))


def failed(report: Report) -> dict[str, str]:
    return {each.item.id: str(each.evidence) for each in report.verdicts if each.outcome is Outcome.FAIL}


@pytest.mark.timeout(600)
def test_with_nothing_left_out_every_probe_passes() -> None:
    report = audited_without("nothing", PROBED)
    seen = {each.rule: each for each in report.evidence if each.kind is Kind.LIVE}
    assert len(seen) == len(PROBED)
    assert [each for each in seen.values() if each.findings or each.error] == []
    assert [each for each in seen.values() if each.left_out and not each.advisory] == []
    assert {rule for rule, each in seen.items() if each.outcome is not Outcome.PASS} == ADVISORY


@pytest.mark.timeout(600)
@pytest.mark.parametrize("item", sorted(PARTS & {rule.info.item for rule in PROBED}))
def test_a_part_left_out_fails_its_own_item(item: str) -> None:
    assert item in failed(audited_without(item, [rule for rule in PROBED if rule.info.item == item]))


def test_every_probed_item_is_proven_by_a_part_that_is_left_out_or_by_a_liar() -> None:
    proven = PARTS | {liar.item for liar in LIARS.values()}
    assert {rule.info.item for rule in PROBED} <= proven


def test_a_part_has_one_secondary_failure_at_most() -> None:
    assert all(len(others) <= 1 and all(others.values()) for others in SECONDARY.values())
