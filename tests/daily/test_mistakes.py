"""Mistakes of a working day: each is told in words that say what to do, with the right exit code."""

import json
import os
import pty
import shlex
import subprocess
from pathlib import Path

import pytest

from readiness import settings
from readiness.errors import UsageError
from tests.running import READINESS
from tests.running import remembering as run
from tests.scan.harness import CLEAR, FLAGGED, write
from tests.test_since import git

SAVED = "not a report saved by readiness scan, probe or audit with --format json"


@pytest.mark.parametrize(
    ("words", "content", "what"),
    [
        ("report saved.json", "", "it is empty"),
        ("report saved.json", "import json\n", "it is no JSON: Expecting value, line 1, column 1"),
        ("diff saved.json saved.json", "[]", "it is no object"),
        ("replay saved.json 0123456", '{"version": "2.1.0", "runs": []}', "it has no 'schema'"),
        ("report saved.json", '{"schema": 0}', "schema 0 is not 1: scan or probe again with this version"),
    ],
)
def test_a_file_that_is_no_report_is_told_in_words(words: str, content: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "saved.json").write_text(content)
    done = run(*words.split(), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert what in done.stderr
    assert "Error(" not in done.stderr


def test_a_scan_of_nothing_says_what_may_be_named(tmp_path: Path) -> None:
    done = run("scan", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing to look at was named: readiness scan . looks at the current folder" in done.stderr


def test_a_byte_order_mark_before_a_report_a_baseline_or_settings_is_no_error(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": FLAGGED, "readiness.toml": 'exclude = ["b.py"]\n'})
    assert run("baseline", "a.py", "--reason", "x", "--owner", "y", cwd=tmp_path).returncode == 0
    run("scan", "a.py", "-f", "json", "-o", "saved.json", cwd=tmp_path)
    for name in ("saved.json", "readiness-baseline.json", "readiness.toml"):
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    done = run("report", "saved.json", "--fail-on", "none", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "old findings" in done.stdout or "known from before" in done.stdout
    assert settings.load(tmp_path).exclude == ("b.py",)


@pytest.mark.parametrize(
    ("pyproject", "table"),
    [
        ("[tool.readines]\n", "readines"),
        ("[tool.Readiness]\n", "Readiness"),
        ("[tool.readyness.target]\n", "readyness"),
    ],
)
def test_a_table_with_a_typo_in_its_name_is_not_left_unread(pyproject: str, table: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(pyproject)
    with pytest.raises(UsageError, match=rf"nobody reads \[tool\.{table}\]"):
        settings.load(tmp_path)


@pytest.mark.parametrize("name", ["ruff", "release", "rye", "readthedocs", "semantic_release", "readme"])
def test_tables_of_other_tools_are_theirs(name: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.{name}]\nx = 1\n")
    assert settings.load(tmp_path).exclude == ()


def test_settings_that_are_a_link_to_nowhere_or_a_folder_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "readiness.toml").symlink_to("nowhere.toml")
    with pytest.raises(UsageError, match=r"readiness\.toml: no such configuration file"):
        settings.load(tmp_path)
    (tmp_path / "readiness.toml").unlink()
    (tmp_path / "readiness.toml").mkdir()
    with pytest.raises(UsageError, match=r"readiness\.toml: cannot be read: Is a directory"):
        settings.load(tmp_path)


@pytest.mark.parametrize(
    ("option", "where"),
    [("--output", "nowhere/out"), ("--output", "."), ("--transcript", "nowhere/out"), ("--also", ".")],
)
def test_a_place_that_takes_no_file_is_told_before_anything_is_asked(option: str, where: str, tmp_path: Path) -> None:
    given = f"json={where}" if option == "--also" else where
    done = run("probe", "http://127.0.0.1:9", option, given, cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be written: " in done.stderr
    assert "nobody answers" not in done.stderr


@pytest.mark.parametrize("words", ["explain json-guarded", "rules --markdown", "--help", "scan --help", "--version"])
def test_a_full_disk_is_told_by_every_command(words: str, tmp_path: Path) -> None:
    write(tmp_path, {"a.py": CLEAR})
    command = f"{shlex.join([*READINESS, *words.split()])} >/dev/full"
    done = subprocess.run(command, shell=True, cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("readiness: ")
    assert done.stderr.endswith("cannot be written: No space left on device\n")


def test_without_stderr_and_stdin_a_command_does_its_work(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": FLAGGED})
    for words, code in (("scan nowhere", 2), ("scan a.py", 1), ("init", 0)):
        command = f"{shlex.join([*READINESS, *words.split()])} <&- 2>&-"
        done = subprocess.run(command, shell=True, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=False)
        assert done.returncode == code


def test_an_end_of_input_is_no_consent(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen([*READINESS, "init"], cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(ours, 10_000)
        os.write(ours, b"\x04")
        assert process.wait(60) == 0
    os.close(ours)
    assert list(tmp_path.iterdir()) == []


def test_a_finding_is_looked_for_in_vain_where_nothing_was_probed(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": FLAGGED})
    run("scan", "a.py", "-f", "json", "-o", "saved.json", cwd=tmp_path)
    assert json.loads((tmp_path / "saved.json").read_text())["findings"]
    done = run("replay", "saved.json", "0123456", cwd=tmp_path)
    assert done.returncode == 2
    assert "saved.json: no live finding is in it; readiness probe --format json -o FILE saves them" in done.stderr


def test_settings_of_a_place_that_is_not_there_are_not_shown(tmp_path: Path) -> None:
    done = run("config", "nowhere", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "readiness: nowhere: no such file or folder\n")


def test_a_folder_without_code_is_named_as_it_was_given(tmp_path: Path) -> None:
    write(tmp_path, {"empty/pyproject.toml": ""})
    assert "nothing to examine in empty: there is no Python file" in run("scan", "empty", cwd=tmp_path).stderr


def test_a_revision_that_is_not_there_is_told_with_what_helps(tmp_path: Path) -> None:
    write(tmp_path, {"one/a.py": CLEAR})
    one = tmp_path / "one"
    git(one, "init")

    def told(folder: Path, revision: str) -> str:
        done = run("scan", ".", "--since", revision, cwd=folder)
        assert done.returncode == 2
        return done.stderr

    assert "the repository has no commit yet" in told(one, "main")
    git(one, "add", ".")
    git(one, "commit", "-m", "one")
    git(one, "commit", "--allow-empty", "-m", "two")
    git(tmp_path, "clone", "--depth", "1", f"file://{one}", "shallow")
    assert "the clone is shallow. git fetch --unshallow gets the rest" in told(tmp_path / "shallow", "HEAD~1")
    git(tmp_path, "clone", "one", "deep")
    git(tmp_path / "deep", "switch", "-c", "work")
    git(tmp_path / "deep", "branch", "-D", "main")
    assert "git knows no such revision; there is origin/main" in told(tmp_path / "deep", "main")
