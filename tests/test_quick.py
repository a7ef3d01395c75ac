"""The short way into a scan says what the full command line says, or leaves it to that."""

import subprocess
import sys
from pathlib import Path

import pytest

from readiness import quick
from readiness.gate import FailOn
from tests.running import run
from tests.scan.harness import FLAGGED, write

UNDERSTOOD = {
    "scan src": {"paths": ["src"]},
    "scan a.py b.py": {"paths": ["a.py", "b.py"]},
    "scan src -f json": {"paths": ["src"], "form": "json"},
    "scan --format=json src": {"paths": ["src"], "form": "json"},
    "scan src --output out.md --fail-on none": {"paths": ["src"], "output": Path("out.md"), "fail_on": FailOn.NONE},
    "scan src --config x.toml --fix": {"paths": ["src"], "config": Path("x.toml"), "fix": True},
    "scan --diff src": {"paths": ["src"], "diff": True},
    "scan src --no-ignore": {"paths": ["src"], "comments": False},
}
LEFT = [
    "",
    "scan",
    "scan --help",
    "scan src --help",
    "scan src --fail-on sometimes",
    "scan src --format",
    "scan src --form json",
    "scan src -fjson",
    "scan src -- -x.py",
    "scan src --fix=yes",
    "--version",
    "audit .",
    "rules",
]


@pytest.mark.parametrize("words", UNDERSTOOD)
def test_what_is_understood(words: str) -> None:
    assert quick.parse(words.split()) == UNDERSTOOD[words]


@pytest.mark.parametrize("words", LEFT)
def test_what_is_left_to_the_full_command_line(words: str) -> None:
    assert quick.parse(words.split()) is None


LONG = "import sys; from readiness.cli import main; sys.argv[1:] = {words!r}; main()"


@pytest.mark.parametrize(
    "words",
    [
        "scan a.py",
        "scan a.py -f json --fail-on none",
        "scan a.py -f odd",
        "scan b.py",
        "scan a.py --diff",
        "scan a.py --no-ignore",
    ],
)
def test_both_ways_say_the_same(words: str, tmp_path: Path) -> None:

    write(tmp_path, {"a.py": FLAGGED})
    short = run(*words.split(), cwd=tmp_path)
    command = [sys.executable, "-c", LONG.format(words=words.split())]
    full = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    told = [(each.returncode, _timeless(each.stdout), each.stderr) for each in (short, full)]
    assert told[0] == told[1]


def test_a_plain_scan_imports_neither_the_command_line_nor_the_network(tmp_path: Path) -> None:

    write(tmp_path, {"a.py": FLAGGED})
    code = (
        "import sys; sys.argv[1:] = ['scan', 'a.py']\n"
        "from readiness.__main__ import main\n"
        "try:\n    main()\nfinally:\n    print('|', *sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    loaded = done.stdout.rpartition("|")[2].split()
    assert "readiness.scan" in loaded
    assert not {"typer", "pydantic", "asyncio", "httpx", "nats", "libcst"}.intersection(loaded)


def _timeless(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if '"started"' not in line)
