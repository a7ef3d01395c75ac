"""The sharpest test of probes, checklist and gateway together: each part left out fails its own item, and no other."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from readiness import audit, settings
from readiness.gateway import PARTS
from readiness.model import Kind, Outcome, Report, Tier

ROOT = Path(__file__).parents[1]
SERVE = Path(__file__).with_name("gateway_without.py")
KNOWN = audit.knowledge(settings.load(ROOT))
PROBED = {rule.info.item for rule in KNOWN.rules if rule.info.kind is Kind.LIVE}
SECONDARY: dict[str, dict[str, str]] = {}
"""Part left out -> another item that fails with it, and why. At most one each."""


def audited_without(item: str) -> Report:
    chosen = settings.load(ROOT)
    words = [sys.executable, str(SERVE), item, "{port}", "{work}/gateway.toml"]
    chosen = replace(chosen, target=replace(chosen.target, launch=shlex.join(words)))
    run = audit.probe(chosen, KNOWN, None, lambda what, done, total: None)
    return audit.assemble([run], chosen, KNOWN, frozenset(Tier))


def failed(report: Report) -> dict[str, str]:
    return {each.item.id: str(each.evidence) for each in report.verdicts if each.outcome is Outcome.FAIL}


def test_with_nothing_left_out_every_probe_passes() -> None:
    report = audited_without("nothing")
    outcomes = {
        each.rule: (each.outcome, each.left_out, each.error) for each in report.evidence if each.kind is Kind.LIVE
    }
    assert outcomes == dict.fromkeys(outcomes, (Outcome.PASS, None, None))
    assert len(outcomes) == sum(rule.info.kind is Kind.LIVE for rule in KNOWN.rules)


@pytest.mark.parametrize("item", sorted(PARTS & PROBED))
def test_a_part_left_out_fails_its_own_item(item: str) -> None:
    failing = failed(audited_without(item))
    assert item in failing
    others = {name: why for name, why in failing.items() if name != item}
    assert set(others) == set(SECONDARY.get(item, {})), others


def test_every_probed_part_of_the_checklist_can_be_left_out() -> None:
    assert PROBED <= PARTS


def test_a_part_has_one_secondary_failure_at_most() -> None:
    assert all(len(others) <= 1 and all(others.values()) for others in SECONDARY.values())
