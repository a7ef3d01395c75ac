"""What is written for others names a revision that exists."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from readiness import HOME, __version__, origin
from readiness.origin import Origin

ROOT = Path(__file__).parents[1]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def noted(url: str, **more: object) -> str:
    return json.dumps({"url": url, **more})


def commit_of(folder: Path) -> str:
    done = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("url", "found", "action"),
    [
        (HOME, Origin(HOME, COMMIT), f"readiness-audit/readiness@{COMMIT}"),
        ("https://github.com/ada/fork.git", Origin("https://github.com/ada/fork.git", COMMIT), f"ada/fork@{COMMIT}"),
        ("https://u:pw@git.example/x", Origin("https://git.example/x", COMMIT), f"readiness-audit/readiness@{COMMIT}"),
        ("ssh://git@github.com/ada/fork", Origin(HOME, COMMIT), f"readiness-audit/readiness@{COMMIT}"),
    ],
)
def test_what_git_gave_to_pip_is_named_by_its_commit(url: str, found: Origin, action: str) -> None:
    told = origin.told(noted(url, vcs_info={"vcs": "git", "commit_id": COMMIT, "requested_revision": "main"}))
    assert (told, told.action) == (found, action)


def test_a_clone_is_named_by_the_commit_that_is_checked_out(tmp_path: Path) -> None:
    clone = tmp_path / "a clone"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", ROOT.as_uri(), clone], check=True)
    told = origin.told(noted(clone.as_uri(), dir_info={}))
    assert told == Origin(HOME, commit_of(clone))


def test_where_nothing_tells_the_branch_is_named(tmp_path: Path) -> None:
    assert origin.told(noted(tmp_path.as_uri(), dir_info={})) == Origin(HOME, "main")
    assert origin.told(noted("file:///nowhere/a.whl", archive_info={})) == Origin(HOME, "main")


def test_this_installation_is_named_by_its_commit() -> None:
    assert origin.find().rev == commit_of(ROOT)


def test_no_document_names_a_release_that_has_no_tag() -> None:
    tags = subprocess.run(["git", "-C", ROOT, "tag"], capture_output=True, text=True, check=True).stdout.split()
    if f"v{__version__}" in tags:
        return
    pages = [ROOT / "README.md", ROOT / "action.yml", *(ROOT / "readiness" / "templates").iterdir()]
    assert not [page.name for page in pages if re.search(r"(?:rev: *|@)v\d+\.\d+\.\d+", page.read_text("utf-8"))]
