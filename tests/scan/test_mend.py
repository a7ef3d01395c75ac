"""A fix is kept if the file still parses, its finding is gone and no new one came."""

import stat
import subprocess
from pathlib import Path

import pytest

from readiness import pack, scan
from readiness.scan.fixing.mend import Mended
from tests.running import run
from tests.scan.harness import settings, write

RULE = '''"""A call is called.

The page.
"""

import ast

from readiness.scan import PythonRule, fix


class Rule(PythonRule):
    item = "input-sanitised"
    tokens = ("lib",)

    def visit_Call(self, node: ast.Call) -> None:
        last = min(self.names(node.func), default="").removeprefix("lib.")
        if last in {"timed", "wrong", "broken", "worse", "twin"}:
            if any(each.arg == "timeout" for each in node.keywords):
                self.clear(node)
            else:
                self.flag(node, last, fix=getattr(self, last)(node))

    def timed(self, node):
        return [*fix.importing(self.file, "import clock"), fix.with_argument(self.file, node, "timeout", "clock.LONG")]

    twin = timed

    def wrong(self, node):
        return [fix.with_argument(self.file, node, "other", "1")]

    def broken(self, node):
        return [fix.replace(self.file, node, "lib.wrong(")]

    def worse(self, node):
        return [fix.replace(self.file, node, "[lib.timed(), lib.timed()]")]
'''


def mended(folder: Path, **files: str) -> dict[str, Mended]:
    """What the fixes of the rule make of the files."""
    rules = pack.rule_files([write(folder / "ops", {"python/called.py": RULE})])
    app = write(folder / "app", {f"{name}.py": f"import lib\n{code}" for name, code in files.items()})
    chosen = settings(app)
    found = scan.run([app], rules, chosen, [])
    return {each.source.name: each for each in scan.fixes([app], found, rules, chosen, [])}


def test_all_fixes_of_a_file_are_made_and_one_import_serves_them(tmp_path: Path) -> None:
    (done,) = mended(tmp_path, a="lib.timed()\nlib.twin( 1 )  # kept\n").values()
    after = b"import clock\nimport lib\nlib.timed(timeout=clock.LONG)\nlib.twin( 1, timeout=clock.LONG )  # kept\n"
    assert (done.after, done.fixed, done.refused) == (after, 2, ())


@pytest.mark.parametrize("call", ["wrong", "broken", "worse"])
def test_a_fix_that_does_not_hold_is_refused_and_the_others_are_made(call: str, tmp_path: Path) -> None:
    (done,) = mended(tmp_path, a=f"lib.{call}()\nlib.timed()\n").values()
    assert done.after == f"import clock\nimport lib\nlib.{call}()\nlib.timed(timeout=clock.LONG)\n".encode()
    assert (done.fixed, [each.message for each in done.refused]) == (1, [call])


def test_fixes_that_meet_in_one_expression_are_made_one_after_the_other(tmp_path: Path) -> None:
    (done,) = mended(tmp_path, a="lib.timed(lib.timed())\n").values()
    assert b"lib.timed(lib.timed(timeout=clock.LONG), timeout=clock.LONG)" in done.after
    assert done.fixed == 2


def test_files_without_a_fix_are_left_out(tmp_path: Path) -> None:
    assert list(mended(tmp_path, a="lib.timed()\n", b="lib.other()\n")) == ["a.py"]


def test_a_file_keeps_its_mode_and_a_link_stays_a_link(tmp_path: Path) -> None:
    (done,) = mended(tmp_path, a="lib.timed()\n").values()
    path = tmp_path / "app/a.py"
    path.rename(tmp_path / "real.py")
    path.symlink_to(tmp_path / "real.py")
    (tmp_path / "real.py").chmod(0o741)
    done.write()
    assert path.is_symlink()
    assert path.read_bytes() == done.after
    assert stat.S_IMODE(path.stat().st_mode) == 0o741
    assert sorted(each.name for each in tmp_path.iterdir()) == ["app", "ops", "real.py"]


def project(folder: Path) -> Path:
    write(folder / "ops", {"python/called.py": RULE})
    return write(
        folder, {"readiness.toml": 'packs = ["ops"]\nexclude = ["ops"]\n', "a.py": "import lib\nlib.timed()\n"}
    )


def test_the_diff_shows_what_would_change_and_changes_nothing(tmp_path: Path) -> None:
    before = (project(tmp_path) / "a.py").read_bytes()
    done = run("scan", ".", "--diff", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == ["--- a/a.py", "+++ b/a.py"]
    assert "+lib.timed(timeout=clock.LONG)" in done.stdout
    assert done.stderr == "readiness: would fix 1 finding in 1 file\n"
    assert (tmp_path / "a.py").read_bytes() == before


def test_fixing_twice_changes_nothing_more(tmp_path: Path) -> None:
    project(tmp_path)
    first = run("scan", ".", "--fix", cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "readiness: fixed 1 finding in 1 file\n")
    after = (tmp_path / "a.py").read_bytes()
    assert after == b"import clock\nimport lib\nlib.timed(timeout=clock.LONG)\n"
    again = run("scan", ".", "--fix", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "readiness: fixed 0 findings in 0 files\n")
    assert (tmp_path / "a.py").read_bytes() == after


def test_the_diff_is_one_that_git_applies(tmp_path: Path) -> None:
    project(tmp_path)
    diff = run("scan", ".", "--diff", cwd=tmp_path).stdout
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff, text=True, check=True)
    assert b"timeout=clock.LONG" in (tmp_path / "a.py").read_bytes()
