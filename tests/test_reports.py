"""The committed reports: whole, valid by their schema, and what an audit of today says."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.generated import of_the_code, of_the_gateway
from tests.running import run

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / "reports"


def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((REPORTS / "schema.json").read_text("utf-8"))
    return loaded


def test_what_follows_from_the_code_is_up_to_date() -> None:
    for path, text in of_the_code().items():
        assert path.read_text("utf-8") == text, f"{path.name}: make reports"


def test_the_committed_report_is_valid_and_holds_every_item() -> None:
    report = json.loads((REPORTS / "gateway.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema()).validate(report)
    assert len(report["items"]) == 27


def test_the_committed_reports_hold_nothing_of_one_run() -> None:
    for name in ("gateway.json", "gateway.md"):
        text = (REPORTS / name).read_text("utf-8")
        assert not re.search(r"127\.0\.0\.1:\d|/tmp/|sk-canary-|20[2-9]\d-\d\d-\d\dT", text)


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
