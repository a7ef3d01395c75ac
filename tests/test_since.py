"""What a branch brought, in a real repository."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.running import remembering as run
from tests.scan.harness import CLEAR, FLAGGED, write

BARE = "import json\n\ndef read(request):\n    return json.loads(request.body)\n"
GUARDED = "import json\n\ndef read(request):\n    try:\n        json.loads(request.body)\n    except ValueError: ...\n"
TWINS = f"{BARE}\ndef again(request):\n    return json.loads(request.body)\n"


def git(folder: Path, *words: str) -> None:
    named = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A branch of a project in a folder of its repository, which had one finding when it began."""
    write(tmp_path, {"svc/src/old.py": BARE, "svc/src/ok.py": GUARDED, "svc/readiness.toml": ""})
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    git(tmp_path, "switch", "-c", "branch")
    return tmp_path / "svc"


def test_only_what_came_since_is_judged_and_the_report_says_so(project: Path) -> None:
    assert run("scan", "src", cwd=project).returncode == 1
    quiet = run("scan", "src", "--since", "main", cwd=project)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert "1 known from before, by main (" in quiet.stdout
    assert "at fault in main (" in quiet.stdout
    write(project, {"src/ok.py": BARE})
    found = run("scan", "src", "--since", "main", "-f", "github", cwd=project)
    assert found.returncode == 1
    assert [line.split(",")[0] for line in found.stdout.splitlines() if "file=" in line] == [
        "::error file=svc/src/ok.py"
    ]


def test_an_audit_judges_only_code_that_came_since(project: Path) -> None:
    quiet = json.loads(run("audit", ".", "-f", "json", "--since", "main", cwd=project).stdout)
    assert quiet["compared"].startswith("main (")
    assert outcome(quiet, "json-guarded") == "unknown"
    write(project, {"src/ok.py": BARE})
    found = json.loads(run("audit", ".", "-f", "json", "--since", "main", cwd=project).stdout)
    assert outcome(found, "json-guarded") == "fail"


def outcome(saved: dict[str, Any], name: str) -> str:
    (found,) = (each["outcome"] for each in saved["items"] if each["id"] == name)
    return str(found)


def test_a_new_file_and_a_twin_are_judged(project: Path) -> None:
    write(project, {"src/new.py": FLAGGED})
    assert run("scan", "src/new.py", "--since", "main", cwd=project).returncode == 1
    write(project, {"src/new.py": CLEAR, "src/old.py": TWINS})
    assert run("scan", "src", "--since", "main", cwd=project).returncode == 1


def test_a_file_that_was_renamed_brought_nothing_by_that(project: Path) -> None:
    git(project, "mv", "src/old.py", "src/other name.py")
    write(project, {"src/other name.py": f"# moved\n\n{BARE}"})
    git(project, "mv", "src/ok.py", "fine.py")
    for asked in ("src", "src/other name.py", "."):
        quiet = run("scan", asked, "--since", "main", cwd=project)
        assert (quiet.returncode, quiet.stderr) == (0, "")
        assert "1 known from before, by main (" in quiet.stdout
    git(project, "commit", "-am", "moved")
    write(project, {"src/other name.py": TWINS})
    found = run("scan", "src", "--since", "main", "-f", "concise", cwd=project)
    assert found.returncode == 1
    assert [line.split(":")[1] for line in found.stdout.splitlines() if "name.py" in line] == ["7"]


def test_a_folder_that_was_renamed_brought_nothing_by_that(project: Path) -> None:
    git(project, "mv", "src", "app")
    assert run("scan", "app", "--since", "main", cwd=project).returncode == 0
    write(project, {"app/ok.py": BARE})
    assert run("scan", "app", "--since", "main", cwd=project).returncode == 1


def test_what_main_got_meanwhile_does_not_count(project: Path) -> None:
    top = project.parent
    git(top, "switch", "main")
    write(project, {"src/old.py": CLEAR})
    git(top, "commit", "-am", "mended")
    git(top, "switch", "branch")
    assert run("scan", "src", "--since", "main", cwd=project).returncode == 0


def test_neither_the_work_tree_nor_the_repository_is_changed(project: Path) -> None:
    write(project, {"src/old.py": f"{BARE}# mine\n", ".gitignore": ".cache\n"})
    before = state(project.parent)
    run("scan", "src", "--since", "main", cwd=project)
    assert state(project.parent) == before


def state(top: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in top.rglob("*") if each.is_file() and ".cache" not in each.parts}


@pytest.mark.parametrize(
    ("revision", "why"), [("nowhere", "git knows no such revision"), ("--output=x", "git knows no such revision")]
)
def test_a_revision_that_is_none_is_told(revision: str, why: str, project: Path) -> None:
    done = run("scan", "src", f"--since={revision}", cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr
    assert not (project / "x").exists()


def test_a_folder_outside_of_git_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": FLAGGED})
    done = run("scan", "a.py", "--since", "main", cwd=tmp_path, env={"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not in a git repository" in done.stderr
