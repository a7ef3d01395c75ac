"""Where a project begins, and that what a code host is told counts from the root of the repository."""

import json
import subprocess
from pathlib import Path

import pytest

from readiness.places import project_root, within_repository
from tests.running import remembering as run
from tests.scan.harness import FLAGGED, write


@pytest.fixture
def monorepo(tmp_path: Path) -> Path:
    write(tmp_path, {"services/a gate/app.py": FLAGGED, "services/a gate/pyproject.toml": "", "lib/b.py": FLAGGED})
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def test_a_project_of_a_monorepo_is_found_in_it(monorepo: Path) -> None:
    gate = monorepo / "services" / "a gate"
    assert (project_root(gate / "app.py"), within_repository(gate)) == (gate, "services/a gate")
    assert (project_root(monorepo / "lib"), within_repository(monorepo)) == (monorepo, "")


def test_without_a_repository_a_project_is_its_own(tmp_path: Path) -> None:
    assert within_repository(tmp_path) == ""


@pytest.mark.parametrize(
    ("folder", "path"), [(".", "services/a gate"), ("services", "a gate"), ("services/a gate", ".")]
)
def test_findings_land_on_the_files_of_the_repository(folder: str, path: str, monorepo: Path) -> None:
    run("scan", path, "--also", "sarif=out.sarif", "--also", "gitlab=out.json", cwd=monorepo / folder)
    shown = run("scan", path, "-f", "github", cwd=monorepo / folder).stdout
    assert "::error file=services/a gate/app.py,line=2," in shown
    issues = json.loads((monorepo / folder / "out.json").read_text())
    assert {each["location"]["path"] for each in issues} == {"services/a gate/app.py"}
    results = json.loads((monorepo / folder / "out.sarif").read_text())["runs"][0]["results"]
    places = {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in results}
    assert places == {"services/a%20gate/app.py"}


def test_a_saved_scan_keeps_its_place(monorepo: Path) -> None:
    run("scan", "services/a gate", "-f", "json", "-o", "scan.json", cwd=monorepo)
    assert (
        "::error file=services/a gate/app.py,line=2," in run("report", "scan.json", "-f", "github", cwd=monorepo).stdout
    )
