"""The hooks as users get them: installed from a clone, by pre-commit and by prek. `make hooks`; it takes a minute."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scan.harness import write

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
FAULT = "import json\n\ndef read(request):\n    return json.loads(request.body)\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this repository, and beside it a project with one file that is right and one that is not."""
    top = tmp_path_factory.mktemp("hooks")
    subprocess.run(["git", "clone", "--quiet", ROOT, top / "clone"], check=True)
    write(top / "project", {"wrong.py": FAULT, "right.py": "x = 1\n", "tests/test_wrong.py": FAULT})
    for words in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *words], cwd=top / "project", check=True)
    return top


@pytest.mark.timeout(600)
@pytest.mark.parametrize("tool", ["pre-commit", "prek"])
@pytest.mark.parametrize(
    ("hook", "files", "code"),
    [
        ("readiness-scan", ["--files", "right.py"], 0),
        ("readiness-scan", ["--files", "right.py", "tests/test_wrong.py"], 0),
        ("readiness-scan", ["--files", "right.py", "wrong.py"], 1),
        ("readiness-scan-project", ["--all-files"], 1),
    ],
)
def test_a_hook_fails_where_the_code_does(tool: str, hook: str, files: list[str], code: int, folder: Path) -> None:
    kept = {"PRE_COMMIT_HOME": str(folder / "pre-commit"), "PREK_HOME": str(folder / "prek")}
    env = {**os.environ, **kept, "XDG_CACHE_HOME": str(folder / "cache"), "PATH": f"{BIN}:{os.environ['PATH']}"}
    command = [tool, "try-repo", str(folder / "clone"), hook, *files]
    done = subprocess.run(command, cwd=folder / "project", env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("wrong.py:4:12: python/unguarded-json: " in done.stdout) is bool(code)
    assert "tests/test_wrong.py:" not in done.stdout
