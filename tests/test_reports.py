"""The committed reports: whole, valid by their schema, and what an audit of today says."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from readiness.report import terminal
from tests.generated import SEED, committed, of_the_code, of_the_gateway, of_the_seed
from tests.running import run

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / "reports"


def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((REPORTS / "schema.json").read_text("utf-8"))
    return loaded


def test_what_follows_from_the_code_is_up_to_date() -> None:
    for path, text in of_the_code().items():
        assert path.read_text("utf-8") == text, f"{path.name}: make reports"


@pytest.mark.parametrize("name", ["gateway.json", "seed.json"])
def test_the_committed_report_is_valid_and_holds_every_item(name: str) -> None:
    report = json.loads((REPORTS / name).read_text("utf-8"))
    jsonschema.Draft202012Validator(schema()).validate(report)
    assert len(report["items"]) == 27


@pytest.mark.parametrize("name", ["gateway.json", "gateway.md", "seed.json", "seed.md", "seed.html"])
def test_the_committed_reports_hold_nothing_of_one_run(name: str) -> None:
    text = (REPORTS / name).read_text("utf-8")
    assert not re.search(r"127\.0\.0\.1:\d|/tmp/|sk-canary-|20[2-9]\d-\d\d-\d\d[T ]", text)


def test_the_committed_reports_of_the_flawed_service_are_one_report() -> None:
    for path, text in of_the_seed(REPORTS / "seed.json").items():
        assert path.read_text("utf-8") == text, f"{path.name}: make reports"


def test_the_readme_shows_the_committed_reports() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = [each.lstrip("\n") for each in readme.split("```")[1::2] if "READY:" in each]
    assert len(shown) == 2
    for excerpt, name, project in zip(shown, ("gateway", "seed"), (ROOT, SEED), strict=True):
        whole = terminal.render(committed(REPORTS / f"{name}.json", project))
        for piece in excerpt.split("...\n"):
            assert piece in whole, f"{name}: {piece}"


@pytest.mark.timeout(300)
def test_an_audit_of_today_says_what_is_committed(tmp_path: Path) -> None:
    saved = tmp_path / "audit.json"
    transcript = tmp_path / "transcript.jsonl"
    done = run("audit", "--format", "json", "--output", saved, "--transcript", transcript, cwd=ROOT, seconds=290)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    jsonschema.Draft202012Validator(schema()).validate(json.loads(saved.read_text("utf-8")))
    for path, text in of_the_gateway(saved).items():
        assert path.read_text("utf-8") == text, f"{path.name}: make reports"
    exchanges = [json.loads(line) for line in transcript.read_text("utf-8").splitlines()]
    assert len(exchanges) > 100
    assert not any("sk-canary-" in json.dumps(each) for each in exchanges)
