"""Which files are looked at, and that each other one is named with the reason."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from readiness.errors import UsageError
from readiness.model import Skipped
from readiness.scan.files import LARGEST, Found, collect
from tests.running import READINESS
from tests.scan.harness import FLAGGED, of, places, scanned, settings, write

CODE = "VERSION = 1\n"
DROPPED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Root without the right to read what is not readable."""


def found(folder: Path, *names: str, **given: Any) -> Found:
    return collect([folder / name for name in names] or [folder], settings(folder, **given))


def read(found: Found) -> list[str]:
    return [source.name for source in found.sources]


def test_every_python_file_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    names = ["z.py", "b/c.py", "a.pyw", "b/a.py", ".hidden.py"]
    looked = found(write(tmp_path, dict.fromkeys(names, CODE) | {"notes.txt": "", "UP.PY": CODE, "script": CODE}))
    assert read(looked) == [".hidden.py", "a.pyw", "b/a.py", "b/c.py", "z.py"]
    assert not looked.skipped
    assert looked.sources[1].data == CODE.encode()


@pytest.mark.parametrize("name", ["nowhere", "nowhere.py", "file.py/below"])
def test_a_missing_path_is_a_wrong_call(name: str, tmp_path: Path) -> None:
    write(tmp_path, {"file.py": CODE})
    with pytest.raises(UsageError, match="no such file or folder"):
        found(tmp_path, name)


@pytest.mark.parametrize(
    ("files", "name", "why"),
    [
        (["env/pyvenv.cfg", "env/lib/a.py"], "env", "a virtual environment"),
        (["tests/helper.py"], "tests", "test code (examine_tests = true looks at it)"),
        (["test/helper.py"], "test", "test code (examine_tests = true looks at it)"),
        (["test_a.py"], "test_a.py", "test code (examine_tests = true looks at it)"),
        (["a_test.py"], "a_test.py", "test code (examine_tests = true looks at it)"),
        (["conftest.py"], "conftest.py", "test code (examine_tests = true looks at it)"),
        (["build/lib/a.py"], "build", "built or installed, not written here"),
        (["dist/a.py"], "dist", "built or installed, not written here"),
        (["lib/site-packages/a.py"], "lib/site-packages", "built or installed, not written here"),
        (["a.pyi"], "a.pyi", "a stub holds no code"),
        (["vendor/a.py"], "vendor", "excluded by the settings"),
        (["deep/down/schema_pb2.py"], "deep/down/schema_pb2.py", "excluded by the settings"),
        (["old/v1/a.py"], "old/v1", "excluded by the settings"),
    ],
)
def test_what_is_left_is_named_with_the_reason(files: list[str], name: str, why: str, tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys([*files, "kept.py"], CODE))
    looked = found(tmp_path, exclude=("vendor", "*_pb2.py", "old/*"))
    assert read(looked) == ["kept.py"]
    assert looked.skipped == (Skipped(name, why),)


@pytest.mark.parametrize("pattern", ["vendor", "vendor/", "./vendor", "vendor/*", "*/a.py", "a.py"])
def test_an_exclude_may_be_written_as_shells_and_git_do(pattern: str, tmp_path: Path) -> None:
    write(tmp_path, {"vendor/a.py": CODE, "kept.py": CODE})
    assert read(found(tmp_path, exclude=(pattern,))) == ["kept.py"]


def test_hidden_folders_and_caches_are_left_without_a_word(tmp_path: Path) -> None:
    folders = [".git", ".venv", "__pycache__", "node_modules"]
    looked = found(write(tmp_path, {f"{each}/a.py": CODE for each in folders} | {"kept.py": CODE}))
    assert read(looked) == ["kept.py"]
    assert not looked.skipped


def test_a_package_called_build_is_code(tmp_path: Path) -> None:
    looked = found(write(tmp_path, {"build/__init__.py": "", "build/a.py": CODE}))
    assert read(looked) == ["build/__init__.py", "build/a.py"]


def test_tests_are_looked_at_when_the_settings_say_so(tmp_path: Path) -> None:
    write(tmp_path, {"tests/test_a.py": CODE, "conftest.py": CODE})
    assert read(found(tmp_path, examine_tests=True)) == ["conftest.py", "tests/test_a.py"]


def test_a_named_file_is_read_whatever_the_excludes_say(tmp_path: Path) -> None:
    write(tmp_path, {"vendor/a.py": CODE, "tests/test_b.py": CODE, "c.py": CODE})
    looked = found(tmp_path, "vendor/a.py", "tests/test_b.py", exclude=("vendor", "vendor/*"))
    assert read(looked) == ["vendor/a.py", "tests/test_b.py"]
    assert looked.all_named
    assert not found(tmp_path, "vendor/a.py", ".").all_named


def test_a_named_folder_is_entered_even_if_it_is_one_that_a_walk_leaves(tmp_path: Path) -> None:
    write(tmp_path, {"tests/helper.py": CODE, "env/pyvenv.cfg": "", "env/a.py": CODE})
    assert read(found(tmp_path, "tests", "env")) == ["tests/helper.py", "env/a.py"]


@pytest.mark.parametrize(
    ("name", "why"), [("notes.txt", "not Python"), ("script", "not Python"), ("a.pyi", "a stub holds no code")]
)
def test_a_named_file_that_is_no_python_is_left_with_the_reason(name: str, why: str, tmp_path: Path) -> None:
    looked = found(write(tmp_path, {name: CODE}), name)
    assert not looked.sources
    assert looked.skipped == (Skipped(name, why),)


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": CODE, "b/c.py": CODE})
    assert read(found(tmp_path, "a.py", "b/../a.py", "b", "b/c.py", ".")) == ["a.py", "b/c.py"]


def test_links_to_folders_are_not_followed_and_links_to_files_are(tmp_path: Path) -> None:
    write(tmp_path, {"src/a.py": CODE, "far/b.py": CODE})
    (tmp_path / "src" / "up").symlink_to(tmp_path)
    (tmp_path / "src" / "folder.py").symlink_to(tmp_path / "far")
    (tmp_path / "src" / "link.py").symlink_to(tmp_path / "far" / "b.py")
    looked = found(tmp_path, "src")
    assert read(looked) == ["src/a.py", "src/link.py"]
    why = "a link to a folder is not followed"
    assert looked.skipped == (Skipped("src/folder.py", why), Skipped("src/up", why))


def same(name: str, other: str) -> Skipped:
    return Skipped(name, f"the same file as {other}")


def test_a_link_to_a_file_that_is_met_itself_is_not_read_again(tmp_path: Path) -> None:
    write(tmp_path, {"m/real.py": CODE, "z.py": CODE})
    (tmp_path / "a.py").symlink_to("m/real.py")
    (tmp_path / "m" / "b.py").symlink_to("../a.py")
    (tmp_path / "m" / "c.py").symlink_to(tmp_path / "z.py")
    looked = found(tmp_path)
    assert read(looked) == ["m/real.py", "z.py"]
    assert looked.skipped == (same("a.py", "m/real.py"), same("m/b.py", "m/real.py"), same("m/c.py", "z.py"))


def test_of_two_links_to_a_file_that_is_not_met_the_first_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"tests/helper.py": CODE})
    (tmp_path / "b.py").symlink_to("tests/helper.py")
    (tmp_path / "a.py").symlink_to("b.py")
    looked = found(tmp_path)
    assert read(looked) == ["a.py"]
    assert same("b.py", "a.py") in looked.skipped


@pytest.mark.parametrize("names", [("link.py", "."), (".", "link.py"), ("link.py", "real.py"), ("link.py", "link.py")])
def test_the_name_that_was_asked_for_is_the_one_that_is_read(names: tuple[str, ...], tmp_path: Path) -> None:
    write(tmp_path, {"real.py": CODE})
    (tmp_path / "link.py").symlink_to("real.py")
    looked = found(tmp_path, *names)
    asked = "real.py" if names[0] == "." else "link.py"
    assert read(looked) == [asked]
    other = {"real.py": "link.py", "link.py": "real.py"}[asked]
    assert looked.skipped == (() if set(names) == {"link.py"} else (same(other, asked),))


def test_a_file_that_is_reached_through_a_link_to_a_folder_is_the_file_itself(tmp_path: Path) -> None:
    write(tmp_path, {"far/a.py": CODE})
    (tmp_path / "near").symlink_to("far")
    looked = found(tmp_path, "near/a.py", "near", "far")
    assert read(looked) == ["far/a.py"]
    assert not looked.skipped


def test_a_file_that_is_excluded_and_named_is_read_and_not_left_out(tmp_path: Path) -> None:
    looked = found(write(tmp_path, {"a.py": CODE, "b.py": CODE}), ".", "a.py", exclude=("a.py",))
    assert sorted(read(looked)) == ["a.py", "b.py"]
    assert not looked.skipped


@pytest.mark.parametrize(
    ("target", "why"),
    [("gone.py", "No such file or directory"), ("a.py", "Too many levels of symbolic links")],
    ids=["nowhere", "itself"],
)
def test_a_link_that_leads_nowhere_is_a_file_that_could_not_be_read(target: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").symlink_to(tmp_path / target)
    assert found(tmp_path).skipped == (Skipped("a.py", f"cannot be read: {why}", blind=True),)


def test_the_lock_of_an_editor_is_no_file(tmp_path: Path) -> None:
    (tmp_path / ".#a.py").symlink_to("user@host.1234:567")
    assert not found(write(tmp_path, {"a.py": CODE})).skipped


def test_pipes_and_sockets_are_left_and_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket has room for a short path only
    os.mkfifo("pipe.py")
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind("socket.py")
        looked = found(tmp_path)
    assert not looked.sources
    assert looked.skipped == (Skipped("pipe.py", "not a regular file"), Skipped("socket.py", "not a regular file"))


@pytest.mark.parametrize("name", ["pipe.py", "pipe", "/dev/null"])
def test_what_was_named_and_is_no_file_is_a_gap(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    os.mkfifo(tmp_path / "pipe")
    looked = found(tmp_path, name)
    assert not looked.sources
    assert [(each.why, each.blind) for each in looked.skipped] == [("not a regular file", True)]


def test_folders_may_be_nested_deeper_than_any_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    depth = 1_200
    monkeypatch.chdir(write(tmp_path, {"z.py": CODE}))
    for _ in range(depth):  # one by one, as such a path is too long for a single call
        Path("d").mkdir()
        os.chdir("d")
    Path("a.py").write_text(CODE)
    looked = found(tmp_path)
    assert read(looked) == ["d/" * depth + "a.py", "z.py"]
    os.chdir(tmp_path)
    subprocess.run(["rm", "-r", "d"], check=True)


def test_a_folder_whose_name_is_too_long_to_open_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path, {"z.py": FLAGGED}))
    for _ in range(20):
        Path("d" * 250).mkdir()
        os.chdir("d" * 250)
    Path("a.py").write_text(CODE)
    looked = found(tmp_path)
    assert read(looked) == ["z.py"]
    assert [(each.why, each.blind) for each in looked.skipped] == [("cannot be listed: File name too long", True)]
    os.chdir(tmp_path)
    subprocess.run(["rm", "-r", "d" * 250], check=True)


def at(monkeypatch: pytest.MonkeyPatch, call: str, what: Callable[[], object]) -> None:
    """Let somebody do something at the moment at which the system is first asked."""
    ask = getattr(os, call)

    def asked(*given: Any) -> Any:
        monkeypatch.setattr(os, call, ask)
        answer = list(ask(*given)) if call == "scandir" else None
        what()
        return ask(*given) if answer is None else answer

    monkeypatch.setattr(os, call, asked)


def test_what_is_gone_before_it_is_read_is_named_and_costs_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"gone.py": CODE, "here.py": CODE, "lost/a.py": CODE})

    def remove() -> None:
        (tmp_path / "gone.py").unlink()
        shutil.rmtree(tmp_path / "lost")

    at(monkeypatch, "scandir", remove)
    looked = found(tmp_path)
    assert read(looked) == ["here.py"]
    assert sorted((each.what, each.why, each.blind) for each in looked.skipped) == [
        ("gone.py", "cannot be read: No such file or directory", True),
        ("lost", "cannot be listed: No such file or directory", True),
    ]


def test_a_file_that_turns_into_a_pipe_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.py": CODE})

    def turn() -> None:
        (tmp_path / "a.py").unlink()
        os.mkfifo(tmp_path / "a.py")

    at(monkeypatch, "open", turn)
    looked = found(tmp_path)
    assert not looked.sources
    assert looked.skipped == (Skipped("a.py", "not a regular file", blind=True),)


def test_a_file_over_the_limit_is_not_read_and_at_the_limit_it_is(tmp_path: Path) -> None:
    looked = found(write(tmp_path, {"over.py": b"#" * (LARGEST + 1), "at.py": b"#" * LARGEST}))
    assert read(looked) == ["at.py"]
    assert looked.skipped == (Skipped("over.py", "larger than 2 MB: 2,000,001 bytes", blind=True),)


def test_an_outside_path_is_named_from_the_root_of_the_project(tmp_path: Path) -> None:
    write(tmp_path, {"project/a.py": CODE, "beside/b.py": CODE})
    looked = collect([tmp_path / "beside"], settings(tmp_path / "project"))
    assert read(looked) == ["../beside/b.py"]


@pytest.mark.parametrize("name", [b"new\nline.py", b"esc\x1b[31m.py", b"latin-\xff.py", "bidi\u202e.py".encode()])
def test_a_strange_name_is_kept_as_it_is_and_its_finding_with_it(name: bytes, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(name)).write_text(FLAGGED)
    said = of(scanned(tmp_path, {}))
    assert places(said) == [f"{os.fsdecode(name)}:2"]


HOSTILE = [
    b"a\n::error::b.py",
    b"::stop-commands::x.py",
    b"\x1b]0;mine\x07.py",
    b"c\r## d.py",
    b"<img src=x>`|.py",
    b"\xff.py",
]


@pytest.mark.parametrize("form", ["terminal", "markdown", "json"])
@pytest.mark.parametrize("content", [FLAGGED, "print 1\n"], ids=["found in", "left out"])
def test_a_strange_name_is_harmless_in_every_report(form: str, content: str, tmp_path: Path) -> None:
    """Nothing in it moves a cursor, begins a line (a command to a CI, a heading), or is HTML."""
    write(tmp_path, {"z.py": FLAGGED})
    for name in HOSTILE:
        (tmp_path / os.fsdecode(name)).write_text(content)
    done = subprocess.run([*READINESS, "scan", ".", "--format", form], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    told = done.stdout.decode()
    assert all(char.isprintable() for line in told.split("\n") for char in line)
    assert not [line for line in told.split("\n") if line.lstrip().startswith(("::", "## d"))]
    assert told.count("mine") >= 1
    if form == "markdown":
        quoted = re.sub(r"(`+).+?\1", "", told)
        assert "<img" not in quoted


@pytest.mark.parametrize("linked", ["pkg", "."])
def test_what_a_link_to_a_folder_of_the_same_tree_holds_is_examined_once(linked: str, tmp_path: Path) -> None:
    write(tmp_path, {"pkg/a.py": FLAGGED})
    (tmp_path / "again").symlink_to(tmp_path / linked)
    run = scanned(tmp_path, {}, ".", "again")
    assert places(of(run)) == ["pkg/a.py:2"]
    assert [each.what for each in run.skipped] == ["again"]


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may read everything")
@pytest.mark.parametrize(
    ("mode", "what", "why"),
    [(0o000, "locked", "cannot be listed"), (0o600, "locked/a.py", "cannot be read")],
    ids=["not listed", "not entered"],
)
def test_what_may_not_be_read_is_blind_and_costs_nobody_elses_finding(
    mode: int, what: str, why: str, tmp_path: Path
) -> None:
    write(tmp_path, {"secret.py": CODE, "locked/a.py": CODE, "open.py": FLAGGED})
    (tmp_path / "secret.py").chmod(0o000)
    (tmp_path / "locked").chmod(mode)
    bound = [*DROPPED] if os.geteuid() == 0 else []
    command = [*bound, *READINESS, "scan", ".", "--format", "json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    assert [each["path"] for each in told["findings"]] == ["open.py"]
    assert [each for each in told["not_examined"] if each["of"] == "file"] == [
        {"of": "file", "what": what, "why": f"{why}: Permission denied", "blind": True},
        {"of": "file", "what": "secret.py", "why": "cannot be read: Permission denied", "blind": True},
    ]


NOBODY = 65_534


def as_nobody(work: Callable[[], object]) -> str:
    """How a result reads to a process without any rights."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writing, repr(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        return told.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_what_another_user_may_not_read_is_named() -> None:
    with tempfile.TemporaryDirectory() as name:  # below tmp_path, nobody else would get anywhere
        folder = write(Path(name), {"a.py": CODE, "b.py": CODE, "locked/c.py": CODE, "half/d.py": CODE})
        for path, mode in {".": 0o755, "b.py": 0o600, "locked": 0o700, "half": 0o744}.items():
            (folder / path).chmod(mode)
        told = as_nobody(lambda: [found(folder).skipped, read(found(folder))])
        denied = "Permission denied"
        assert told == repr(
            [
                (
                    Skipped("locked", f"cannot be listed: {denied}", blind=True),
                    Skipped("b.py", f"cannot be read: {denied}", blind=True),
                    Skipped("half/d.py", f"cannot be read: {denied}", blind=True),
                ),
                ["a.py"],
            ]
        )
