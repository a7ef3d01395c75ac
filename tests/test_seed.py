"""The flawed service of tests/seed: each planted line has its finding, static here and live in tests/soak/."""

import json
import shutil
from pathlib import Path

import pytest

from readiness import audit, settings
from readiness.model import Location, Outcome, Run
from tests.seed_planted import LIVE_ONLY, PLANTED

SEED = Path(__file__).parent / "seed"
REPORTS = Path(__file__).parents[1] / "reports"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = shutil.copytree(SEED, tmp_path_factory.mktemp("seed") / "seed")
    (folder / ".env").chmod(0o644)  # as a checkout under the usual umask leaves it
    chosen = settings.load(folder)
    return audit.scan([folder], chosen, audit.knowledge(chosen), lambda what, done, total: None)


@pytest.mark.parametrize(("path", "code", "rule"), PLANTED)
def test_a_planted_line_has_its_finding(path: str, code: str, rule: str, found: Run) -> None:
    lines = (SEED / path).read_text("utf-8").splitlines()
    planted = [number for number, line in enumerate(lines, 1) if line.strip() == code]
    assert len(planted) == 1, f"{path}: {code} stands on the lines {planted}"
    flagged = {
        (finding.where.path, finding.where.line)
        for evidence in found.evidence
        if evidence.rule == rule
        for finding in evidence.findings
        if isinstance(finding.where, Location)
    }
    assert (path, planted[0]) in flagged


def test_each_item_that_code_can_fail_fails_and_no_rule_breaks(found: Run) -> None:
    chosen = settings.Settings(SEED, SEED)
    items = {item.id for item in audit.knowledge(chosen).items}
    failing = {each.item for each in found.evidence if each.outcome is Outcome.FAIL}
    assert items - failing == LIVE_ONLY
    assert [each.error for each in found.evidence if each.error] == []


def test_nothing_is_flagged_where_nothing_is_planted(found: Run) -> None:
    wanted = {(path, rule) for path, _, rule in PLANTED}
    seen = {
        (finding.where.path, finding.rule)
        for evidence in found.evidence
        for finding in evidence.failures
        if isinstance(finding.where, Location)
    }
    assert seen <= wanted


def test_what_has_a_fix_is_mended(found: Run) -> None:
    chosen = settings.load(SEED)
    mended = audit.fixes([SEED], chosen, audit.knowledge(chosen), found)
    assert {each.source.name: each.fixed for each in mended} == {
        "relay/app.py": 1,
        "relay/bus.py": 4,
        "relay/catalog.py": 2,
        "relay/chat.py": 2,
        "relay/keys.py": 1,
        "relay/ledger.py": 1,
    }
    assert [each.refused for each in mended if each.refused] == []


def test_it_is_no_part_of_this_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(SEED, project / "tests" / "seed")
    (project / "app.py").write_text("import json\n")
    chosen = settings.Settings(project, project)
    seen = audit.scan([project], chosen, audit.knowledge(chosen), lambda what, done, total: None)
    assert [finding for each in seen.evidence for finding in each.findings] == []


def test_the_committed_report_is_of_this_code_and_these_rules(found: Run) -> None:
    committed = json.loads((REPORTS / "seed.json").read_text("utf-8"))
    said = {
        (each["rule"], each["examined"], each["outcome"]) for each in committed["evidence"] if each["kind"] == "static"
    }
    now = {(each.rule, each.examined, each.outcome.value) for each in found.evidence}
    assert now == said, "make reports"
    places = {(each["id"], each["path"], each["line"]) for each in committed["findings"] if each["path"]}
    assert places == {
        (finding.id, finding.where.path, finding.where.line)
        for evidence in found.evidence
        for finding in evidence.findings
        if isinstance(finding.where, Location)
    }, "make reports"


def test_the_committed_report_fails_every_item() -> None:
    committed = json.loads((REPORTS / "seed.json").read_text("utf-8"))
    assert not committed["ready"]
    assert [each["id"] for each in committed["items"] if each["outcome"] != "fail"] == []
    assert [each["error"] for each in committed["evidence"] if each["error"]] == []
