"""A rule of one's own, from a folder and from an installed package: the example of the README, as it stands there."""

import re
from pathlib import Path

import pytest

from tests.running import run
from tests.scan.harness import write

README = Path(__file__).parents[1] / "README.md"
FLAW = "import time\nends = time.time() + 30\n"
RIGHT = "import time\nends = time.monotonic() + 30\n"


def example() -> str:
    """The block of the README that defines a rule."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    (code,) = (each for each in blocks if "PythonRule" in each)
    return str(code)


def test_the_example_is_short() -> None:
    assert len(example().splitlines()) <= 30


def test_a_rule_in_a_folder_is_run_explained_and_listed(tmp_path: Path) -> None:
    write(tmp_path, {"ops/rules/python/wall_clock.py": example(), "a.py": FLAW})
    write(tmp_path, {"readiness.toml": 'packs = ["ops/rules"]\n'})
    done = run("scan", "a.py", "-f", "github", cwd=tmp_path)
    assert done.returncode == 1
    assert "::error file=a.py,line=2," in done.stdout
    assert "title=python/wall-clock::" in done.stdout
    page = run("explain", "python/wall-clock", cwd=tmp_path).stdout
    assert page.startswith("python/wall-clock: ")
    assert "    deadline = time.time() + 5\n" in page
    assert "\n  python/wall-clock " in run("rules", cwd=tmp_path).stdout
    write(tmp_path, {"a.py": RIGHT})
    assert "wall-clock" not in run("scan", "a.py", "-f", "github", cwd=tmp_path).stdout


def test_a_rule_of_an_installed_package_is_run(tmp_path: Path) -> None:
    packages = write(tmp_path / "site", {"acme_rules/__init__.py": "raise RuntimeError('never imported')\n",
                                         "acme_rules/python/wall_clock.py": example()})  # fmt: skip
    project = write(tmp_path / "app", {"readiness.toml": 'packs = ["package:acme_rules"]\n', "a.py": FLAW})
    env = {"PYTHONPATH": str(packages)}
    done = run("scan", "a.py", "-f", "github", cwd=project, env=env)
    assert "title=python/wall-clock::" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["nowhere_rules", "json", "a.b", ""])
def test_a_package_that_is_none_is_told(name: str, tmp_path: Path) -> None:
    write(tmp_path, {"readiness.toml": f'packs = ["package:{name}"]\n', "a.py": FLAW})
    done = run("scan", "a.py", cwd=tmp_path)
    if name == "json":  # a package, and no pack: it holds no rules, and that is no mistake
        assert done.returncode in {0, 1}
        return
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no package" in done.stderr
