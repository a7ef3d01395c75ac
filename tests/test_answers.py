"""What a scan answered is said again only while nothing has changed: every kind of change is made and seen."""

import os
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from readiness import __main__, answers, commands, quick
from tests.scan.harness import CLEAR, FLAGGED, RULES, write

PARSE = "import json\n\ndef parse(msg):\n    return json.loads(msg.data)\n"
CALLER = "from wire import parse\n\nasync def handler(msg):\n    {}\n"
GUARDED = CALLER.format("try:\n        parse(msg)\n    except ValueError: ...")
UNGUARDED = CALLER.format("parse(msg)")
RULE = '''"""Nobody calls eval.

What it runs is anybody's."""

from readiness.scan import PythonRule


class Rule(PythonRule):
    item = "input-sanitised"

    def visit_Call(self, node):
        if getattr(node.func, "id", "") == "{}":
            self.flag(node, "eval is called")
'''
PROJECT = {
    "pyproject.toml": "",
    "readiness.toml": 'packs = ["pack"]\n',
    "app/wire.py": PARSE,
    "app/main.py": GUARDED,
    "app/other.py": CLEAR,
    "app/deep/more.py": CLEAR,
    "built/build/one.py": FLAGGED,
    "keys/.env": "API_KEY=sk-0123456789abcdef0123456789abcdef",
    "pack/python/no_eval.py": RULE.format("nothing"),
    "requirements.txt": "httpx==0.27\n",
}
GRAIN = 0.05
"""Seconds. The file systems of tests count in smaller steps than the slowest there are."""
Change = Callable[[Path], object]
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write(tmp_path / "project", PROJECT)
    (folder / "keys" / ".env").chmod(0o600)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(answers, "GRAIN", GRAIN)
    for rule in RULES:  # once loaded, rules of ours stand there compiled, in a folder of their own
        rule.load()
    return folder


def say(capsys: Captured, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str]:
    """What the command line says, and its exit code, without the time."""
    time.sleep(2 * GRAIN)
    monkeypatch.setattr(sys, "argv", ["readiness", *words])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    said = capsys.readouterr()
    lines = [line for line in said.out.splitlines() if '"started"' not in line]
    return ended.value.code or 0, "\n".join([*lines, said.err])  # type: ignore[return-value]


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing may be scanned."""

    def scan(**given: object) -> None:
        pytest.fail(f"it was scanned again: {given}")

    monkeypatch.setattr(commands, "scan", scan)


def same_size(path: Path, old: str, new: str) -> None:
    """Another content of the same size, with the time of change set back."""
    times = path.stat()
    text = path.read_text()
    assert len(old) == len(new)
    assert old in text
    path.write_text(text.replace(old, new))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def linked(path: Path, to: Path) -> None:
    path.unlink()
    path.symlink_to(to)


WHOLE = ("scan", ".", "--no-bandit", "--format", "json")
ONE = ("scan", "app/wire.py", "--no-bandit", "--format", "json")
FOLDER = ("scan", "app", "--no-bandit", "--format", "json")
CHANGES: dict[str, Change] = {
    "content": lambda at: (at / "app/other.py").write_text(FLAGGED),
    "content of the same size and time": lambda at: same_size(at / "app/main.py", "ValueError", "LookupErro"),
    "a new file": lambda at: (at / "app/deep/new.py").write_text(FLAGGED),
    "a new caller": lambda at: (at / "app/deep/caller.py").write_text(UNGUARDED),
    "a file that is gone": lambda at: (at / "app/other.py").unlink(),
    "another name": lambda at: (at / "app/other.py").rename(at / "app/others.py"),
    "a link in place of a file": lambda at: linked(at / "app/other.py", at / "built/build/one.py"),
    "a folder of code that was built": lambda at: (at / "built/build/__init__.py").write_text(""),
    "a virtual environment": lambda at: (at / "app/deep/pyvenv.cfg").write_text(""),
    "a mode": lambda at: (at / "keys/.env").chmod(0o644),
    "another key": lambda at: (at / "keys/server.pem").write_text("-----BEGIN PRIVATE KEY-----\n"),
    "settings": lambda at: (at / "readiness.toml").write_text('packs = ["pack"]\nexclude = ["app/wire.py"]\n'),
    "settings that are gone": lambda at: (at / "readiness.toml").unlink(),
    "a rule": lambda at: (at / "pack/python/no_eval.py").write_text(RULE.format("handler")),
    "one more rule": lambda at: (at / "pack/python/no_handler.py").write_text(RULE.format("handler")),
    "a baseline": lambda at: (at / "readiness-baseline.json").write_text('{"version": 1, "entries": []}'),
    "requirements": lambda at: (at / "requirements.txt").write_text("httpx==0.9\n"),
}


ELSEWHERE = (
    "a new caller",
    "content",
    "content of the same size and time",
    "settings",
    "one more rule",
    "requirements",
)
COMMANDS = [
    *((WHOLE, each) for each in CHANGES),
    *((ONE, each) for each in ELSEWHERE),
    *((FOLDER, each) for each in ELSEWHERE),
]


@pytest.mark.parametrize(("words", "change"), COMMANDS, ids=str)
def test_a_change_is_seen(
    change: str, words: tuple[str, ...], project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    say(capsys, monkeypatch, *words)
    assert answers.of(quick.parse(words)).find() is not None  # type: ignore[union-attr]
    CHANGES[change](project)
    assert say(capsys, monkeypatch, *words) == say(capsys, monkeypatch, *words, "--no-cache")


@pytest.mark.parametrize("words", [WHOLE, FOLDER, ONE, (*WHOLE[:3], "-f", "markdown")], ids=" ".join)
def test_what_has_not_changed_is_not_looked_at_again(
    words: tuple[str, ...], project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    first = say(capsys, monkeypatch, *words)
    forbid(monkeypatch)
    assert say(capsys, monkeypatch, *words) == first


def test_a_link_that_leads_elsewhere_is_seen(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    (project / "now").symlink_to("app")
    words = ("scan", "now", "--no-bandit", "--format", "json")
    say(capsys, monkeypatch, *words)
    assert answers.of(quick.parse(words)).find() is not None  # type: ignore[union-attr]
    (project / "now").unlink()
    (project / "now").symlink_to("keys/..")
    assert answers.of(quick.parse(words)).find() is None  # type: ignore[union-attr]


def test_a_caller_elsewhere_decides_of_a_named_file(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    code, _ = say(capsys, monkeypatch, *ONE)
    assert code == 0
    (project / "app/main.py").write_text(UNGUARDED)
    code, text = say(capsys, monkeypatch, *ONE)
    assert code == 1
    assert "unguarded-json" in text


def test_what_changed_just_now_is_not_kept(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(answers, "GRAIN", 60)
    say(capsys, monkeypatch, *WHOLE)
    assert answers.of(quick.parse(WHOLE)).find() is None  # type: ignore[union-attr]


def test_another_day_another_answer(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    class Tomorrow(date):
        @classmethod
        def today(cls) -> date:  # type: ignore[override]
            return super().today() + timedelta(days=1)

    say(capsys, monkeypatch, *WHOLE)
    assert answers.of(quick.parse(WHOLE)).find() is not None  # type: ignore[union-attr]
    monkeypatch.setattr(answers, "date", Tomorrow)
    assert answers.of(quick.parse(WHOLE)).find() is None  # type: ignore[union-attr]


@pytest.mark.parametrize("option", ["--no-cache", "--fix", "--diff", "--since=main"])
def test_what_hangs_on_more_than_files_is_not_remembered(option: str) -> None:
    assert answers.of(quick.parse(["scan", ".", *option.split()])) is None


def test_the_answer_goes_where_it_was_asked_for(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    words = (*WHOLE, "--output", "report.json")
    first = say(capsys, monkeypatch, *words)
    say(capsys, monkeypatch, *words)  # the report was a new file in a folder that is looked at
    before = (project / "report.json").read_text()
    (project / "report.json").write_text("")
    forbid(monkeypatch)
    assert say(capsys, monkeypatch, *words) == first
    assert len((project / "report.json").read_text()) == len(before)


def test_the_same_answer_goes_somewhere_else(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path
) -> None:
    first = say(capsys, monkeypatch, *WHOLE)
    forbid(monkeypatch)
    report = tmp_path / "report.json"
    assert say(capsys, monkeypatch, *WHOLE, "-o", str(report))[0] == first[0]
    told = [line for line in report.read_text().splitlines() if '"started"' not in line]
    assert first[1].splitlines() == told


def test_a_repository_that_begins_above_the_project_is_noticed(
    project: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("scan", "app", "--format", "github")
    write(project, {"app/wrong.py": FLAGGED})
    assert "file=app/wrong.py," in say(capsys, monkeypatch, *words)[1]
    (project.parent / ".git").mkdir()
    assert "file=project/app/wrong.py," in say(capsys, monkeypatch, *words)[1]
