"""The flawed service of tests/seed, started in the sandbox: every item fails, by every probe that can see why."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from readiness import pack
from readiness.model import Kind
from tests.generated import SEED
from tests.running import READINESS
from tests.seed_planted import ADVISING, BLIND

PROBES = [each.info.id for each in pack.rule_files([pack.builtin()]) if each.info.kind is Kind.LIVE]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    saved: Path = tmp_path_factory.mktemp("seed") / "seed.json"
    command = [*READINESS, "audit", str(SEED), "--format", "json", "--output", str(saved), "--fail-on", "none"]
    subprocess.run(command, check=True, timeout=1200)
    report: dict[str, Any] = json.loads(saved.read_text("utf-8"))
    return report


@pytest.mark.parametrize("probe", [each for each in PROBES if each not in BLIND | ADVISING])
def test_a_probe_sees_what_is_planted(probe: str, audited: dict[str, Any]) -> None:
    (said,) = (each for each in audited["evidence"] if each["rule"] == probe)
    assert said["outcome"] == "fail", said


def test_every_item_fails_and_nothing_breaks(audited: dict[str, Any]) -> None:
    looked = {each["item"] for each in audited["evidence"]}
    assert [each["id"] for each in audited["items"] if each["id"] in looked and each["outcome"] != "fail"] == []
    assert [each["error"] for each in audited["evidence"] if each["error"]] == []
