"""The clock counts all processes and takes no broken run for a fast one; findings are compared one by one."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench import cases, clock
from tests.bench.cases import Target
from tests.bench.failure import Failure, NotMeasurable
from tests.bench.same import compare
from tests.bench.table import verdict

BURN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
HOLD = "import time\nheld = bytearray(60_000_000)\ntime.sleep(0.7)\n"
IN_A_CHILD = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', {code!r}], check=True)\n"


def cost(folder: Path, code: str, *, watched: bool = False) -> clock.Cost:
    command = clock.Command([sys.executable, "-c", code], folder, {}, folder / "log")
    return clock.run(command, 1, watched=watched)


def test_the_time_of_children_is_counted(tmp_path: Path) -> None:
    assert cost(tmp_path, IN_A_CHILD.format(code=BURN)).cpu > 0.3


def test_the_memory_of_all_processes_is_counted(tmp_path: Path) -> None:
    both = IN_A_CHILD.format(code=HOLD).replace("\n", "\nheld = bytearray(60_000_000)\n", 1)
    assert cost(tmp_path, both, watched=True).memory > 120_000_000


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "print('Traceback (most recent call last)')"])
def test_a_run_that_breaks_has_no_cost(tmp_path: Path, code: str) -> None:
    with pytest.raises(Failure, match="ended with"):
        cost(tmp_path, code)


def test_processors_that_are_not_there_are_said(tmp_path: Path) -> None:
    with pytest.raises(NotMeasurable, match="has not 5000 processors"), clock.held_to(5000):
        pass


@pytest.mark.parametrize(
    ("ratio", "target", "said"),
    [
        (2.0, Target(at_least=2, aim=3), ("2.00x as fast", "at least 2x, aim 3x", "yes")),
        (1.99, Target(at_least=2), ("1.99x as fast", "at least 2x", "NO")),
        (2.0, Target(at_most=0.5), ("0.50x", "at most 0.5x", "yes")),
        (1.9, Target(at_most=0.5), ("0.53x", "at most 0.5x", "NO")),
    ],
)
def test_a_ratio_is_judged_by_its_target(ratio: float, target: Target, said: tuple[str, str, str]) -> None:
    assert verdict(ratio, target) == said


def test_findings_are_compared_with_their_number(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs.json", tmp_path / "ours.json"
    theirs.write_text(json.dumps({"results": [_of_bandit(1), _of_bandit(1), _of_bandit(2)]}))
    ours.write_text(json.dumps({"findings": [_of_ours(1), _of_ours(2), _of_ours(3), {"rule": "python/other"}]}))
    difference = compare(theirs, ours)
    assert [told[2] for told in difference.missing] == [1]
    assert [told[2] for told in difference.added] == [3]
    assert not difference.none


def test_every_section_has_cases() -> None:
    assert {case.section for case in cases.cases("L")} == set(cases.SECTIONS) - {"same"}
    assert [pair[0].corpus for pair in cases.same("L")] == ["L", "M"]


def _of_bandit(line: int) -> dict[str, Any]:
    return {
        "test_id": "B307",
        "filename": "./a.py",
        "line_number": line,
        "col_offset": 4,
        "issue_text": "eval",
        "issue_severity": "MEDIUM",
        "issue_confidence": "HIGH",
    }


def _of_ours(line: int) -> dict[str, Any]:
    message = "eval (medium severity, high confidence)"
    return {"rule": "bandit/B307", "path": "a.py", "line": line, "column": 5, "message": message}
