"""Several processes at one scan: what one of them may do to the others, and that none is lost without a word."""

import errno
import gc
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from readiness import pack
from readiness.errors import ReadinessError
from readiness.scan.bandit import Bandit
from readiness.scan.code.project import Project
from readiness.scan.examiner import Examiner
from readiness.scan.files import Source, collect
from readiness.scan.parallel import WORTHWHILE, examine_all
from tests.scan.harness import settings
from tests.scan.started import PADDING, alive, project, scan, seen, several_processors

PLAIN = {f"m{number:02}.py": f"eval(x)\n{PADDING}" for number in range(40)}


def nothing(what: str, done: int, total: int) -> None:
    """Progress of which nobody is told."""


@several_processors
@pytest.mark.parametrize(
    ("does", "how"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "was ended by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "was ended by SIGSEGV"),
        ("os.kill(os.getpid(), 40)", "was ended by signal 40"),
        ("os._exit(7)", "ended with exit code 7"),
    ],
)
def test_a_process_that_is_lost_ends_the_scan_with_what_happened(does: str, how: str, tmp_path: Path) -> None:
    with scan(project(tmp_path, does, {**PLAIN, "m20.py": f"stop()\n{PADDING}"})) as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (3, "")
    assert err == (
        f"readiness: a process of the scan {how} while it looked at 'm20.py', and the scan with it. "
        "The system ends processes when memory runs out: free some, or scan the folders one by one.\n"
    )
    assert not alive(process.pid)


@several_processors
def test_so_does_one_that_is_killed_from_outside(tmp_path: Path) -> None:
    files = PLAIN | {"m20.py": f"stop()\n{PADDING}"}
    with scan(project(tmp_path, "time.sleep(60)", files)) as process:
        (lost,) = seen(tmp_path, process)
        assert lost != process.pid
        os.kill(lost, signal.SIGKILL)
        out, err = process.communicate()
    assert (process.returncode, out) == (3, "")
    assert err.startswith("readiness: a process of the scan was ended by SIGKILL while it looked at 'm20.py'")
    assert not alive(process.pid)


@several_processors
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_one_of_them_is_not_for_it(number: signal.Signals, tmp_path: Path) -> None:
    does = "while not Path('go').exists(): time.sleep(0.01)"
    with scan(project(tmp_path, does, PLAIN | {"m20.py": f"stop()\n{PADDING}"})) as process:
        (one,) = seen(tmp_path, process)
        os.kill(one, number)
        (tmp_path / "go").touch()
        _, err = process.communicate()
    assert (process.returncode, err) == (0, "")


@several_processors
def test_the_name_of_the_file_is_shown_with_nothing_live_in_it(tmp_path: Path) -> None:
    files = PLAIN | {"m\n\x1b[31m20.py": f"stop()\n{PADDING}"}
    with scan(project(tmp_path, "os._exit(1)", files)) as process:
        _, err = process.communicate()
    assert "'m\\n\\x1b[31m20.py'" in err
    assert err.count("\n") == 1


Examination = tuple[Sequence[Source], Examiner]


def prepared(folder: Path, files: Mapping[str, str], does: str = "pass") -> Examination:
    """The files of a project, worth several processes, and the rule that meets `stop()` in them."""
    ops = project(folder, does, files) / "ops"
    found = collect([folder], settings(folder, exclude=("ops",))).sources
    assert sum(len(source.data) for source in found) > WORTHWHILE
    return found, Examiner(pack.rule_files([ops]), Project(found), Bandit())


def test_each_file_has_its_own_result_in_the_order_of_files(tmp_path: Path) -> None:
    sizes = {f"m{number:02}.py": f"eval({number})\n" + PADDING * (number * 7 % 5) for number in range(40)}
    found, examiner = prepared(tmp_path, sizes | {"odd.py": "print 1\n", "void.py": ""})
    together = list(examine_all(found, examiner, nothing))
    assert [each.name for each in together] == [source.name for source in found]
    assert together == [examiner.examine(source) for source in found]


@several_processors
def test_a_large_file_is_not_left_for_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    does = "open('begun', 'a').write(self.file.name + '\\n')"
    files = {f"m{number:02}.py": f"stop()\n{PADDING}" for number in range(40)}
    found, examiner = prepared(tmp_path, files | {"z.py": "stop()\n" + PADDING * 20}, does)
    list(examine_all(found, examiner, nothing))
    begun = Path("begun").read_text().split()
    assert sorted(begun) == sorted(source.name for source in found)
    assert "z.py" not in begun[-10:]


@several_processors
def test_where_no_process_may_be_started_the_work_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, examiner = prepared(tmp_path, PLAIN)

    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    assert [each.name for each in examine_all(found, examiner, nothing)] == [source.name for source in found]


@several_processors
def test_a_lost_process_is_an_audit_that_could_not_finish(tmp_path: Path) -> None:
    found, examiner = prepared(tmp_path, PLAIN | {"m20.py": f"stop()\n{PADDING}"}, "os._exit(7)")
    with pytest.raises(ReadinessError, match="ended with exit code 7") as problem:
        list(examine_all(found, examiner, nothing))
    assert problem.value.exit_code == 3


@pytest.mark.parametrize("files", [{"a.py": f"eval(x)\n{PADDING}" * 30}, PLAIN], ids=["one file", "many files"])
def test_the_garbage_collector_is_left_as_it_was(files: Mapping[str, str], tmp_path: Path) -> None:
    found, examiner = prepared(tmp_path, files)
    usual = gc.get_threshold()
    gc.set_threshold(701, 11, 12)
    try:
        list(examine_all(found, examiner, nothing))
        assert (gc.get_threshold(), gc.get_freeze_count()) == ((701, 11, 12), 0)
        begun = examine_all(found, examiner, nothing)
        next(begun)
        begun.close()
        assert (gc.get_threshold(), gc.get_freeze_count()) == ((701, 11, 12), 0)
    finally:
        gc.set_threshold(*usual)


@several_processors
def test_who_wants_no_more_results_leaves_no_process_behind(tmp_path: Path) -> None:
    found, examiner = prepared(tmp_path, PLAIN)
    before = children()
    begun = examine_all(found, examiner, nothing)
    next(begun)
    assert children() - before
    begun.close()
    assert not children() - before


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
