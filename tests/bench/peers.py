"""The tools, each in an environment of its own: peers at pinned versions, and this checkout as users have it."""

import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.failure import Failure

LOG = logging.getLogger(__name__)
ROOT = Path(__file__).parents[2]
LOCKS = Path(__file__).parent / "locks"
RULES = Path(__file__).parent / "semgrep.yaml"
OURS = "readiness"
FINDINGS = frozenset({0, 1})
"""Exit codes of a linter that ran."""

COMMANDS = {
    OURS: "readiness scan --format json --fail-on none --output {output} {target}",
    "bandit": "bandit --quiet --recursive --format json --output {output} {target}",
    "ruff": "ruff check --quiet --isolated --no-cache --no-respect-gitignore --select S,ASYNC,BLE,TRY,RUF006"
    " --output-format json --output-file {output} {target}",
    "semgrep": "semgrep scan --quiet --metrics off --disable-version-check --no-git-ignore --jobs 1"
    " --config {rules} --json --output {output} {target}",
    "fixit": "fixit --quiet lint {target}",
    "flake8-async": "flake8-async {files}",
}
"""`{files}`: every Python file by its name, for a tool that walks no folders."""


class Environments:
    """Virtual environments below `cache`, made when they are asked for and again when what they hold has changed."""

    def __init__(self, cache: Path) -> None:
        self.top = cache / "environments"

    def program(self, tool: str) -> Path:
        """The program of a tool, installed."""
        needs, files = _requirements(tool)
        folder = self.top / tool
        mark = folder / ".made"
        content = [sys.version, *needs, *(file.read_text("utf-8") for file in files)]
        made = hashlib.sha256("\n".join(content).encode()).hexdigest()
        if not mark.is_file() or mark.read_text("utf-8") != made:
            LOG.info("making an environment for %s", tool)
            _run([sys.executable, "-m", "venv", "--clear", str(folder)])
            self._install(tool, needs)
            mark.write_text(made, "utf-8")
        return folder / "bin" / tool

    def install_checkout(self) -> None:
        """This project as it is now; its dependencies are there already."""
        self.program(OURS)
        self._install(OURS, ["--no-deps", "--no-build-isolation", "--force-reinstall", str(ROOT)])

    def version(self, tool: str) -> str:
        """The version of the installed distribution, which has the tool's name."""
        asked = f"import importlib.metadata as m; print(m.version({tool!r}))"
        return _run([str(self.program(tool).with_name("python")), "-c", asked]).strip()

    def _install(self, tool: str, what: Sequence[str]) -> None:
        python = str(self.top / tool / "bin" / "python")
        _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what])


def environment(program: Path, home: Path) -> dict[str, str]:
    """Nothing of the user's own settings or caches bears on a figure."""
    path = os.pathsep.join([str(program.parent), os.defpath])
    return {"PATH": path, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "LANG": "C.UTF-8"}


def words(tool: str, program: Path, target: str, folder: Path, output: Path) -> list[str]:
    """The command line for a target in a folder."""
    _, *rest = COMMANDS[tool].split()
    filled = [each.format(output=output, target=target, rules=RULES) for each in rest if each != "{files}"]
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py")) if "{files}" in rest else []
    return [str(program), *filled, *files]


def _requirements(tool: str) -> tuple[list[str], list[Path]]:
    """What pip is told, and the files that say what it comes to."""
    if tool != OURS:
        lock = LOCKS / f"{tool}.txt"
        return ["--no-deps", "--requirement", str(lock)], [lock]
    versions = ROOT / "constraints.txt"
    return ["--constraint", str(versions), "hatchling", str(ROOT)], [versions, ROOT / "pyproject.toml"]


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout
