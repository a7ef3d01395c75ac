"""Files that hold no code, named one by one as a hook does."""

import subprocess
import sys
from pathlib import Path

import pytest

from readiness.errors import NothingExamined
from tests.scan.harness import FLAGGED, of, scanned, write

EMPTY = {"a.py": "", "b.py": '"""Words."""\n# a comment\npass\n'}
LOOK = """
import sys
from pathlib import Path
from readiness import pack, scan
from readiness.settings import Settings

folder = Path(sys.argv[1])
packs = [pack.builtin()]
scan.run([folder / name for name in sys.argv[2:]], pack.rule_files(packs), Settings(root=folder, base=folder), packs)
print(*sorted({"bandit", "readiness.scan.rule"} & sys.modules.keys()))
"""


def test_every_rule_says_that_it_judged_nothing(tmp_path: Path) -> None:
    run = scanned(tmp_path, EMPTY | {"c.py": FLAGGED}, "a.py", "b.py")
    also = scanned(tmp_path, {}, "a.py", "c.py")
    rules = {each.rule for each in run.evidence}
    assert rules == {each.rule for each in also.evidence if not each.rule.startswith("bandit/")}
    assert not any(each.examined or each.findings for each in run.evidence)
    assert of(also).findings


@pytest.mark.parametrize(
    ("files", "loaded"),
    [(("a.py", "b.py"), ""), (("a.py", "c.py"), "bandit readiness.scan.rule")],
    ids=["blank", "code"],
)
def test_nothing_is_loaded_where_there_is_nothing_to_judge(files: tuple[str, ...], loaded: str, tmp_path: Path) -> None:
    write(tmp_path, EMPTY | {"c.py": FLAGGED})
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(tmp_path), *files], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == loaded


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# readiness: ignore[python/unguarded-json] not needed any more\n", "readiness/ignore"),
        ("print 'old'\n", None),
    ],
    ids=["a comment that speaks to us", "what cannot be parsed"],
)
def test_what_others_must_look_at_is_left_to_them(text: str, told: str | None, tmp_path: Path) -> None:
    run = scanned(tmp_path, {"a.py": text}, "a.py")
    assert any(each.blind for each in run.skipped) is (told is None)
    if told is not None:
        assert of(run, told).findings


def test_a_folder_without_code_is_still_refused(tmp_path: Path) -> None:
    with pytest.raises(NothingExamined):
        scanned(tmp_path, EMPTY)
