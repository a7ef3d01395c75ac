"""A scan as a whole."""

from pathlib import Path

import pytest

from readiness.errors import NothingExamined
from readiness.model import Kind
from readiness.scan import run
from readiness.scan.bandit import Bandit
from readiness.scan.code.project import Project
from readiness.scan.examiner import Examiner
from readiness.scan.files import collect
from readiness.scan.parallel import WORTHWHILE, examine_all
from tests.scan.harness import BUILTIN, CLEAR, FLAGGED, RULES, of, scanned, settings, write

STATIC = [rule for rule in RULES if rule.info.kind is Kind.STATIC]
PYTHON = [rule for rule in STATIC if rule.language == "python"]


def test_every_static_rule_says_something_and_no_probe_does(tmp_path: Path) -> None:
    told = scanned(tmp_path, {"a.py": "VERSION = 1\n"})
    assert told.kind is Kind.STATIC
    assert [each.rule for each in told.evidence] == [*(rule.info.id for rule in STATIC), "bandit"]
    assert {each.item for each in told.evidence} == {*(rule.info.item for rule in STATIC), ""}


@pytest.mark.parametrize(
    ("names", "subject"),
    [((), "."), (("src",), "src"), (("src", "a.py"), "src, a.py"), (("src/../a.py",), "a.py")],
)
def test_the_subject_is_what_was_asked_for(names: tuple[str, ...], subject: str, tmp_path: Path) -> None:
    assert scanned(tmp_path, {"a.py": CLEAR, "src/b.py": CLEAR}, *names).subject == subject


def test_what_lies_outside_the_project_is_named_as_it_was_given(tmp_path: Path) -> None:
    write(tmp_path, {"beside/a.py": FLAGGED, "project/b.py": CLEAR})
    told = run([tmp_path / "beside"], RULES, settings(tmp_path / "project"), [BUILTIN])
    assert told.subject == (tmp_path / "beside").as_posix()


def test_a_folder_without_code_beside_one_with_code_is_fine(tmp_path: Path) -> None:
    write(tmp_path, {"empty/notes.txt": "", "src/a.py": FLAGGED})
    assert of(scanned(tmp_path, {}, "empty", "src")).failures


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"notes.txt": ""}, ()),
        ({"a.py": "# nothing\n"}, ()),
        ({"a.py": '"""Words."""\npass\n...\n'}, ()),
        ({"a.py": "print 1\n"}, ()),
        ({"a.py": "# nothing\n", "src/notes.txt": ""}, ("a.py", "src")),
    ],
)
def test_nothing_to_examine_is_no_result(files: dict[str, str], names: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(NothingExamined, match="Name the folder that holds the service's code"):
        scanned(tmp_path, files, *names)


def test_files_named_one_by_one_may_hold_nothing(tmp_path: Path) -> None:
    told = scanned(tmp_path, {"__init__.py": "", "notes.txt": ""}, "__init__.py", "notes.txt")
    assert [each.what for each in told.skipped] == ["notes.txt"]
    assert all(each.examined == 0 for each in told.evidence)


def test_progress_names_every_file_and_how_many_there_are(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    write(tmp_path, {"a.py": CLEAR, "b.py": "", "c.py": FLAGGED})
    run([tmp_path], RULES, settings(tmp_path), [BUILTIN], lambda *each: told.append(each))
    assert told[:3] == [("a.py", 0, 3), ("b.py", 1, 3), ("c.py", 2, 3)]


def test_several_processes_say_what_one_says(tmp_path: Path) -> None:
    padding = f"NAME = '{'x' * 40_000}'\n"
    files = {f"m{number}.py": f"{FLAGGED}{padding}" for number in range(WORTHWHILE // len(padding) + 1)}
    found = collect([write(tmp_path, {**files, "odd.py": "print 1\n"})], settings(tmp_path)).sources
    assert sum(len(source.data) for source in found) > WORTHWHILE
    told: list[tuple[str, int, int]] = []
    examiner = Examiner(PYTHON, Project(found), Bandit())
    together = list(examine_all(found, examiner, lambda *each: told.append(each)))
    assert together == [examiner.examine(source) for source in found]
    assert told == [(source.name, number, len(found)) for number, source in enumerate(found)]
