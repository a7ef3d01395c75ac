"""The command line as a user has it: exit codes, what goes where, and no traceback whatever happens."""

import json
import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from readiness import __version__
from readiness.cli import app
from tests.running import READINESS, run
from tests.scan.harness import CLEAR, FLAGGED, write

COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
SCREEN = 24
"""Lines."""
PROJECT = {
    "flagged/a.py": FLAGGED,
    "clear/a.py": CLEAR,
    "hushed/a.py": f"{FLAGGED.rstrip()}  # readiness: ignore[python/unguarded-json] our own files\n",
    "empty/readme.txt": "",
    "comments/a.py": '"""Only words."""\n# and a comment\npass\n',
    "broken/a.py": "print 'Python 2'\n",
    "stubs/a.pyi": "x: int\n",
    "tests/test_a.py": FLAGGED,
    "readiness.toml": 'exclude = ["vendor"]\n',
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path, PROJECT)


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        ("scan nowhere", 2, "nowhere: no such file or folder"),
        ("scan ''", 2, "an empty path was given"),
        ("scan flagged nowhere", 2, "nowhere: no such file or folder"),
        ("scan nowhere --fail-on none", 2, "nowhere: no such file or folder"),
        ("scan empty", 3, "nothing to examine in empty: there is no Python file"),
        ("scan comments", 3, "1 Python file holds only comments, docstrings or pass"),
        ("scan broken", 3, "broken/a.py first: cannot be parsed"),
        ("scan stubs", 3, "stubs/a.pyi first: a stub holds no code"),
        ("audit empty", 3, "nothing to examine"),
        (
            "scan flagged --format pdf",
            2,
            "--format pdf: choose one of terminal, concise, markdown, html, json, sarif, junit, github, gitlab",
        ),
        ("scan flagged --config nowhere.toml", 2, "nowhere.toml: no such configuration file"),
        ("scan flagged -o nowhere/report.md", 2, "nowhere/report.md: the report cannot be written"),
        ("report nowhere.json", 2, "nowhere.json: cannot be read"),
        ("report flagged/a.py", 2, "flagged/a.py: not a report saved by readiness"),
        ("explain python/unguarded-jso", 2, "the nearest is python/unguarded-json"),
    ],
)
def test_a_call_that_cannot_be_done_says_why_on_stderr(words: str, code: int, what: str, project: Path) -> None:
    done = run(*shlex.split(words), cwd=project)
    assert (done.returncode, done.stdout) == (code, "")
    assert what in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("scan broken/a.py", 3),
        ("scan broken/a.py --fail-on none", 3),
        ("scan broken/a.py --diff", 3),
        ("scan clear/a.py broken/a.py", 3),
        ("scan clear broken/a.py", 3),
        ("scan ./clear/../broken/a.py", 3),
        ("scan flagged/a.py broken/a.py", 1),
    ],
)
def test_a_named_file_that_cannot_be_read_is_no_success(words: str, code: int, project: Path) -> None:
    done = run(*words.split(), cwd=project)
    assert done.returncode == code
    assert done.stderr.splitlines()[-1].startswith("readiness: broken/a.py: cannot be parsed: ")


def test_beside_others_in_a_folder_it_is_named_and_its_rules_do_not_pass(project: Path) -> None:
    (project / "clear" / "b.py").write_text("print 'Python 2'\n")
    done = run("scan", "clear", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert "files clear/b.py: cannot be parsed" in done.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("scan flagged", 1),
        ("scan clear", 0),
        ("scan flagged --fail-on none", 0),
        ("scan clear/a.py", 0),
        ("scan comments/a.py", 0),
        ("scan tests/test_a.py", 1),
    ],
)
def test_a_scan_reports_on_stdout(words: str, code: int, project: Path) -> None:
    done = run(*words.split(), cwd=project)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.startswith("NOT READY: ")


@pytest.mark.parametrize(
    ("words", "code"),
    [("scan hushed", 0), ("scan hushed --no-ignore", 1), ("scan hushed --no-ignore --fail-on none", 0)],
)
def test_a_comment_silences_unless_it_is_overruled(words: str, code: int, project: Path) -> None:
    done = run(*words.split(), cwd=project)
    assert (done.returncode, done.stderr) == (code, "")
    assert ("1 ignored by comment" in done.stdout) is ("--no-ignore" not in words)


def test_an_audit_can_overrule_comments_too(project: Path) -> None:
    for words, outcome in ((["hushed"], "unknown"), (["hushed", "--no-ignore"], "fail")):
        told = json.loads(run("audit", *words, "--format", "json", cwd=project).stdout)
        (item,) = [each for each in told["items"] if each["id"] == "json-guarded"]
        assert item["outcome"] == outcome


def test_a_saved_scan_keeps_what_was_ignored_and_why(project: Path) -> None:
    run("scan", "hushed", "-f", "json", "-o", "hushed.json", cwd=project)
    shown = run("report", "hushed.json", cwd=project).stdout
    assert "reason: our own files\n" in shown


def test_an_audit_of_the_code_alone_is_not_ready_and_says_what_is_missing(project: Path) -> None:
    done = run("audit", "clear", cwd=project)
    assert done.returncode == 1
    assert done.stderr.startswith("readiness: nothing was probed")
    assert done.stdout.startswith("NOT READY")


@pytest.mark.parametrize("command", ["scan flagged", "explain json-guarded"])
def test_an_unknown_key_of_the_settings_is_told_with_the_nearest(command: str, project: Path) -> None:
    (project / "readiness.toml").write_text("exlude = []\n")
    done = run(*command.split(), cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert "readiness.toml: unknown key exlude; the nearest known one is exclude\n" in done.stderr


def test_settings_named_on_the_command_line_are_those_in_force(project: Path) -> None:
    (project / "other.toml").write_text('exclude = ["a.py"]\n')
    assert run("scan", "flagged", "--config", "other.toml", cwd=project).returncode == 3


def test_the_version_is_told(tmp_path: Path) -> None:
    done = run("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"readiness {__version__}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_an_example(command: str, tmp_path: Path) -> None:
    done = run(command, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Example: readiness {command}" in done.stdout
    assert len(done.stdout.splitlines()) <= SCREEN
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("words", [["scan", "--help"], ["explain", "-h"], ["--help"]])
def test_help_loads_nothing_that_a_command_works_with(words: list[str], tmp_path: Path) -> None:
    code = (
        f"import sys; sys.argv[1:] = {words!r}\n"
        "from readiness.__main__ import main\n"
        "try:\n    main()\nfinally:\n    print('|', *sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    loaded = done.stdout.rpartition("|")[2].split()
    assert "readiness.cli" in loaded
    ours = {"readiness.model", "readiness.settings", "readiness.scan", "readiness.audit"}
    assert not (ours | {"pydantic", "rich", "sqlite3"}).intersection(loaded)


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("readiness explain python/unguarded", "python/unguarded-json"),
        ("readiness explain rate-lim", "rate-limited"),
        ("readiness scan src --format sa", "sarif"),
        ("readiness ba", "baseline"),
    ],
)
def test_a_shell_completes_commands_rules_items_and_formats(words: str, known: str, tmp_path: Path) -> None:
    script = "from readiness.cli import app; app(prog_name='readiness')"
    count = str(len(words.split()) - 1)
    env = {**os.environ, "_READINESS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": count}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert known in done.stdout.split()


@pytest.mark.parametrize(("shell", "mark"), [("bash", "complete -o"), ("zsh", "#compdef "), ("fish", "complete ")])
def test_the_completion_of_a_shell_that_is_named_needs_no_guess(shell: str, mark: str, tmp_path: Path) -> None:
    done = run("--show-completion", shell, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert mark in done.stdout


def test_the_help_lists_every_command(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    assert all(f"\n  {command} " in done.stdout for command in COMMANDS)
    assert "..." not in done.stdout.partition("Commands:")[2]  # what a command is for is told whole


def test_a_report_goes_to_the_file_as_it_would_to_stdout(project: Path) -> None:
    shown = run("scan", "flagged", "--format", "markdown", cwd=project)
    done = run("scan", "flagged", "-f", "markdown", "-o", "report.md", cwd=project)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "readiness: NOT READY, the report is in report.md\n"
    assert steady((project / "report.md").read_text()) == steady(shown.stdout)


def steady(report: str) -> list[str]:
    """Without the line that tells when it was made."""
    return [line for line in report.splitlines() if "started" not in line]


def test_saved_scans_are_joined_and_judged_again(project: Path) -> None:
    for name in ("flagged", "clear"):
        run("scan", name, "-f", "json", "-o", f"{name}.json", cwd=project)
    done = run("report", "flagged.json", "clear.json", "-f", "json", cwd=project)
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    assert told["subject"] == {"static": "flagged, clear"}
    assert [each["path"] for each in told["findings"]] == ["flagged/a.py"]
    verdict = next(each for each in told["items"] if each["id"] == "json-guarded")
    assert (verdict["outcome"], verdict["sides"]) == ("fail", "static")
    saved = [json.loads((project / f"{name}.json").read_text()) for name in ("flagged", "clear")]
    assert told["started"] == min(each["started"] for each in saved)


def test_a_report_counts_what_is_unknown_as_not_ready(project: Path) -> None:
    assert run("scan", "clear", "-f", "json", "-o", "clear.json", cwd=project).returncode == 0
    assert run("report", "clear.json", cwd=project).returncode == 1
    assert run("report", "clear.json", "--fail-on", "none", cwd=project).returncode == 0


@pytest.mark.parametrize("garbage", [b"\xff\xfe", b"null"])
def test_a_file_that_is_no_report_is_a_wrong_call(garbage: bytes, tmp_path: Path) -> None:
    (tmp_path / "saved.json").write_bytes(garbage)
    done = run("report", "saved.json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("readiness: saved.json: ")


def test_rules_and_explain_show_their_pages(tmp_path: Path) -> None:
    listing = run("rules", cwd=tmp_path)
    assert "json-guarded (must)\n" in listing.stdout
    page = run("rules", "--markdown", cwd=tmp_path)
    assert page.stdout.startswith("# The catalogue\n")
    explained = run("explain", "unguarded-json", cwd=tmp_path)
    assert explained.stdout.startswith("python/unguarded-json: JSON from outside is parsed without a guard\n")
    assert {done.returncode for done in (listing, page, explained)} == {0}


def test_names_and_code_from_outside_are_text_on_both_streams(tmp_path: Path) -> None:
    name = "a\x1b]0;owned\x07.py"
    (tmp_path / name).write_text("import json\njson.loads(body)  # \x1b[2J\u202e\n")
    shown = run("scan", ".", cwd=tmp_path)
    (tmp_path / name).write_text("print 1\n")
    refused = run("scan", ".", cwd=tmp_path)
    assert (shown.returncode, refused.returncode) == (1, 3)
    for text in (shown.stdout, refused.stderr):
        assert text.replace("\n", "").isprintable()
        assert "owned" in text


def test_progress_is_shown_on_a_terminal_and_is_text(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    script = (
        "import readiness.progress\nreadiness.progress.QUIET = -1\nwith readiness.progress.shown('scan') as tell:\n"
        "    tell('a\\x1b]0;owned\\x07.py', 0, 2)\n    tell('b.py', 1, 2)\n"
    )
    subprocess.run([sys.executable, "-c", script], stderr=theirs, cwd=tmp_path, check=True)
    shown = os.read(ours, 100_000)
    os.close(ours)
    os.close(theirs)
    assert b"1/2" in shown
    assert b"\x1b]0;" not in shown


def test_no_warning_of_a_library_reaches_the_user(project: Path) -> None:
    assert run("scan", "flagged", cwd=project, env={"PYTHONWARNINGS": "error"}).stderr == ""


# ---- the way out


def test_a_stdout_without_letters_beyond_ascii_shows_them_as_escapes(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": f"{FLAGGED.rstrip()}  # é\n"})
    done = run("scan", ".", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (1, "")
    assert "> json.loads(body)  # \\xe9\n" in done.stdout


@pytest.mark.parametrize("redirect", [">/dev/full", ">&-"], ids=["full", "closed"])
def test_a_report_that_cannot_be_written_is_no_verdict(redirect: str, project: Path) -> None:
    command = f"{shlex.join([*READINESS, 'scan', 'clear'])} {redirect}"
    done = subprocess.run(command, shell=True, cwd=project, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode in {2, 3}
    assert done.stderr.startswith("readiness: ")
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_after_a_line_is_no_error(project: Path) -> None:
    many = "".join(f"json.loads(body{number})\n" for number in range(2000))
    write(project, {"flagged/a.py": f"import json\n{many}"})
    command = [*READINESS, "scan", "flagged", "--format", "json"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "{\n"
        process.stdout.close()
        assert process.stderr.read() == ""
